"""What is to be moved, in which phases, how long and how sure."""
