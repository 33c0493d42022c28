"""Gas and speed, measured beside peers and limits: `make bench`."""
