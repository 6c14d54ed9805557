"""Triples are counted once for each network, and those that cannot be had are never left."""

from __future__ import annotations

import numpy as np

from crosscheck.strategies.triples import Triples


def test_a_network_counts_once_however_many_of_its_rows_hold_a_triple() -> None:
    possible = np.zeros((4, 4, 4), np.bool_)
    possible[0, 1, 2] = possible[0, 1, 3] = True
    triples = Triples(possible)
    triples.hold([[2, 0, 1], [0, 1, 2]])
    assert (triples.networks, triples.often(np.array([0, 1, 2]))) == (1, 1)
    assert triples.left(1).tolist() == [[0, 1, 3]]
    assert triples.left(2).tolist() == [[0, 1, 2], [0, 1, 3]]
    triples.hold([])
    assert triples.networks == 2, "a network of which nothing is seen is one all the same"
    triples.hold([[0, 1, 2, 3]])
    assert triples.left(1).tolist() == []
    assert triples.left(2).tolist() == [[0, 1, 3]]


def test_what_enough_networks_have_held_is_no_longer_wanted_in_any_order() -> None:
    possible = np.zeros((4, 4, 4), np.bool_)
    possible[0, 1, 2] = possible[0, 1, 3] = True
    triples = Triples(possible)
    assert not triples.wanted.any()
    triples.want(2)
    assert {tuple(sorted(ids)) for ids in np.argwhere(triples.wanted).tolist()} == {(0, 1, 2), (0, 1, 3)}
    assert int(triples.wanted.sum()) == 2 * 6
    triples.hold([[0, 1, 2], [0, 1, 2]])
    assert triples.wanted[2, 0, 1], "once is not twice"
    triples.hold([[0, 1, 2, 3]])
    assert not triples.wanted[2, 0, 1]
    assert triples.wanted[3, 1, 0]
    assert np.argwhere(triples.wanted).shape == (6, 3)
