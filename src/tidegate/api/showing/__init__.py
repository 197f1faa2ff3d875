"""From the engine's records to what goes over the wire: one file per noun, no decisions."""
