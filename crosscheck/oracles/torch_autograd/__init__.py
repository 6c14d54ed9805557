"""The PyTorch witness: the functions that users call, differentiated by autograd.

Importing this package does not import torch; making a `TorchAutograd` does.
"""

from crosscheck.oracles.torch_autograd.oracle import GAPS, TorchAutograd, gradients

__all__ = ["GAPS", "TorchAutograd", "gradients"]
