"""Pure functions of values and bounds: comparisons, votes, verdicts."""
