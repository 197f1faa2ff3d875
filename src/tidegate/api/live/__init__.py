"""Live hints: what makes an open page look again as soon as something has happened."""
