"""The fleet as it is shown: its filter, its rows and cells, what needs a person and what comes next."""
