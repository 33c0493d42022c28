"""The pure part: no I/O, clock or randomness. Everything comes in as an argument."""
