"""Drivers of the identity port: who vouches for people."""
