"""Public contracts of the ports, builders and the simulation. Must not reach what users run."""
