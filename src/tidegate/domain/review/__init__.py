"""Looking back at what went wrong: what happened, what caught it, what it cost. Pure."""
