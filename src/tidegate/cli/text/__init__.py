"""The answers of the server as text for people: one file per noun. Nothing is asked or decided here."""
