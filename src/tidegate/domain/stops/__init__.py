"""Stop orders: a halt with a scope that nothing can raise exposure against."""
