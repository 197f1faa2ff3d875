"""A small world that breaks on demand: demo service, load with sticky users, faults."""
