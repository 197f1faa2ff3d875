"""The only place where the time is read."""
