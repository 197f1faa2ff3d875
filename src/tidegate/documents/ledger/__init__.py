"""The ledger as text: what a hash covers, signed heads, dumps, and verifying them without a server."""
