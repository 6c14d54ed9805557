"""The space that is drawn from: which ops, which sizes, which attributes are fixed."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from crosscheck.spec.errors import SpecError
from crosscheck.spec.op import Value
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
    ("hardtanh", "min_val"): (-1.0, -0.5),
    ("hardtanh", "max_val"): (1.0, 2.0),
    ("softmax", "axis"): (-1,),
    ("log_softmax", "axis"): (-1,),
    ("concat", "axis"): (-1,),
    ("huber", "delta"): (1.0, 0.5),
    ("softmax_cross_entropy", "targets"): ("classes", "probabilities"),
}
SCALES: tuple[Value, ...] = (1.0, 0.5, 2.0)


@dataclass(frozen=True)
class Space:
    """What may be drawn. `fixed` maps an op to attributes that are not drawn."""

    ops: tuple[str, ...]
    fixed: Mapping[str, Mapping[str, Value]] = field(default_factory=dict)
    palette: tuple[int, ...] = PALETTE
    most_layers: int = 5

    @classmethod
    def of(cls, ops: Iterable[str | tuple[str, Mapping[str, Value]]]) -> Space:
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
        return cls(tuple(n for n in OPS if n in names), fixed)

    def of_kind(self, kind: str) -> tuple[str, ...]:
        return tuple(n for n in self.ops if OPS[n].kind == kind)

    def values(self, op: str, attribute: str) -> tuple[Value, ...]:
        """The values that an attribute may take, simplest first."""
        if attribute in self.fixed.get(op, {}):
            return (self.fixed[op][attribute],)
        if attribute == "scale":
            return SCALES
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
