"""Invoices, credit notes and audits as people and programs read them: PDF and JSON. No database, no chain."""
