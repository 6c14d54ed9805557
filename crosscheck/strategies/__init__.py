"""Hypothesis strategies: what may be asked, drawn so that it shrinks to what can be read."""
