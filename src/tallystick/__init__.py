"""Stablecoin billing whose books match the chain."""
