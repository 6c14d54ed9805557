"""Cases: a drawn architecture, a drawn family, and one drawn seed for all numbers."""

from __future__ import annotations

from collections.abc import Sequence

from hypothesis import strategies as st

from crosscheck.spec.architecture import Architecture
from crosscheck.spec.case import ORDERS, Case
from crosscheck.spec.notation import Template
from crosscheck.strategies.architectures import architectures
from crosscheck.strategies.space import PALETTE, Space
from crosscheck.strategies.values import FAMILIES, make_case

POINTS = 8


def numbers(
    drawn: st.SearchStrategy[Architecture],
    *,
    dtypes: Sequence[str] = ("float64",),
    points: int = POINTS,
    families: Sequence[str] = tuple(FAMILIES),
    targets: str = "any",
) -> st.SearchStrategy[Case]:
    """Cases of drawn architectures; a shrunk case has a readable family and seed 0."""
    return st.builds(
        lambda architecture, dtype, family, order, seed: make_case(
            architecture, family=family, seed=seed, points=points, dtype=dtype, targets=targets, order=order
        ),
        drawn,
        st.sampled_from(tuple(dtypes)),
        st.sampled_from(tuple(families)),
        st.sampled_from(ORDERS),
        st.integers(0, 2**32 - 1),
    )


def cases(
    space: Space,
    *,
    dtypes: Sequence[str] = ("float64",),
    points: int = POINTS,
    families: Sequence[str] = tuple(FAMILIES),
) -> st.SearchStrategy[Case]:
    """Cases of random architectures of a space."""
    return numbers(architectures(space), dtypes=dtypes, points=points, families=families)


def cases_of(
    template: Template, *, dtypes: Sequence[str] = ("float64",), points: int = POINTS
) -> st.SearchStrategy[Case]:
    """Cases of one architecture; each `*` of the template is a drawn size."""
    sizes = st.tuples(*[st.sampled_from(PALETTE) for _ in range(template.stars)])
    return numbers(sizes.map(template.fill), dtypes=dtypes, points=points)
