"""The verbs: one per file, each owns its transaction."""
