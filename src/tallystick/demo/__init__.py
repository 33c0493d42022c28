"""The demo: a year of a business on a chain of its own, from the first plan to the audit."""
