"""A replay says what was proved of the case, and behind the certified value how closely."""

from __future__ import annotations

import numpy as np
from msgspec.structs import replace
from report import example_run

from crosscheck.report import replay
from crosscheck.spec.result import Certified, Gradients, Reference, Rigour

NOTHING = Gradients(np.zeros(2), np.zeros((2, 1)), {}, {})


def proof(bits: tuple[int, ...], *kinks: tuple[str, int]) -> Certified:
    none = np.zeros(len(bits), np.bool_)
    return Certified(Reference(NOTHING, Rigour.CERTIFIED), np.array(bits), none, none, kinks)


def test_the_proof_is_told_in_a_line() -> None:
    assert replay._proof(proof((212, 1076))) == "2 of 2 points, in at most 1,076 bits"
    assert replay._proof(proof((0, 64))) == "1 of 2 points, in at most 64 bits"
    assert replay._proof(proof((0,))) == "0 of 1 point"


def test_the_kinks_met_are_named_with_their_place() -> None:
    assert replay._proof(proof((64,), ("relu", 1), ("mae", -1))) == (
        "1 of 1 point, in at most 64 bits, the hull of the one-sided derivatives at relu (node 1) and mae (the loss)"
    )


def test_only_the_certified_value_has_a_radius() -> None:
    entry = example_run.GELU.entries[0]
    assert [replay._radius(entry, party) for party in entry.values] == ["", " ± 3e-17", "", "", ""]
    assert replay._radius(replace(entry, radius=None), "ball") == ""
