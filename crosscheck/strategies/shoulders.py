"""Where activations turn flat: networks in which every activation is asked there, three of them in each.

Deep in a network, numbers are what the layers before them make of them; only an input is sure to lie where it was put.
So each of these activations reads the input itself, beside what comes out of the one before.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from crosscheck.spec.dtypes import DTYPES
from crosscheck.spec.op import Shape
from crosscheck.strategies.architectures import Menu
from crosscheck.strategies.building import PLAIN, Joint
from crosscheck.strategies.planning import Choices, Layer, Planner

FAMILY = "shoulders"
# One column, so that three concatenations stay within the palette; five rows, so that numbers of either sign lie there.
SHAPE: Shape = (5, 1)
# What stands around the three: the input comes behind the first, again before the second, and what is of both before
# the third.
JOINTS = (Joint("concat", 0), Joint("concat", 1), Joint("concat", 1))


def networks(planner: Planner, random: np.random.Generator) -> Iterator[Choices]:
    """All activations, in an order of chance, with the finest dtype, in which a small error is seen best.

    None where the family is not drawn, or where there is nothing but layers.
    """
    menu = planner.menu
    if FAMILY not in planner.families or None not in menu.ops:
        return
    named = [str(name) for name in random.permutation(menu.space.of_kind("activation"))]
    at_once = len(JOINTS) if _side_by_side(menu) else 1
    for start in range(0, len(named), at_once):
        layers = tuple(
            _layer(menu, name, joint if at_once > 1 else PLAIN, random)
            for name, joint in zip(named[start : start + at_once], JOINTS, strict=False)
        )
        yield Choices(
            shape=menu.shapes.index(SHAPE) if SHAPE in menu.shapes else 0,
            further=0,
            layers=layers,
            loss=menu.losses.index("sse") if "sse" in menu.losses else 0,
            attributes=(0,) * len(menu.loss_attributes),
            dtype=min(range(len(planner.dtypes)), key=lambda i: DTYPES.index(planner.dtypes[i])),
            family=planner.families.index(FAMILY),
            order=0,
            seed=0,
        )


def _side_by_side(menu: Menu) -> bool:
    return all(joint in menu.joints for joint in JOINTS) and menu.space.most_layers >= len(JOINTS)


def _layer(menu: Menu, name: str, joint: Joint, random: np.random.Generator) -> Layer:
    places = [i for i, chosen in enumerate(menu.activations) if chosen is not None and chosen[0] == name]
    activation = places[int(random.integers(len(places)))]
    return menu.ops.index(None), 0, activation, menu.joints.index(joint)
