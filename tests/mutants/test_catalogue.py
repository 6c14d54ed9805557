"""Every bug of the catalogue is planted, or it is said why not; each shows on its smallest network."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pytest

from crosscheck import mutants as register
from crosscheck.checking import Witnesses, check
from crosscheck.mutants import LEFT_OUT, controls, mutants
from crosscheck.mutants.mutant import Control, Mutant
from crosscheck.oracles.ball import Ball
from crosscheck.spec import Case, Gradients, Subject, Verdict, parse, to_text
from crosscheck.spec.fault import Factor, Symptom
from crosscheck.spec.ops import OPS
from crosscheck.strategies.by_index import Source
from crosscheck.strategies.cases import cases as cases_in
from crosscheck.strategies.space import Space
from crosscheck.strategies.values import FAMILIES, make_case
from crosscheck.subjects.builtin import Builtin
from crosscheck.subjects.planted import Planted

LISTED = """
    numpy-ml#94 scikit-learn#8349 swift-apis#42 kvfrans/notes#5 mlpack#3679 nd4j#2424 pytorch#1787 HIPS/autograd#376
    FlagGems#5392 FlagGems#59 candle#95 mlpack#2474 chainer#4505
    pytorch#31938 caffe#2413 jax#2107 jax#2140 jax#1538
    Theano#4568 Paddle#51301 pytorch#184574 pytorch#2421 pytorch#4320 jax#347 tinygrad#9217 jax#22398 jax#23842
    NNlib.jl#205 burn#5604 neon#111 pytorch#51430 Kulbear#34
    pytorch#1631 mxnet#9172 HIPS/autograd#350
    micrograd#2 nn-zero-to-hero#52 micrograd#53 joelgrus#31 apex#1430 caffe#3254
    zero_to_gpt#9 qixianbiao/RNN#2 triton#4541
    scikit-learn#8987 pytorch#63541
"""
CATALOGUE = frozenset(LISTED.split())
OF_CATALOGUE = tuple(m for m in mutants() if m.source != "systematic")
POINTS, SEEDS = 8, 12
# Of a sum of so few terms as the smallest networks have, rounding leaves less than 2^-45 of the largest; the smallest
# of the bugs is 1e-9 of it.
ROUNDING = 2.0**-40
CONTROLLED = 6
PROOF = Witnesses((Ball(),), differences=False)
SILENT = (Symptom.FORWARD, Symptom.STATE)

named = pytest.mark.parametrize("mutant", OF_CATALOGUE, ids=lambda m: m.name)


def cases(mutant: Mutant) -> Iterator[Case]:
    """Its smallest network with numbers of its families, or of all."""
    architecture = parse(mutant.smallest)
    for seed in range(SEEDS):
        for family in mutant.families or FAMILIES:
            yield make_case(architecture, family=family, seed=seed, points=POINTS)


def differ(one: Gradients, other: Gradients, by: float = ROUNDING) -> bool:
    """Whether any tensor is off by more than rounding, or is not finite where the other is."""
    with np.errstate(all="ignore"):
        return any(
            bool((~(abs(a - b) <= by * abs(b).max()) & np.isfinite(b)).any())
            for (_, a), (_, b) in zip(one.tensors(), other.tensors(), strict=True)
        )


def asked(subject: Subject, case: Case) -> Gradients | None:
    """Its answer; None where it writes into the case's arrays, which are read-only."""
    with np.errstate(all="ignore"):
        try:
            return subject.gradients(case)
        except ValueError as error:
            if "read-only" not in str(error):
                raise
            return None


def shows(mutant: Mutant, case: Case) -> bool:
    subject, sound = Planted(mutant), Builtin().gradients(case)
    first, second = asked(subject, case), asked(subject, case)
    if first is None or second is None:
        return True
    wrong_loss = bool((abs(first.loss - sound.loss) > ROUNDING * abs(sound.loss)).any())
    return wrong_loss or differ(first, sound) or differ(second, first)


def test_every_bug_of_the_catalogue_is_planted_or_left_out_with_a_reason() -> None:
    planted = {source for row in (*mutants(), *controls()) for source in row.source.split(", ")}
    left_out = dict(LEFT_OUT)
    assert not CATALOGUE - planted - set(left_out)
    assert not planted & set(left_out)
    assert all(reason for reason in left_out.values())


def test_no_two_have_one_name(monkeypatch: pytest.MonkeyPatch) -> None:
    names = [row.name for row in mutants()]
    assert controls() == controls()
    assert len(names) == len(set(names)) >= len(OF_CATALOGUE) > 60
    monkeypatch.setattr(register, "FAMILIES", ("graph", "graph"))
    with pytest.raises(ValueError, match="'fork: = for \\+=' names two of them"):
        register.mutants.__wrapped__()


@named
def test_its_words_are_whole(mutant: Mutant) -> None:
    assert mutant.name
    assert mutant.family
    assert mutant.what[0] == mutant.what[0].lower()
    assert not mutant.what.endswith(".")
    assert mutant.faults
    for fault in mutant.faults:
        walks = (Factor.SUM, Factor.STATE, Factor.PENALTY)
        assert fault.op in OPS or (fault.op is None and fault.factor in walks)


@named
def test_it_shows_on_its_smallest_network(mutant: Mutant) -> None:
    architecture = parse(mutant.smallest)
    assert to_text(architecture) == mutant.smallest
    assert set(mutant.ops) <= set(architecture.ops)
    assert any(shows(mutant, case) for case in cases(mutant))


@named
def test_it_shows_where_it_is_said_to(mutant: Mutant) -> None:
    """One of the ops whose factors are wrong is in the smallest network."""
    ops = set(parse(mutant.smallest).ops)
    assert all(fault.op is None or fault.op in ops for fault in mutant.faults)


@named
def test_its_forward_is_right_unless_that_is_the_bug(mutant: Mutant) -> None:
    subject = Planted(mutant)
    wrong = False
    for case, _ in zip(cases(mutant), range(6), strict=False):
        found, sound = asked(subject, case), Builtin().gradients(case)
        if found is None:
            assert mutant.symptom is Symptom.STATE
            continue
        same = np.array_equal(found.loss, sound.loss, equal_nan=True)
        same &= np.array_equal(np.asarray(found.outputs), np.asarray(sound.outputs), equal_nan=True)
        wrong |= not same
        assert same or mutant.symptom in SILENT
    assert wrong == (mutant.symptom is Symptom.FORWARD)


@pytest.mark.parametrize("control", controls(), ids=lambda c: c.name)
def test_a_control_computes_other_bits_and_is_not_accused(control: Control) -> None:
    """A few networks each, in float64."""
    subject, other, verdicts = Planted(control), False, []
    space = Space.of(dict.fromkeys((*control.rows, *control.beside, "dense", "sse")))
    source = Source(cases_in(space, points=4, families=control.families or tuple(FAMILIES)), 3)
    for index in range(CONTROLLED):
        case = source.case(index)
        assert case is not None
        verdicts.append(check(case, subject, PROOF).verdict)
        other |= differ(subject.gradients(case), Builtin().gradients(case), by=0.0)
    assert set(verdicts) <= {Verdict.AGREES, Verdict.UNDECIDABLE}
    assert Verdict.AGREES in verdicts
    assert other, "the control computes the very bits of the built-in: it controls nothing"
