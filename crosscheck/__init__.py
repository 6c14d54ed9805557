"""crosscheck verifies hand-written backpropagation. Public names are resolved lazily."""

__version__ = "0.1.0"
