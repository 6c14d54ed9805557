"""Numbers that differ are printed so that they do."""

import math

import pytest

from crosscheck.spec.digits import ALL, FEWEST, apart


@pytest.mark.parametrize(
    ("values", "digits"),
    [
        ((0.8413447, 1.0833154), FEWEST),
        ((2.0, 2.0), FEWEST),
        ((), FEWEST),
        ((-0.51802345, -0.51802299), 7),
        ((1.0, math.nextafter(1.0, 2.0)), ALL),
        ((math.nan, 1.0), FEWEST),
        ((math.inf, -math.inf), FEWEST),
    ],
)
def test_as_many_digits_as_it_takes(values: tuple[float, ...], digits: int) -> None:
    assert apart(values) == digits
    if digits < ALL:
        assert len({f"{v:.{digits}g}" for v in values}) == len(set(values))
