"""The certified witness: ball arithmetic, every answer with a radius within which the truth provably lies.

Importing this package does not import flint; making a `Ball` does.
"""

from crosscheck.oracles.ball.oracle import (
    GAPS,
    Ball,
    loss_value_and_slope,
    value_and_slope,
    vector_value_and_vjp,
)
from crosscheck.spec.result import Certified

__all__ = ["GAPS", "Ball", "Certified", "loss_value_and_slope", "value_and_slope", "vector_value_and_vjp"]
