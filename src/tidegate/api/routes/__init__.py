"""The operations of the HTTP API, one file per noun. Each is thin: read, call a use case, show."""
