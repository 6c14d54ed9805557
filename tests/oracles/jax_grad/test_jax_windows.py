"""Batched convolutions and pools, equation by equation, are what JAX itself computes."""

from __future__ import annotations

import jax
import numpy as np
import pytest
from builders import case_of
from jax import enable_x64

from crosscheck.oracles.jax_grad import JaxGrad, walk

# fmt: off
TEXTS = (
    # Under vmap the convolutions reshape with their axes in another order.
    "x[2,2,4] -> conv1d(2, 2, stride=2, padding=1, groups=2) -> cotangent",
    "x[2,2,3,4] -> conv2d(4, 2, dilation=1x2, padding=0x1) -> max_pool2d(2, stride=1, padding=1) -> cotangent",
    "x[2,2,3,2] -> conv_transpose2d(2, 2, stride=2, output_padding=1x0) -> avg_pool2d(3, padding=1) -> sse",
)
# fmt: on


@pytest.mark.parametrize("text", TEXTS)
def test_it_is_what_jax_computes_at_once(text: str) -> None:
    case = case_of(text, seed=1, points=3)
    found = JaxGrad().references(case).gradients
    with enable_x64(True):
        whole = walk.loss_and_gradients(case.architecture)
        data = {"numbers": {}, "indices": {}, "targets": case.targets}
        (loss, _), (by_param, by_input, _) = jax.jit(whole)(dict(case.params), dict(case.inputs), {}, data)
    np.testing.assert_allclose(found.loss, loss, rtol=1e-13)
    for name, values in {**by_param, **by_input}.items():
        np.testing.assert_allclose(found[name], values, rtol=0.0, atol=1e-12 * np.abs(values).max(), err_msg=name)
