"""For each systematic mutant the smallest network that shows it. By tests/mutants/make_smallest.py."""

SMALLEST: dict[str, str] = {}
