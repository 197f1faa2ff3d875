"""The consent of people: how many, of whom, bound to what, and when it lapses."""
