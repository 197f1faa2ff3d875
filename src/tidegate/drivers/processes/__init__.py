"""Drivers that keep local processes alive beyond the life of the server."""
