"""The space that is drawn from: which ops, which sizes, which attributes are fixed."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from crosscheck.spec.errors import SpecError
from crosscheck.spec.impossible import POSITIVE
from crosscheck.spec.op import LARGEST_SIZE, Value
from crosscheck.spec.ops import OPS, op_named

# A small palette: JAX compiles each primitive once for each shape (numerics §6). Simplest first.
PALETTE = (1, 2, 3, 5)

# Values drawn for the attributes, simplest first; the spec's default leads.
ATTRIBUTE_VALUES: dict[tuple[str, str], tuple[Value, ...]] = {
    ("dense", "bias"): (True, False),
    # With a negative slope both sides of zero map above it: a derivative decided by the output is wrong there alone.
    ("leaky_relu", "negative_slope"): (0.01, -0.5),
    ("gelu", "approximate"): ("none", "tanh"),
    ("elu", "alpha"): (1.0, 0.5),
    # No power of two: z / alpha is rounded.
    ("celu", "alpha"): (1.0, 0.3),
    ("hardtanh", "min_val"): (-1.0, -0.5),
    ("hardtanh", "max_val"): (1.0, 2.0),
    ("softmax", "axis"): (-1, -2),
    ("log_softmax", "axis"): (-1, -2),
    ("prelu", "per_channel"): (False, True),
    ("glu", "axis"): (-1, -2),
    ("swiglu", "axis"): (-1, -2),
    ("logsumexp", "axis"): (-1, -2),
    ("logsumexp", "keepdims"): (False, True),
    ("norm", "axis"): (-1, -2),
    ("norm", "keepdims"): (False, True),
    ("flatten", "start"): (1, 0),
    ("reshape", "shape"): (0, "1x0", "0x1", "2x0", "0x2"),
    ("transpose", "axis1"): (-2, -3),
    ("transpose", "axis2"): (-1, -2),
    ("slice", "axis"): (-1, -2),
    ("slice", "start"): (0, 1),
    ("slice", "stop"): (LARGEST_SIZE, -1),
    ("slice", "step"): (1, 2),
    ("concat", "axis"): (-1, -2),
    ("huber", "delta"): (1.0, 0.5),
    ("softmax_cross_entropy", "targets"): ("classes", "probabilities"),
    ("softmax_cross_entropy", "label_smoothing"): (0.0, 0.25),
    ("softmax_cross_entropy", "ignore_index"): (-100, 0),
    ("nll", "ignore_index"): (-100, -1, 0),
    ("kl_div", "log_target"): (False, True),
    ("poisson_nll", "log_input"): (True, False),
    # Large enough for what is drawn to lie on both sides of it.
    ("poisson_nll", "eps"): (1e-8, 0.5),
    ("gaussian_nll", "eps"): (1e-6, 0.25),
    ("cosine_similarity", "eps"): (1e-8, 0.5),
    ("triplet", "margin"): (1.0, 0.25),
    ("triplet", "eps"): (1e-6, 0.125),
    ("focal", "alpha"): (0.25, -1.0),
    ("focal", "gamma"): (2.0, 1.5, 0.0),
    ("batch_norm", "eps"): (1e-5, 0.5),
    ("batch_norm", "affine"): (True, False),
    ("layer_norm", "axes"): (1, 2),
    ("layer_norm", "eps"): (1e-5, 0.5),
    ("layer_norm", "affine"): (True, False),
    ("rms_norm", "eps"): (1e-6, 0.5),
    ("rms_norm", "affine"): (True, False),
    ("group_norm", "eps"): (1e-5, 0.5),
    ("group_norm", "affine"): (True, False),
    # No power of two: 1 - p is rounded.
    ("dropout", "p"): (0.5, 0.3, 0.0),
    ("conv1d", "stride"): (1, 2),
    ("conv1d", "padding"): (0, 1),
    ("conv1d", "dilation"): (1, 2),
    ("conv1d", "groups"): (1, 2),
    ("conv1d", "bias"): (True, False),
    # One value for each axis where it may be: what mixes them up would pass on squares.
    ("conv2d", "kernel"): (1, 2, 3, "1x2", "3x1", 5),
    ("conv2d", "stride"): (1, "2x1", "1x2"),
    ("conv2d", "padding"): (0, "0x1", "1x0"),
    ("conv2d", "dilation"): (1, "1x2", "2x1"),
    ("conv2d", "groups"): (1, 2),
    ("conv2d", "bias"): (True, False),
    ("conv_transpose2d", "kernel"): (1, 2, 3, "1x2", "3x1", 5),
    ("conv_transpose2d", "stride"): (1, 2, "2x1", "1x2"),
    ("conv_transpose2d", "padding"): (0, "1x0", "0x1"),
    ("conv_transpose2d", "output_padding"): (0, "0x1", "1x0"),
    ("conv_transpose2d", "dilation"): (1, "1x2", "2x1"),
    ("conv_transpose2d", "groups"): (1, 2),
    ("conv_transpose2d", "bias"): (True, False),
    # Windows that touch, that overlap and that leave gaps.
    ("max_pool1d", "kernel"): (2, 3),
    ("max_pool1d", "stride"): (0, 1, 3),
    ("max_pool1d", "padding"): (0, 1),
    ("max_pool2d", "kernel"): (2, "1x2", "3x2"),
    ("max_pool2d", "stride"): (0, 1, "2x3", "2x1"),
    ("max_pool2d", "padding"): (0, "0x1", "1x0"),
    ("avg_pool1d", "kernel"): (2, 3),
    ("avg_pool1d", "stride"): (0, 1, 3),
    ("avg_pool1d", "padding"): (0, 1),
    ("avg_pool1d", "count_include_pad"): (True, False),
    ("avg_pool2d", "kernel"): (2, "1x2", "3x2"),
    ("avg_pool2d", "stride"): (0, 1, "2x3", "2x1"),
    ("avg_pool2d", "padding"): (0, "0x1", "1x0"),
    ("avg_pool2d", "count_include_pad"): (True, False),
    ("rnn", "bias"): (True, False),
    ("rnn", "output"): ("sequence", "last"),
    ("rnn", "nonlinearity"): ("tanh", "relu"),
    ("lstm", "bias"): (True, False),
    ("lstm", "output"): ("sequence", "last"),
    ("gru", "bias"): (True, False),
    ("gru", "output"): ("sequence", "last"),
    ("attention", "mask"): ("none", "causal", "padding", "given"),
    ("attention", "scale"): (0.0, 1.5),
    ("multi_head_attention", "heads"): (1, 2),
    ("multi_head_attention", "bias"): (True, False),
    ("multi_head_attention", "mask"): ("none", "causal", "padding", "given"),
    ("multi_head_attention", "cross"): (False, True),
}
# Of every loss.
LOSS_VALUES: dict[str, tuple[Value, ...]] = {
    "scale": (1.0, 0.5, 2.0),
    "weighted": (False, True),
    "l1": (0.0, 0.125),
    "l2": (0.0, 0.25),
}
WEIGHING = ("weighted", "l1", "l2")


@dataclass(frozen=True)
class Space:
    """What may be drawn. `fixed` maps an op to attributes that are not drawn.

    `weighs`: losses with weights of the samples and with penalties too, which not every subject knows of.
    """

    ops: tuple[str, ...]
    fixed: Mapping[str, Mapping[str, Value]] = field(default_factory=dict)
    palette: tuple[int, ...] = PALETTE
    most_layers: int = 5
    weighs: bool = True

    @classmethod
    def of(cls, ops: Iterable[str | tuple[str, Mapping[str, Value]]], *, weighs: bool = True) -> Space:
        """The space of these ops, in the register's order; without a loss among them, the cotangent.

        Raises SpecError for an unknown op or attribute, and for an empty set.
        """
        fixed: dict[str, Mapping[str, Value]] = {}
        names: list[str] = []
        for item in ops:
            name, attributes = _read(item)
            op = op_named(name, "ops")
            known = {a.name: a for a in op.attributes}
            for key in attributes:
                if key not in known:
                    near = difflib.get_close_matches(key, known, n=1)
                    hint = f"did you mean {near[0]}?" if near else "it has " + (", ".join(known) or "none")
                    raise SpecError(f"ops: {name} has no attribute {key!r}; {hint}")
            chosen = {k: known[k].checked(v, f"ops ({name})") for k, v in attributes.items()}
            if fixed.setdefault(op.name, chosen) != chosen:
                raise SpecError(f"ops: {name} is named twice, with {fixed[op.name]} and with {chosen}")
            names.append(op.name)
        if not names:
            raise SpecError("ops is empty: name at least one operation, such as dense")
        if not any(OPS[n].kind == "loss" for n in names):
            names.append("cotangent")
        return cls(tuple(n for n in OPS if n in names), fixed, weighs=weighs)

    def of_kind(self, kind: str) -> tuple[str, ...]:
        return tuple(n for n in self.ops if OPS[n].kind == kind)

    def sizes(self, op: str, attribute: str) -> tuple[Value, ...]:
        """The sizes to draw of an attribute that must be given, simplest first."""
        if attribute in self.fixed.get(op, {}):
            return (self.fixed[op][attribute],)
        return ATTRIBUTE_VALUES.get((op, attribute), self.palette)

    def values(self, op: str, attribute: str) -> tuple[Value, ...]:
        """The values that an attribute may take, simplest first."""
        if attribute in self.fixed.get(op, {}):
            return (self.fixed[op][attribute],)
        if OPS[op].kind == "loss" and attribute in LOSS_VALUES:
            return LOSS_VALUES[attribute][: 1 if attribute in WEIGHING and not self.weighs else None]
        if (op, attribute) == ("poisson_nll", "log_input") and POSITIVE not in self.ops:
            return (True,)
        spec = next(a for a in OPS[op].attributes if a.name == attribute)
        if (op, attribute) in ATTRIBUTE_VALUES:
            return ATTRIBUTE_VALUES[op, attribute]
        return spec.choices


def _read(item: object) -> tuple[object, Mapping[str, Value]]:
    """An op as it is named: its name, or (name, attributes)."""
    if not isinstance(item, tuple):
        return item, {}
    if len(item) != 2 or not isinstance(item[1], Mapping):
        raise SpecError(f'ops: {item!r} is neither a name nor (name, attributes), such as ("dense", {{"bias": True}})')
    return item[0], item[1]


EVERYTHING = Space.of(OPS)
