"""What signals prove, and when that is enough."""
