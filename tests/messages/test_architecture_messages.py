"""Every malformed architecture, as JSON or made by hand, is refused with a sentence."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest

from crosscheck.spec import Architecture, Input, Loss, Node, SpecError, parse

GOOD = parse("x[3,4] -> dense(2) -> sse").to_json()
SIZE = "a size is a whole number from 1 to 1,000,000,000, not"
OUT = "out is a whole number above 0 and at most 1,000,000,000"


def said(data: bytes | str) -> str:
    with pytest.raises(SpecError) as error:
        Architecture.from_json(data)
    return str(error.value)


def broken(change: Callable[[dict[str, Any]], object]) -> str:
    content = json.loads(GOOD)
    change(content)
    return json.dumps(content)


# fmt: off
BYTES: list[tuple[bytes | str, str]] = [
    (b"", "Input data was truncated"),
    (b"{", "Input data was truncated"),
    (GOOD[:-5], "Input data was truncated"),
    (b"null", "Expected `object`, got `null`"),
    (b"[]", "Expected `object`, got `array`"),
    (b"[" * 100_000, "Expected `object`, got `array`"),
    (b'"x[3] -> sse"', "Expected `object`, got `str`"),
    (GOOD + b"x", "JSON is malformed: trailing characters (byte 290)"),
    (b"\xff\xfe", "JSON is malformed: invalid character (byte 0)"),
    (GOOD.replace(b'"x"', b'"\xff"'), "'utf-8' codec can't decode byte 0xff in position 0: invalid start byte"),
    ("\ud800", "'utf-8' codec can't encode character '\\ud800' in position 0: surrogates not allowed"),
    (GOOD.replace(b"1.0", b"NaN"), "JSON is malformed: invalid character (byte 121)"),
    (GOOD.replace(b"1.0", b"1e999"), "Number out of range - at `$.loss.attributes[...]`"),
    (GOOD.replace(b"1.0", b"1" + b"0" * 5000), "Integer value out of range - at `$.loss.attributes[...]`"),
    (GOOD.replace(b"1.0", b"1" + b"0" * 400), f"loss (sse): scale=1{'0' * 400}, but scale is a finite number"),
]

FIELDS: list[tuple[Callable[[dict[str, Any]], object], str]] = [
    (lambda a: a.update(name="net"), "Object contains unknown field `name`"),
    (lambda a: a["nodes"][0].update(name="first"), "Object contains unknown field `name` - at `$.nodes[0]`"),
    (lambda a: a.pop("loss"), "Object missing required field `loss`"),
    (lambda a: a["loss"].pop("attributes"), "Object missing required field `attributes` - at `$.loss`"),
    (lambda a: a.update(inputs=[]), "an architecture needs at least one input, such as x[3,4]"),
    (lambda a: a["inputs"].append({"name": "x", "shape": [1]}), "input 'x' is declared twice"),
    (lambda a: a["inputs"][0].update(name="a b"),
     "input 'a b': a name is letters, digits and _, not starting with a digit"),
    (lambda a: a["inputs"][0].update(name="x\n"),
     "input 'x\\n': a name is letters, digits and _, not starting with a digit"),
    (lambda a: a["inputs"][0].update(dtype="float16"), "Invalid enum value 'float16' - at `$.inputs[0].dtype`"),
    (lambda a: a["inputs"][0].update(shape=[0, 4]), f"input x: {SIZE} 0"),
    (lambda a: a["inputs"][0].update(shape=[10**30]), f"input x: {SIZE} 1000000000000000000000000000000"),
    (lambda a: a["inputs"][0].update(shape=[True]), "Expected `int`, got `bool` - at `$.inputs[0].shape[0]`"),
    (lambda a: a["inputs"][0].update(shape=[3.0]), "Expected `int`, got `float` - at `$.inputs[0].shape[0]`"),
    (lambda a: a["inputs"][0].update(shape=[]),
     "node 0 (dense): dense needs an input of shape (…, in), but its input is a scalar"),
    (lambda a: a["nodes"][0].update(op="dens"), "node 0: 'dens' is not an operation; did you mean dense?"),
    (lambda a: a["nodes"][0].update(op="sse"), "node 0: sse is a loss; a loss stands last"),
    (lambda a: a["nodes"][0].update(inputs=[]), "node 0 (dense): has 0 inputs, needs 1"),
    (lambda a: a["nodes"][0].update(inputs=[-1, -1]), "node 0 (dense): has 2 inputs, needs 1"),
    (lambda a: a["nodes"][0].update(inputs=[0]), "node 0 (dense): input 0 is not an input (-1 to -1)"),
    (lambda a: a["nodes"][0].update(inputs=[-2]), "node 0 (dense): input -2 is not an input (-1 to -1)"),
    (lambda a: a["nodes"][0].update(inputs=["x"]), "Expected `int`, got `str` - at `$.nodes[0].inputs[0]`"),
    (lambda a: a["nodes"][0]["attributes"].update(out=2.0), f"node 0 (dense): out=2.0, but {OUT}"),
    (lambda a: a["nodes"][0]["attributes"].update(out=10**12), f"node 0 (dense): out=1000000000000, but {OUT}"),
    (lambda a: a["nodes"][0]["attributes"].update(bias=0), "node 0 (dense): bias=0, but bias is true or false"),
    (lambda a: a["nodes"][0]["attributes"].pop("out"), f"node 0: dense needs {OUT.replace(' is', ',', 1)}"),
    (lambda a: a["nodes"][0]["attributes"].update(units=2),
     "node 0: dense has no attribute 'units'; it has out, bias"),
    (lambda a: a["nodes"][0].update(params={}),
     "node 0 (dense): params names [], but dense has ['bias', 'weight']"),
    (lambda a: a["nodes"][0]["params"].update(kernel="k"),
     "node 0 (dense): params names ['bias', 'kernel', 'weight'], but dense has ['bias', 'weight']"),
    (lambda a: a["nodes"][0]["params"].update(weight="a,b)"),
     "node 0 (dense): weight has the key 'a,b)'; a key is letters, digits, _ and ."),
    (lambda a: a["nodes"][0]["params"].update(weight="x"),
     "node 0 (dense): weight has the key 'x', which is the name of an input"),
    (lambda a: a["nodes"][0]["params"].update(bias="0.weight"),
     "node 0 (dense): bias is shared as '0.weight' of shape (2, 4), but this node needs (2,)"),
    (lambda a: a["loss"].update(op="hubber"), "loss: 'hubber' is not an operation; did you mean huber?"),
    (lambda a: a["loss"].update(op="tanh"), "loss: tanh is of kind activation, not a loss"),
    (lambda a: a["loss"].update(inputs=[0, 0]), "loss (sse): has 2 inputs, needs 1"),
    (lambda a: a["loss"].update(inputs=[1]),
     "loss (sse): input 1 is not an earlier node (0 to 0) or an input (-1 to -1)"),
    (lambda a: a["loss"].update(inputs=[-2]),
     "loss (sse): input -2 is not an earlier node (0 to 0) or an input (-1 to -1)"),
    (lambda a: a["loss"]["attributes"].update(scale=None),
     "Expected `bool | int | float | str`, got `null` - at `$.loss.attributes[...]`"),
    (lambda a: a["loss"]["attributes"].update(scale="1"), "loss (sse): scale='1', but scale is a finite number"),
    (lambda a: a["loss"]["attributes"].update(scale=True), "loss (sse): scale=True, but scale is a finite number"),
    (lambda a: a["loss"]["attributes"].update(reduction="none"),
     "loss (sse): reduction='none', but reduction is one of sum, mean, batch_mean"),
    (lambda a: a["loss"]["attributes"].update(delta=1.0),
     "loss: sse has no attribute 'delta'; it has reduction, scale, weighted, l1, l2"),
]
# fmt: on


@pytest.mark.parametrize(("data", "message"), BYTES)
def test_malformed_json(data: bytes | str, message: str) -> None:
    assert said(data) == f"architecture JSON: {message}"


@pytest.mark.parametrize(("change", "message"), FIELDS)
def test_one_wrong_field(change: Callable[[dict[str, Any]], object], message: str) -> None:
    assert said(broken(change)) == f"architecture JSON: {message}"


def test_the_unbroken_one_is_read() -> None:
    assert Architecture.from_json(broken(lambda a: None)).to_json() == GOOD


# fmt: off
BY_HAND: list[tuple[Callable[[], Architecture], str]] = [
    (lambda: Architecture((), (), Loss("sse", {}, (-1,))), "an architecture needs at least one input, such as x[3,4]"),
    (lambda: Architecture((Input("x", (3,)),), (Node("tanh", {}, (0,), {}),), Loss("sse", {}, (0,))),
     "node 0 (tanh): input 0 is not an input (-1 to -1)"),
    (lambda: Architecture((Input("x", (3,)),), (), Loss("huber", {"delta": float("nan")}, (-1,))),
     "loss (huber): delta=nan, but delta is a finite number above 0"),
    (lambda: Architecture((Input("x", (3,)),), (), Loss("sse", {"scale": 10**309}, (-1,))),
     f"loss (sse): scale={10**309}, but scale is a finite number"),
    (lambda: Architecture((Input("x", (3,)),), (), Loss("mse", {"reduction": "sum"}, (-1,))),
     "loss (mse): reduction='sum', but reduction is mean"),
]
# fmt: on


@pytest.mark.parametrize(("made", "message"), BY_HAND)
def test_made_by_hand(made: Callable[[], Architecture], message: str) -> None:
    with pytest.raises(SpecError) as error:
        made()
    assert str(error.value) == message
