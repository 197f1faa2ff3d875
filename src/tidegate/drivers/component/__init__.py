"""Drivers that put versions of a component where they are served."""
