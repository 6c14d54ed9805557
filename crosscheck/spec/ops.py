"""The register of all operations, by name."""

from __future__ import annotations

import difflib

from crosscheck.spec.activations import ACTIVATIONS
from crosscheck.spec.errors import SpecError
from crosscheck.spec.layers import LAYERS
from crosscheck.spec.losses import LOSSES
from crosscheck.spec.merges import MERGES
from crosscheck.spec.op import Op

OPS: dict[str, Op] = {op.name: op for op in (*LAYERS, *ACTIVATIONS, *MERGES, *LOSSES)}


def op_named(name: object, place: str) -> Op:
    """The op of that name; raises SpecError naming the nearest one where there is none."""
    if isinstance(name, str) and name in OPS:
        return OPS[name]
    near = difflib.get_close_matches(str(name), OPS, n=1)
    hint = f"; did you mean {near[0]}?" if near else "; the ops are " + ", ".join(OPS)
    raise SpecError(f"{place}: {name!r} is not an operation{hint}")
