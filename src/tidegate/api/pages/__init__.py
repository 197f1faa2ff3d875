"""The pages for a browser: the same records and commands as the API, as HTML that a script keeps fresh."""
