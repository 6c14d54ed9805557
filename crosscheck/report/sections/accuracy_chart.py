"""The charts of the atlas: error of a derivative over z, both logarithmic, z with its sign."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from crosscheck.spec.record import Number

# Drawing units: the plot's box, the gap for |z| below the innermost edge, and the room for the names of its ticks.
LEFT, TOP, SIDE, GAP, HEIGHT, RIGHT, BOTTOM = 40, 8, 168, 16, 120, 8, 34
# Decades of an error that are drawn; what is smaller stands at the bottom, what is larger at the top.
LEAST, MOST = -1.0, 18.0
UP = (0, 4, 8, 12, 16)
# What the hand-written rules promise (numerics: 6 ulps of the larger term).
PROMISE = 6.0


@dataclass(frozen=True)
class Tick:
    at: float
    label: str


@dataclass(frozen=True)
class Frame:
    """The axes that all charts share."""

    across: tuple[Tick, ...]
    up: tuple[Tick, ...]
    promise: float
    left: int = LEFT
    top: int = TOP
    right: int = LEFT + 2 * SIDE + GAP
    bottom: int = TOP + HEIGHT
    width: int = LEFT + 2 * SIDE + GAP + RIGHT
    height: int = TOP + HEIGHT + BOTTOM
    middle: int = LEFT + SIDE + GAP // 2


def frame(edges: Sequence[float]) -> Frame:
    """Every other decade is named, but for the innermost, which stand so near to 0 that this is named alone."""
    inner, outer = _ends(edges)
    decades = [d for d in range(math.floor(inner) + 1, math.floor(outer) + 1) if d % 2 == 0]
    signs = (("-", -1.0), ("", 1.0))
    across = [Tick(_x(sign * 10.0**d, edges), f"{name}{_decade(d)}") for name, sign in signs for d in decades]
    return Frame(
        across=tuple(sorted([*across, Tick(_x(0.0, edges), "0")], key=lambda tick: tick.at)),
        up=tuple(Tick(_y(10.0**d), _decade(d)) for d in UP),
        promise=_y(PROMISE),
    )


def _decade(power: int) -> str:
    return {0: "1", 2: "100", -2: "0.01"}.get(power, f"1e{power}")


def _ends(edges: Sequence[float]) -> tuple[float, float]:
    """The innermost and the outermost decade."""
    above = [edge for edge in edges if edge > 0]
    return math.log10(above[0]), math.log10(above[-1])


def _x(z: float, edges: Sequence[float]) -> float:
    """From the left: negative z, largest first; the gap, in which all z below the innermost edge stand; positive z."""
    inner, outer = _ends(edges)
    middle = LEFT + SIDE + GAP / 2
    if abs(z) < 10.0**inner:
        return middle
    share = (math.log10(abs(z)) - inner) / (outer - inner)
    return round(middle + math.copysign(GAP / 2 + SIDE * share, z), 1)


def _y(error: float) -> float:
    decade = math.log10(error) if error > 0 else LEAST
    share = (min(max(decade, LEAST), MOST) - LEAST) / (MOST - LEAST)
    return round(TOP + HEIGHT * (1.0 - share), 1)


def path(edges: Sequence[float], curve: Sequence[Number | None]) -> str:
    """Through the middle of each stretch in which something was asked."""
    parts = []
    for low, high, error in zip(edges, edges[1:], curve, strict=False):
        if error is not None:
            size = float(error)  # inf is at the top, and so is nan
            y = _y(size) if math.isfinite(size) else float(TOP)
            parts.append(f"{(_x(low, edges) + _x(high, edges)) / 2:.0f} {y:.0f}")
    return f"M{'L'.join(parts)}" if parts else ""
