"""The states of a rollout, what may be observed of it, and the one function that decides."""
