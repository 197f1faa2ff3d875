"""Strict reading of tidegate.yaml and of stored records. Only reading: no effects, no decisions."""
