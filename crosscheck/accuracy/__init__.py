"""The atlas: values and derivatives of the hand-written rules, PyTorch and JAX against certified truth, over z."""
