"""Drivers that split traffic between candidate and baseline."""
