"""What goes over the wire, as pydantic models. They import nothing of ours: clients load them too."""
