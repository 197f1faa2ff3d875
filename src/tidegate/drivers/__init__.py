"""A folder per port, a file per outside system. Drivers do not know each other."""
