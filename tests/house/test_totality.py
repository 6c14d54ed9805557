"""Every operation has a row, or a Gap with its reason, in every table that answers. The failure is the to-do list."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any

import pytest

from crosscheck.backprop import activations, losses, merge, network, textbook
from crosscheck.mutants.systematic import beside
from crosscheck.oracles import ball, jax_grad, torch_autograd
from crosscheck.oracles.ball import activations as ball_activations
from crosscheck.oracles.ball import layers as ball_layers
from crosscheck.oracles.ball import losses as ball_losses
from crosscheck.oracles.ball import merges as ball_merges
from crosscheck.oracles.jax_grad import activations as jax_activations
from crosscheck.oracles.jax_grad import layers as jax_layers
from crosscheck.oracles.jax_grad import losses as jax_losses
from crosscheck.oracles.jax_grad import merges as jax_merges
from crosscheck.oracles.torch_autograd import activations as torch_activations
from crosscheck.oracles.torch_autograd import layers as torch_layers
from crosscheck.oracles.torch_autograd import losses as torch_losses
from crosscheck.oracles.torch_autograd import merges as torch_merges
from crosscheck.spec import OPS, Gap, Op
from crosscheck.strategies.space import Space
from crosscheck.tolerance import rows


@dataclass(frozen=True)
class Table:
    """One table of rows, and where it stands."""

    place: str
    rows: Mapping[str, Any]


@dataclass(frozen=True)
class Witness:
    """Whoever must answer for every op of these kinds."""

    tables: Mapping[str, Table]
    gaps: tuple[Gap, ...] = ()


# Every family has a table of its own.
OTHERS = {**activations.ROWS, **merge.ROWS, **losses.ROWS}
LAYERS = {name: row for name, row in network.ROWS.items() if name not in OTHERS}

# fmt: off
WITNESSES = {
    "backprop": Witness({
        "activation": Table("crosscheck/backprop/activations.py::ROWS", activations.ROWS),
        "layer":      Table("crosscheck/backprop/network.py::ROWS", LAYERS),
        "merge":      Table("crosscheck/backprop/merge.py::ROWS", merge.ROWS),
        "loss":       Table("crosscheck/backprop/losses.py::ROWS", losses.ROWS),
    }),
    "textbook": Witness({
        "activation": Table("crosscheck/backprop/textbook.py::ROWS", textbook.ROWS),
    }, tuple(Gap(op, "textbook", "it joins the nodes of a layer, the textbook's g is elementwise")
             for op in ("softmax", "log_softmax"))),
    # Layers and merges round as those of the backprop do: they have no function of their own to be inaccurate in.
    "tolerance": Witness({
        "activation": Table("crosscheck/tolerance/rows.py::SMOOTH", {**rows.SMOOTH, **rows.VECTORS}),
        "loss":       Table("crosscheck/tolerance/rows.py::LOSSES", rows.LOSSES),
    }),
    "torch": Witness({
        "activation": Table("crosscheck/oracles/torch_autograd/activations.py::ROWS", torch_activations.ROWS),
        "layer":      Table("crosscheck/oracles/torch_autograd/layers.py::ROWS", torch_layers.ROWS),
        "merge":      Table("crosscheck/oracles/torch_autograd/merges.py::ROWS", torch_merges.ROWS),
        "loss":       Table("crosscheck/oracles/torch_autograd/losses.py::ROWS", torch_losses.ROWS),
    }, torch_autograd.GAPS),
    "jax": Witness({
        "activation": Table("crosscheck/oracles/jax_grad/activations.py::ROWS", jax_activations.ROWS),
        "layer":      Table("crosscheck/oracles/jax_grad/layers.py::ROWS", jax_layers.ROWS),
        "merge":      Table("crosscheck/oracles/jax_grad/merges.py::ROWS", jax_merges.ROWS),
        "loss":       Table("crosscheck/oracles/jax_grad/losses.py::ROWS", jax_losses.ROWS),
    }, jax_grad.GAPS),
    "ball": Witness({
        "activation": Table("crosscheck/oracles/ball/activations.py::ROWS", ball_activations.ROWS),
        "layer":      Table("crosscheck/oracles/ball/layers.py::ROWS", ball_layers.ROWS),
        "merge":      Table("crosscheck/oracles/ball/merges.py::ROWS", ball_merges.ROWS),
        "loss":       Table("crosscheck/oracles/ball/losses.py::ROWS", ball_losses.ROWS),
    }, ball.GAPS),
}
# fmt: on


def missing(ops: Iterable[Op], witness: Witness) -> list[str]:
    """What is still to be written: "mish missing: crosscheck/oracles/jax_grad/activations.py::ROWS"."""
    excused = {gap.op for gap in witness.gaps}
    return [
        f"{op.name} missing: {witness.tables[op.kind].place}"
        for op in ops
        if op.kind in witness.tables and op.name not in excused and op.name not in witness.tables[op.kind].rows
    ]


def unknown(ops: Mapping[str, Op], witness: Witness) -> list[str]:
    """Rows that nothing asks for: a name that was misspelt, or an op that is gone."""
    return [
        f"{name} is not of kind {kind} in crosscheck/spec: {table.place}"
        for kind, table in witness.tables.items()
        for name in table.rows
        if name not in ops or ops[name].kind != kind
    ]


@pytest.mark.parametrize("name", WITNESSES)
def test_every_op_has_a_row_or_a_gap(name: str) -> None:
    assert missing(OPS.values(), WITNESSES[name]) == []
    assert unknown(OPS, WITNESSES[name]) == []


@pytest.mark.parametrize("name", WITNESSES)
def test_every_gap_is_of_an_op_without_a_row_and_says_why(name: str) -> None:
    for gap in WITNESSES[name].gaps:
        assert gap.witness == name
        assert gap.op in OPS
        assert gap.op not in WITNESSES[name].tables[OPS[gap.op].kind].rows
        assert len(gap.reason) > 10


def test_a_new_op_is_a_to_do_list() -> None:
    new = [Op(name="cube", kind="activation"), Op(name="conv", kind="layer"), Op(name="quartic", kind="loss")]
    assert [line for witness in WITNESSES.values() for line in missing(new, witness)] == [
        "cube missing: crosscheck/backprop/activations.py::ROWS",
        "conv missing: crosscheck/backprop/network.py::ROWS",
        "quartic missing: crosscheck/backprop/losses.py::ROWS",
        "cube missing: crosscheck/backprop/textbook.py::ROWS",
        "cube missing: crosscheck/tolerance/rows.py::SMOOTH",
        "quartic missing: crosscheck/tolerance/rows.py::LOSSES",
        "cube missing: crosscheck/oracles/torch_autograd/activations.py::ROWS",
        "conv missing: crosscheck/oracles/torch_autograd/layers.py::ROWS",
        "quartic missing: crosscheck/oracles/torch_autograd/losses.py::ROWS",
        "cube missing: crosscheck/oracles/jax_grad/activations.py::ROWS",
        "conv missing: crosscheck/oracles/jax_grad/layers.py::ROWS",
        "quartic missing: crosscheck/oracles/jax_grad/losses.py::ROWS",
        "cube missing: crosscheck/oracles/ball/activations.py::ROWS",
        "conv missing: crosscheck/oracles/ball/layers.py::ROWS",
        "quartic missing: crosscheck/oracles/ball/losses.py::ROWS",
    ]


def test_a_gap_excuses() -> None:
    excused = replace(WITNESSES["jax"], gaps=(Gap("cube", "jax", "it has no cube"),))
    assert missing([Op(name="cube", kind="activation")], excused) == []


def test_a_row_of_an_op_that_is_gone_is_found() -> None:
    gone = {name: op for name, op in OPS.items() if name != "mish"}
    assert unknown(gone, WITNESSES["jax"]) == [
        "mish is not of kind activation in crosscheck/spec: crosscheck/oracles/jax_grad/activations.py::ROWS"
    ]


def test_every_name_is_an_op_once() -> None:
    from crosscheck.spec.activations import ACTIVATIONS
    from crosscheck.spec.layers import LAYERS
    from crosscheck.spec.losses import LOSSES
    from crosscheck.spec.merges import MERGES

    names = [op.name for op in (*LAYERS, *ACTIVATIONS, *MERGES, *LOSSES)]
    assert len(names) == len(set(names))
    assert all(op.summary for op in OPS.values()), "an op without a summary cannot be explained"


@pytest.mark.parametrize("op", OPS)
def test_every_attribute_is_drawn_at_its_default_first_and_at_other_values(op: str) -> None:
    """Otherwise a rule that ignores an attribute would pass: crosscheck/strategies/space.py::ATTRIBUTE_VALUES."""
    space = Space.of([op, *beside(op)])
    for attribute in OPS[op].attributes:
        if attribute.default is None:
            continue  # a size: the palette draws it
        values = space.values(op, attribute.name)
        assert values, f"{op}.{attribute.name} missing: crosscheck/strategies/space.py::ATTRIBUTE_VALUES"
        assert values[0] == attribute.default
        assert len(set(values)) == len(values)
        assert len(values) > 1 or attribute.choices == (attribute.default,)
        assert [attribute.checked(v, op) for v in values] == list(values)
