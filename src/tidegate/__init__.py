"""Tidegate moves any change to production safely. Docstring only: parents are loaded with the child."""
