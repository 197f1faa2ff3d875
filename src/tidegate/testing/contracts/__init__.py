"""Tests that hold for every driver of a port. Third parties run them too."""
