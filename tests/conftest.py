"""What holds for every test: one thread, and Hypothesis draws the same examples every time."""

from __future__ import annotations

import os

from hypothesis import settings

# Read when NumPy, PyTorch or JAX are first imported: threads slow small arrays down, and tests share the machine.
for variable in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ.setdefault(variable, "1")

settings.register_profile("ci", derandomize=True, deadline=None, max_examples=60, database=None)
settings.load_profile("ci")
