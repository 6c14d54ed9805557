"""Planting errors: one wrong gradient entry at each point of a case, of another size at each."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from crosscheck.spec.case import Case
from crosscheck.spec.ops import OPS
from crosscheck.spec.result import Array, Gradients
from crosscheck.subjects.builtin import Builtin

SIZES = tuple(float(f"1e-{k}") for k in range(16))
# One point for each size, and one whose gradient stays as it is.
POINTS = len(SIZES) + 1
SOUND = POINTS - 1


@dataclass(frozen=True)
class Plant:
    """One wrong entry; `place` begins with the point, which is that of the size in SIZES.

    `error` is how wrong it is, as it stands in the case's dtype.
    """

    tensor: str
    place: tuple[int, ...]
    wrong: float
    error: float

    @property
    def size(self) -> float:
        return SIZES[self.place[0]]

    def __str__(self) -> str:
        return f"{self.size:.0e} in {self.tensor}{list(self.place[1:])} of point {self.place[0]}"


@dataclass(frozen=True)
class Planted:
    """The built-in, wrong in these entries and in no other."""

    plants: tuple[Plant, ...]
    name: str = "planted"
    supports: frozenset[str] = frozenset(OPS)
    error_model: None = None

    def gradients(self, case: Case) -> Gradients:
        sound = Builtin().gradients(case)
        by_param, by_input = _copies(sound.by_param), _copies(sound.by_input)
        for plant in self.plants:
            (by_param if plant.tensor in by_param else by_input)[plant.tensor][plant.place] = plant.wrong
        return dataclasses.replace(sound, by_param=by_param, by_input=by_input)


def _copies(arrays: Mapping[str, Array]) -> dict[str, Array]:
    return {name: np.array(array) for name, array in arrays.items()}


def plants(case: Case, generator: np.random.Generator) -> tuple[Plant, ...]:
    """One wrong entry at each point but the last, where a point has an entry that can be made wrong."""
    with np.errstate(all="ignore"):
        sound = Builtin().gradients(case)
    drawn = (_plant(sound, point, generator) for point in range(SOUND))
    return tuple(plant for plant in drawn if plant is not None)


def _plant(sound: Gradients, point: int, generator: np.random.Generator) -> Plant | None:
    """All entries of all tensors of the point are equally likely."""
    able: list[tuple[str, tuple[int, ...], float]] = []
    for name, values in sound.tensors():
        largest = np.abs(values[point]).max(initial=0.0)
        # Twice as large it must still be a number of the dtype.
        if 0 < largest <= np.finfo(values.dtype).max / 4:
            able += [(name, (point, *index), float(largest)) for index in np.ndindex(values.shape[1:])]
    if not able:
        return None
    name, place, largest = able[generator.integers(len(able))]
    entry = sound[name][place]
    wrong = entry.dtype.type(float(entry) + SIZES[point] * (float(entry) or largest))
    return Plant(name, place, float(wrong), abs(float(wrong) - float(entry)))
