"""Drivers that read counters and histograms per arm."""
