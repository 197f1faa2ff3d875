"""Logging set-up and the names of events. No decisions here."""
