"""The frozen dict: every way of changing a dict is refused, and equal ones hash alike."""

from __future__ import annotations

import copy
import pickle
from collections.abc import Callable

import pytest

from crosscheck.spec.frozen import FrozenDict


def _ior(d: FrozenDict[int]) -> None:
    d |= {"b": 2}


def _delete(d: FrozenDict[int]) -> None:
    del d["a"]


CHANGES: dict[str, Callable[[FrozenDict[int]], object]] = {
    "__setitem__": lambda d: d.__setitem__("a", 2),
    "__delitem__": _delete,
    "__ior__": _ior,
    "clear": lambda d: d.clear(),
    "pop": lambda d: d.pop("a"),
    "popitem": lambda d: d.popitem(),
    "setdefault": lambda d: d.setdefault("b", 2),
    "update": lambda d: d.update(a=2),
}


@pytest.mark.parametrize("name", CHANGES)
def test_it_cannot_be_changed(name: str) -> None:
    frozen = FrozenDict(a=1)
    with pytest.raises(TypeError, match=r"^this mapping is frozen: build a new one instead$"):
        CHANGES[name](frozen)
    assert dict(frozen) == {"a": 1}


def test_no_way_of_changing_a_dict_is_forgotten() -> None:
    """A method that dict gains in a later Python shows here."""
    reading = {"copy", "fromkeys", "get", "items", "keys", "values"}
    assert {name for name in vars(dict) if not name.startswith("_")} - reading == {
        name for name in CHANGES if not name.startswith("_")
    }


def test_equality_and_hash_ignore_the_order() -> None:
    one, other = FrozenDict(a=1, b=2), FrozenDict(b=2, a=1)
    assert one == other
    assert hash(one) == hash(other)
    assert list(one) != list(other)
    assert hash(one) != hash(FrozenDict(a=1, b=3))


def test_it_survives_pickling_and_copying() -> None:
    frozen = FrozenDict(b=2, a=1)
    for again in (pickle.loads(pickle.dumps(frozen)), copy.deepcopy(frozen), copy.copy(frozen)):
        assert type(again) is FrozenDict
        assert list(again.items()) == [("b", 2), ("a", 1)]
