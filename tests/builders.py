"""Small things to test with: cases from a text, gradients from the built-in, subjects that are wrong in one way."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping

import numpy as np

from crosscheck.spec import Architecture, Case, Gradients, Point, Subject, parse, to_text
from crosscheck.spec.dtypes import is_floating
from crosscheck.spec.op import Value
from crosscheck.spec.ops import OPS
from crosscheck.strategies.fitting import Extra, extras
from crosscheck.strategies.space import Space
from crosscheck.strategies.values import make_case

DENSE_TANH = "x[3,4] -> dense(2) -> tanh -> sse"

# An input on which each op can stand alone, and what a merge joins with.
ALONE = {"layer": "x[2,3]", "activation": "x[2,3]", "merge": "x[2,3]; u[2,3]; x", "loss": "x[2,3]"}
# By op, where that of its kind does not do.
ALONE_ON = {
    "conv1d": "x[2,2,4]",
    "conv2d": "x[2,2,3,4]",
    "conv_transpose2d": "x[2,2,2,3]",
    "max_pool1d": "x[2,2,5]",
    "max_pool2d": "x[2,2,3,4]",
    "avg_pool1d": "x[2,2,5]",
    "avg_pool2d": "x[2,2,3,4]",
    "global_avg_pool": "x[2,2,3,2]",
    **dict.fromkeys(("flatten", "reshape", "transpose", "prelu"), "x[2,3,2]"),
    **dict.fromkeys(("glu", "swiglu", "slice"), "x[4,4]"),
    "matmul": "x[2,3]; u[3,4]; x",
    **dict.fromkeys(("batch_norm", "layer_norm", "group_norm"), "x[3,4,2]"),
    "embedding": "ids[2,3]:int64",
    **dict.fromkeys(("rnn", "lstm", "gru", "attention"), "x[2,3,2]"),
    "multi_head_attention": "x[2,3,4]",
}
# What must be given.
SIZES = {
    "dense": {"out": 2},
    **{op: {"out": 2, "kernel": 2} for op in ("conv1d", "conv2d", "conv_transpose2d")},
    "group_norm": {"groups": 2},
    **{op: {"hidden": 2} for op in ("rnn", "lstm", "gru")},
    "embedding": {"num": 3, "dim": 2},
}


def case_of(
    text: str = DENSE_TANH,
    *,
    seed: int = 0,
    family: str = "normal",
    points: int = 3,
    dtype: str = "float64",
    targets: str = "any",
) -> Case:
    """The case of an architecture's text with numbers of a family and seed."""
    return make_case(parse(text), family=family, seed=seed, points=points, dtype=dtype, targets=targets)


def with_arrays(case: Case, **arrays: np.ndarray) -> Case:
    """The case with other arrays: `params=` or `inputs=` replace by key, `targets=` whole."""
    changed = {
        name: {**getattr(case, name), **value} if isinstance(value, Mapping) else value
        for name, value in arrays.items()
    }
    return dataclasses.replace(case, **changed)


def text_of(op: str, **attributes: Value) -> str:
    """The smallest architecture with this op in it: `x[2,3] -> tanh -> cotangent`."""
    spec = OPS[op]
    given = [f"{k}={str(v).lower() if isinstance(v, bool) else v}" for k, v in attributes.items()]
    given = [str(size) for name, size in SIZES.get(op, {}).items() if name not in attributes] + given
    alone = ALONE_ON.get(op, ALONE[spec.kind])
    if spec.kind == "merge":
        given.insert(0, "u")
    elif beside := further(op, alone, attributes):
        given = [item.name for item in beside] + given
        alone = "; ".join([alone, *map(declared, beside), "x"])
    call = f"{op}({', '.join(given)})" if given else op
    return f"{alone} -> {call}" + ("" if spec.kind == "loss" else " -> cotangent")


def further(op: str, alone: str, attributes: Mapping[str, Value]) -> tuple[Extra, ...]:
    """The inputs that an op needs beside the one on which it stands."""
    shape = parse(f"{alone} -> cotangent").inputs[0].shape
    return extras(op, OPS[op].complete({**SIZES.get(op, {}), **attributes}, op), shape)


def declared(item: Extra) -> str:
    of = "" if item.dtype == "float" else f":{item.dtype}"
    return f"{item.name}[{','.join(map(str, item.shape))}]{of}"


def _plain(op: str, attributes: Mapping[str, Value]) -> bool:
    """Of what every loss has, beside the reduction, at most one is not at its default: they do not touch each other."""
    spec = {a.name: a.default for a in OPS[op].attributes}
    return sum(attributes[name] != spec[name] for name in ("scale", "weighted", "l1", "l2") if name in spec) <= 1


# Of an op with more variants than these, those with at most one attribute that is not the simplest.
FEW = 12


def every_variant(op: str) -> list[str]:
    """Texts of the smallest architectures with this op, one for each choice of its attributes that is drawn."""
    from crosscheck.strategies.architectures import choices

    every = [attributes for attributes in choices(Space.of([op]), op) if _plain(op, attributes)]
    if len(every) > FEW:
        every = [attributes for attributes in every if sum(v != every[0][k] for k, v in attributes.items()) <= 1]
    texts = [text_of(op, **attributes) for attributes in every]
    return list(dict.fromkeys(to_text(parse(text)) for text in texts))


def changed(gradients: Gradients, tensor: str, change: Callable[[np.ndarray], np.ndarray]) -> Gradients:
    """The gradients with one tensor replaced by `change` of a copy of it."""
    for name in ("by_param", "by_input"):
        found = getattr(gradients, name)
        if tensor in found:
            return dataclasses.replace(gradients, **{name: {**found, tensor: change(np.array(found[tensor]))}})
    raise KeyError(tensor)


@dataclasses.dataclass(frozen=True)
class Wrong:
    """A subject that is the built-in backprop, except for what `spoil` makes of its gradients."""

    spoil: Callable[[Case, Gradients], Gradients]
    name: str = "wrong"
    supports: frozenset[str] = frozenset(OPS)
    error_model: None = None
    asks_twice: bool = False
    weighs: bool = True

    def gradients(self, case: Case) -> Gradients:
        from crosscheck.subjects.builtin import Builtin

        return self.spoil(case, Builtin().gradients(case))


def off_by(tensor: str, factor: float) -> Wrong:
    """The built-in with the gradient of one tensor multiplied, wherever a case has that tensor."""

    def spoil(_case: Case, gradients: Gradients) -> Gradients:
        return changed(gradients, tensor, lambda g: g * factor) if tensor in gradients else gradients

    return Wrong(spoil, name=f"{tensor} × {factor:g}")


def as_callable(subject: Subject) -> Callable[[Architecture, Point], tuple[float, dict[str, np.ndarray]]]:
    """A subject as a user would write it: a function of one point."""

    def backprop(architecture: Architecture, point: Point) -> tuple[float, dict[str, np.ndarray]]:
        params = {k: a[np.newaxis] for k, a in point.params.items()}
        inputs = {k: a[np.newaxis] for k, a in point.inputs.items()}
        floats = [a.dtype.name for a in (*params.values(), *inputs.values()) if is_floating(a.dtype)]
        weights = None if point.weights is None else point.weights[np.newaxis]
        case = Case(architecture, params, inputs, point.targets[np.newaxis], floats[0], weights=weights)
        found = subject.gradients(case)
        return float(found.loss[0]), {name: a[0].copy() for name, a in found.tensors()}

    return backprop
