"""Drivers that answer gates: each one asks one kind of question about one change."""
