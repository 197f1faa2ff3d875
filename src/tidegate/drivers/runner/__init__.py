"""Drivers that say when a rollout is stepped."""
