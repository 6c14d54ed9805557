"""A norm, a dropout or an embedding that does not fit names the node, the shapes and the rule."""

from __future__ import annotations

import pytest

from crosscheck.spec import SpecError, parse

# fmt: off
REFUSED = [
    ("x[3] -> batch_norm -> sse",
     "node 0 (batch_norm): batch_norm needs an input of shape (N, C), (N, C, L) or (N, C, H, W), "
     "but its input is (3,)"),
    ("x[3,2]; m[2]; x -> batch_norm(m) -> sse",
     "node 0 (batch_norm): batch_norm(mode=training) has the statistics of its batch; it takes one input, not 2"),
    ("x[3,2] -> batch_norm(mode=evaluation) -> sse",
     "node 0 (batch_norm): batch_norm(mode=evaluation) takes a mean and a variance of shape (2,) beside its input of "
     "shape (3, 2), not none"),
    ("x[3,2]; m[2]; v[3]; x -> batch_norm(m, v, mode=evaluation) -> sse",
     "node 0 (batch_norm): batch_norm(mode=evaluation) takes a mean and a variance of shape (2,) beside its input of "
     "shape (3, 2), not (2,) and (3,)"),
    ("x[3] -> layer_norm(axes=2) -> sse",
     "node 0 (layer_norm): layer_norm(axes=2) needs an input with at least 2 axes, but its input is (3,)"),
    ("x[] -> rms_norm -> sse",
     "node 0 (rms_norm): rms_norm works on the last axis, but its input is a single number"),
    ("x[2,3] -> group_norm(2) -> sse",
     "node 0 (group_norm): group_norm: groups=2, but its input of shape (2, 3) has 3 channels; groups must divide "
     "them"),
    ("x[2,3] -> rms_norm(eps=0.0) -> sse",
     "'rms_norm(eps=0.0)' (rms_norm): eps=0.0, but eps is a finite number above 0"),
    ("x[2,3] -> dropout -> sse",
     "node 0 (dropout): dropout(mode=training) takes a mask of shape (2, 3), that of its input, not none"),
    ("x[2,3]; m[3]:bool; x -> dropout(m) -> sse",
     "node 0 (dropout): dropout(mode=training) takes a mask of shape (2, 3), that of its input, not (3,)"),
    ("x[2,3]; m[2,3]; x -> dropout(m) -> sse",
     "node 0 (dropout): takes bool, but input m is float; declare it as m[2,3]:bool"),
    ("x[2,3]; m[2,3]:bool; x -> dropout(m, mode=evaluation) -> sse",
     "node 0 (dropout): dropout(mode=evaluation) keeps everything; it takes one input, not 2"),
    ("x[2,3]; m[2,3]:bool; x -> dropout(m, p=1.5) -> sse",
     "'dropout(m, p=1.5)' (dropout): p=1.5, but p is a finite number of at least 0 and at most 1.0"),
    ("x[2] -> embedding(3, 2) -> sse",
     "node 0 (embedding): takes int64, but input x is float; declare it as x[2]:int64"),
    ("x[2] -> tanh -> embedding(3, 2) -> sse",
     "node 1 (embedding): takes int64 from an input, but node 0 is numbers"),
]
# fmt: on


@pytest.mark.parametrize(("text", "said"), REFUSED)
def test_what_does_not_fit_is_refused(text: str, said: str) -> None:
    with pytest.raises(SpecError) as error:
        parse(text)
    assert str(error.value) == said
