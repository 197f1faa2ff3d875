"""Worlds from a seed: whole rollouts with everything that goes wrong, and what must hold in all of them."""
