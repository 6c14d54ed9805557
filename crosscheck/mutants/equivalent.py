"""To be made."""

EQUIVALENT: frozenset[str] = frozenset()
