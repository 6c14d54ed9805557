"""JAX's `jax.value_and_grad` as a witness. Importing this package does not import jax."""

from crosscheck.oracles.jax_grad.oracle import GAPS, JaxGrad, gradients

__all__ = ["GAPS", "JaxGrad", "gradients"]
