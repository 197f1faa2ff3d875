"""What a plan would have done: the real policy over a drawn world, without clock, targets or store."""
