"""What stands on an input of which shape, and what would make a network too large to be asked often."""

from __future__ import annotations

import pytest

from crosscheck.spec.op import Attributes, Shape
from crosscheck.spec.ops import OPS
from crosscheck.strategies.architectures import Menu
from crosscheck.strategies.fitting import fault, fits
from crosscheck.strategies.space import Space

HEADS = {"heads": 1, "bias": True, "mask": "none", "cross": False}


@pytest.mark.parametrize(
    ("op", "attributes", "shape", "said"),
    [
        ("multi_head_attention", HEADS, (1, 3, 20), None),
        ("multi_head_attention", HEADS, (1, 3, 40), "multi_head_attention would have 6560 parameters"),
        ("dense", {"out": 128, "bias": True}, (2, 128), None),
        ("dense", {"out": 200, "bias": True}, (2, 200), "dense would have 40200 parameters"),
        ("dense", {"out": 400, "bias": True}, (2, 3), "dense would make 800 numbers"),
    ],
)
def test_a_layer_that_would_be_too_large_does_not_fit(
    op: str, attributes: Attributes, shape: Shape, said: str | None
) -> None:
    found = fault(op, OPS[op].complete(attributes, op), shape)
    assert (str(found) if found else None) == said
    assert fits(op, OPS[op].complete(attributes, op), shape) == (said is None)


def test_layers_as_wide_as_people_fix_them_stand_one_behind_the_other() -> None:
    menu = Menu(Space.of([("dense", {"out": 128}), "tanh", "sse"]))
    (variant, *_) = menu.variants("dense")
    assert variant["out"] == 128
    assert fits("dense", variant, (4, 128))
