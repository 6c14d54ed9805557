"""Systematic mutants that are right: no network can show them. By tests/mutants/find_equivalents.py.

Each was asked for the gradients of 200 random networks with its op, at 4 points each, and ball arithmetic
certified all that differed from the sound gradients at all: within rounding of the truth. None was judged by hand.
"""

# fmt: off
EQUIVALENT: frozenset[str] = frozenset({
    "conv1d bias: upstream shifted",
    "conv1d input: of the sample before",
    "flatten input: of the sample before",
    "hardtanh: derivative twice",
    "identity: at twice the input",
    "identity: derivative missing",
    "multi_head_attention bias_k: mean for sum",
    "prelu weight: transposed",
    "relu: at twice the input",
    "softmax: at twice the input",
    "triplet input 1: of the sample before",
})
# fmt: on
