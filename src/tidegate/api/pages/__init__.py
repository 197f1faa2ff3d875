"""The read-only pages for a browser: the same records as the API, as HTML without a script."""
