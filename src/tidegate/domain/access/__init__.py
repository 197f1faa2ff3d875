"""Who may do what: permissions, callers, grants and the ruling on one request."""
