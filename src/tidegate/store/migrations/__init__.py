"""The schema's history, run by `tidegate.store.schema`."""
