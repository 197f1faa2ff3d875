"""Conditions in policies: a closed language of three values in which unknown is never true."""
