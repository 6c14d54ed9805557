"""An atlas to render: two activations and a loss in two dtypes, by hand, by torch, and by a jax that is missing."""

from __future__ import annotations

from crosscheck.spec.atlas import SCHEMA, Atlas, AtlasFile, Column, Errors, Lost, Worst
from crosscheck.spec.record import Measured, Number

EDGES = (-100.0, -1.0, -0.01, 0.01, 1.0, 100.0)
WHY = "the oracle jax needs the package jax; install it with: pip install 'crosscheck[jax]'"


def errors(
    worst: Number, at: float, *, normal: Number | None = None, target: float | None = None, median: float = 0.25
) -> Errors:
    return Errors(
        points=6400,
        worst=Worst(error=worst, at=at, target=target),
        normal=Worst(error=worst if normal is None else normal, at=at, target=target),
        median=median,
    )


def columns(op: str, dtype: str, *, sums: bool = False, target: float | None = None) -> tuple[Column, ...]:
    own = Column(
        op=op,
        implementation="hand-written",
        dtype=dtype,
        value=errors(1.5, 2.0, target=target),
        slope=errors(81.4 if sums else 3.25, -1.25, target=target, median=0.75),
        by_term=errors(3.5, 4.5) if sums else None,
        absolute=None if target is not None else Worst(error=2.5, at=1.0),
        curve=(1.0, 2.0, 0.5, 3.25, None),
    )
    torch = Column(
        op=op,
        implementation="torch",
        dtype=dtype,
        value=errors(1e15, -709.8, normal=1.75, target=target),
        slope=errors("inf", 1e200, target=target),
        by_term=errors("inf", 1e200) if sums else None,
        absolute=None if target is not None else Worst(error="inf", at=1e200),
        lost_slopes=(Lost(low=36.7, high=745.0, largest=1.1e-16), Lost(low=-3.0, high=-3.0, largest=5e-324)),
        curve=(1.0, 20.0, 0.0, 1e17, "inf"),
    )
    return own, torch, Column(op=op, implementation="jax", dtype=dtype, missing=WHY)


ATLAS = Atlas(
    schema=SCHEMA,
    version="0.1.0",
    truth="ball",
    seed=1,
    asked=6000,
    edges=EDGES,
    columns=(
        *columns("sigmoid", "float64"),
        *columns("sigmoid", "float32"),
        *columns("gelu(approximate=tanh)", "float64", sums=True),
        *columns("gelu(approximate=tanh)", "float32", sums=True),
        *columns("huber", "float64", target=0.5),
        *columns("huber", "float32", target=0.5),
    ),
)
MEASURED = Measured(
    started="2025-01-31T12:00:00Z",
    seconds=31.0,
    seconds_by_part={"survey": 31.0},
    versions={"crosscheck": "0.1.0", "numpy": "2.1.0", "torch": "2.6.0", "python-flint": "0.9.0"},
    environment={"os": "Linux 6.1", "machine": "x86_64", "cores": "2"},
)
FILE = AtlasFile(atlas=ATLAS, measured=MEASURED)
