"""One file per verb. Each loads, decides through the domain, acts through ports, records once."""
