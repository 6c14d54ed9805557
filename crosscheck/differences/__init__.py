"""Finite differences with an error budget for each entry, and the Taylor slope."""
