"""The screens: one module each, which gathers what its page shows. Words and marks are made elsewhere."""
