"""Invoices and credit notes as people and programs read them: PDF and JSON. No database, no chain."""
