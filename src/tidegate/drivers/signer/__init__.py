"""Holders of the key of the ledger."""
