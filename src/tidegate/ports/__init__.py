"""Small protocols between the engine and the world. Each has a public contract in testing/contracts."""
