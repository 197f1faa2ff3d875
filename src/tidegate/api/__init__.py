"""The HTTP API and its pages. Thin: every mutation is a use case."""
