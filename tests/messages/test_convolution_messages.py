"""A convolution or a pool that does not fit: the node, both shapes and the rule."""

from __future__ import annotations

import pytest

from crosscheck.spec import SpecError, parse

# fmt: off
SAID = {
    "x[3,4] -> conv2d(2, 3) -> sse":
        "node 0 (conv2d): conv2d needs an input of shape (N, C, H, W), but its input has shape (3, 4)",
    "x[3,4] -> max_pool1d -> sse":
        "node 0 (max_pool1d): max_pool1d needs an input of shape (N, C, L), but its input has shape (3, 4)",
    "x[3,4] -> global_avg_pool -> sse":
        "node 0 (global_avg_pool): global_avg_pool needs an input of shape (N, C, L, …), but its input has shape "
        "(3, 4)",
    "x[1,2,4,4] -> conv2d(2, 3x2, dilation=2, padding=0x1) -> sse":
        "node 0 (conv2d): conv2d: its window spans (5, 3), but its input of shape (1, 2, 4, 4) has (4, 6) with its "
        "padding; a window must fit in it",
    "x[1,2,1] -> avg_pool1d -> sse":
        "node 0 (avg_pool1d): avg_pool1d: its window spans (2,), but its input of shape (1, 2, 1) has (1,) with its "
        "padding; a window must fit in it",
    "x[1,3,4] -> conv1d(4, 1, groups=2) -> sse":
        "node 0 (conv1d): conv1d: groups=2, but its input of shape (1, 3, 4) has 3 channels and out=4; groups must "
        "divide both",
    "x[1,4,4] -> max_pool1d(2, padding=2) -> sse":
        "node 0 (max_pool1d): max_pool1d: padding=2, but kernel=2; padding is at most half of the kernel",
    "x[1,1,2,2] -> conv_transpose2d(1, 2, output_padding=1) -> sse":
        "node 0 (conv_transpose2d): conv_transpose2d: output_padding=1, but it must be smaller than stride=1 or "
        "dilation=1",
    "x[1,1,2,2] -> conv_transpose2d(1, 2, padding=2) -> sse":
        "node 0 (conv_transpose2d): conv_transpose2d: its input of shape (1, 1, 2, 2) would become (-1, -1); "
        "padding=2 must leave at least one",
    "x[1,1,2,2] -> conv2d(1) -> sse":
        "'conv2d(1)': conv2d needs kernel, a whole number above 0, or one for each axis, as in 2x3",
    "x[1,1,2,2] -> conv2d(1, 2x2x2) -> sse":
        "'conv2d(1, 2x2x2)' (conv2d): kernel='2x2x2', but kernel is a whole number above 0, or one for each axis, as "
        "in 2x3",
}
# fmt: on


@pytest.mark.parametrize("text", SAID)
def test_it_says_what_does_not_fit(text: str) -> None:
    with pytest.raises(SpecError) as error:
        parse(text)
    assert str(error.value) == SAID[text]
