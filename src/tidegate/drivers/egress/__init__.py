"""The one way out to addresses that documents or people name: who may be talked to, and how carefully."""
