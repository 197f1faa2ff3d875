"""What the drivers that speak with an Envoy share: where it is, its names, its admin interface."""
