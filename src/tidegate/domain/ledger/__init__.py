"""What is said about the ledger as a whole: its signed heads, and who else has seen them."""
