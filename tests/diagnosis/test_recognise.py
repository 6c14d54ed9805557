"""What a wrong gradient looks like: patterns, known bugs, and nothing where nothing fits."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterator, Sequence

import numpy as np
import pytest
from builders import Wrong, case_of, changed, with_arrays
from diagnosis.spoiled import TEXTS, all_of, answers

from crosscheck import mutants
from crosscheck.backprop.network import of_one
from crosscheck.diagnosis import dictionary, recognise
from crosscheck.diagnosis.seen import Seen, asked
from crosscheck.mutants.mutant import Mutant
from crosscheck.oracles.ball import Ball
from crosscheck.spec import Case, Gradients
from crosscheck.spec.fault import Factor, Fault, Symptom
from crosscheck.subjects.builtin import Builtin
from crosscheck.subjects.planted import Planted

NOBODY: tuple[Mutant, ...] = ()


def first(seen: Sequence[Seen], known: Sequence[Mutant] = NOBODY, where: Fault | None = None) -> recognise.Named:
    return recognise.recognise(seen, () if where is None else ((None, where),), known).likely[0]


def penalised(case: Case, found: Gradients) -> Gradients:
    for name, w in case.params.items():
        found = changed(found, name, lambda g, w=w: g + 0.5 * w)
    return found


def by_layer(_case: Case, found: Gradients) -> Gradients:
    return changed(changed(found, "0.weight", lambda g: 2.0 * g), "0.bias", lambda g: 3.0 * g)


PATTERNS: dict[str, tuple[Callable[[Case, Gradients], Gradients], Symptom, str]] = {
    "sign": (all_of(lambda g: -g), Symptom.NEGATED, "the gradient has the wrong sign"),
    "zero": (all_of(lambda g: 0.0 * g), Symptom.MISSING, "the gradient is zero: it was left out"),
    "factor": (all_of(lambda g: 1.5 * g), Symptom.FACTOR, "constant ratio: the gradient is 1.5 × the true one"),
    "batch": (
        lambda c, g: all_of(lambda d: d / c.architecture.inputs[0].shape[0])(c, g),
        Symptom.FACTOR,
        "the gradient is the true one times 1 / the batch size (0.5 in the smallest), in all 2 cases",
    ),
    "by layer": (by_layer, Symptom.FACTOR, "a factor of its own for each gradient: 0.weight × 2, 0.bias × 3"),
    "penalty": (
        penalised,
        Symptom.PENALTY,
        "the gradient is off by 0.5 × the weights: a penalty's term too much or too little",
    ),
    "shifted": (
        lambda _c, g: changed(g, "0.weight", lambda d: np.roll(d, 1, -1)),
        Symptom.AXIS,
        "the entries are shifted by one along axis -1",
    ),
    "added": (
        lambda _c, g: changed(g, "0.weight", lambda d: d + 1e-10),
        Symptom.PENALTY,
        "off by 1e-10 wherever it is wrong, whatever the true value is: a constant was added",
    ),
    "digits": (
        lambda _c, g: changed(g, "0.weight", lambda d: d * (1 + 1e-7)),
        Symptom.SLIGHT,
        "off by 1.0e-07 of the true value: a constant or a formula of too few digits",
    ),
    "NaN": (
        lambda _c, g: changed(g, "0.weight", lambda d: np.nan * d),
        Symptom.NAN,
        "not a number where the truth is finite",
    ),
}


@pytest.mark.parametrize("name", PATTERNS)
def test_a_pattern_is_named_from_the_numbers_alone(name: str) -> None:
    spoil, symptom, text = PATTERNS[name]
    named = first(answers(spoil))
    assert (named.symptom, named.text) == (symptom, text)


def test_a_transpose_is_seen_where_it_is_square_and_no_other() -> None:
    square = ("x[2,3] -> dense(3) -> sse",)

    def spoil(_case: Case, found: Gradients) -> Gradients:
        return changed(found, "0.weight", lambda g: np.ascontiguousarray(g.swapaxes(-1, -2)))

    assert first(answers(spoil, square)).symptom is Symptom.TRANSPOSED


def test_what_was_tried_and_does_not_fit_is_ruled_out() -> None:
    known = recognise.recognise(answers(all_of(lambda g: -g)), (), NOBODY)
    assert set(known.ruled_out) == {Symptom.MISSING}, "a sign is a factor"
    assert Symptom.NEGATED not in known.ruled_out
    assert not set(known.ruled_out) & {named.symptom for named in known.likely}


MASKED = {
    "dropout": "x[2,3]; mask[2,3]:bool; x -> dropout(mask) -> sse",
    "attention": "x[2,2,3]; mask[2,2]:bool; x -> attention(x, x, mask, mask=padding) -> sse",
}


@pytest.mark.parametrize(("op", "ruled_out"), [("dropout", True), ("attention", False)])
def test_an_ignored_mask_is_ruled_out_of_dropout_alone(op: str, ruled_out: bool) -> None:
    """Dropout has one mask, and one way to ignore it; attention has more ways than are known here."""
    place = Fault(op, Factor.INPUT, "0")
    known = [m for m in mutants.mutants() if place in m.faults]
    assert any(m.symptom is Symptom.MASK for m in known)
    seen = answers(lambda _c, g: changed(g, "x", lambda d: d + np.sin(1.0 + d)), (MASKED[op], MASKED[op]))
    found = recognise.recognise(seen, ((None, place),), known)
    assert (Symptom.MASK in found.ruled_out) == ruled_out


def test_a_factor_that_is_no_simple_fraction_is_one_factor_in_every_answer() -> None:
    """Measured, it differs by the last bit from answer to answer."""
    known = recognise.recognise(answers(all_of(lambda g: g * 0.1 * 0.1)), (), NOBODY)
    assert known.likely[0].text == "constant ratio: the gradient is 0.01 × the true one"
    assert Symptom.FACTOR not in known.ruled_out


def test_a_factor_that_no_quantity_explains_is_told_and_not_ruled_out() -> None:
    def spoil(case: Case, found: Gradients) -> Gradients:
        return all_of(lambda g: g * (0.3 if case.architecture.inputs[0].shape[0] == 2 else 0.7))(case, found)

    known = recognise.recognise(answers(spoil), (), NOBODY)
    assert known.likely[0].text == "in every case one factor for all that is wrong, but not the same one: 0.3, 0.7"
    assert Symptom.FACTOR not in known.ruled_out


IN_PART: dict[str, tuple[Callable[[np.ndarray], np.ndarray], str]] = {
    "zero": (lambda g: 0.0 * g, "every entry that is wrong is zero: left out there"),
    "sign": (lambda g: -g, "every entry that is wrong has the wrong sign, and no other fault"),
    "factor": (lambda g: 1.25 * g, "every entry that is wrong is 1.25 × the true one"),
}


@pytest.mark.parametrize("name", IN_PART)
def test_of_a_gradient_that_is_wrong_in_part_the_wrong_part_is_described(name: str) -> None:
    change, text = IN_PART[name]

    def first_row(g: np.ndarray) -> np.ndarray:
        out = g.copy()
        out[:, 0] = change(out[:, 0])
        return out

    known = recognise.recognise(answers(lambda _c, g: changed(g, "0.weight", first_row)), (), NOBODY)
    assert [named.text for named in known.likely] == [text]
    assert not set(known.ruled_out) & {named.symptom for named in known.likely}


SLOPE_OF_TANH = Fault("tanh", Factor.SLOPE)
TWICE_TANH = ("x[2,3] -> dense(3) -> tanh -> dense(3) -> tanh -> dense(2) -> sse",)


def test_a_known_bug_in_one_of_several_nodes_of_its_op_is_named_where_the_node_is_known() -> None:
    mutant = next(m for m in mutants.mutants() if m.faults == (SLOPE_OF_TANH,) and m.symptom is Symptom.SLOPE_AT_OUTPUT)
    in_one = dataclasses.replace(mutant, rows={of_one("tanh", 1): mutant.rows["tanh"]})
    with np.errstate(all="ignore"):
        seen = [asked(case_of(text, seed=1), Planted(in_one), Ball()) for text in TWICE_TANH]
        found = recognise.recognise(seen, ((1, SLOPE_OF_TANH),), mutants.mutants())
        unplaced = recognise.recognise(seen, (), mutants.mutants())
    assert mutant.name in found.bugs
    assert mutant.name not in unplaced.bugs
    assert mutant.symptom not in unplaced.ruled_out, "planted in both it does not fit, which says nothing of one"


def test_of_what_has_many_forms_a_few_known_ones_rule_nothing_out() -> None:
    """The last sample's outer product alone for the sum over the samples: the known bug takes another sample."""

    def last(case: Case, found: Gradients) -> Gradients:
        x = case.inputs["x"]
        return changed(found, "0.weight", lambda g: g - 0.5 * found["x"][:, -1, :1, None] * x[:, -1, None, :])

    text = ("x[3,2] -> dense(2) -> sse",)
    known = recognise.recognise(
        answers(last, text), ((None, Fault("dense", Factor.PARAM, "weight")),), mutants.mutants()
    )
    assert known.tried
    assert not {Symptom.NOT_SUMMED, Symptom.STALE, Symptom.AXIS, Symptom.TERM} & set(known.ruled_out)


def test_numbers_that_follow_no_pattern_are_given_no_name() -> None:
    def noise(_case: Case, found: Gradients) -> Gradients:
        return changed(found, "0.weight", lambda g: g * (1.0 + 0.3 * np.arange(g.size).reshape(g.shape) ** 2))

    assert recognise.recognise(answers(noise), (), NOBODY).likely == ()


def test_gradients_that_have_nothing_in_common_with_the_true_ones_are_called_that() -> None:
    def random(_case: Case, found: Gradients) -> Gradients:
        generator = np.random.default_rng(5)
        for name, _ in list(found.tensors()):
            found = changed(found, name, lambda g: generator.standard_normal(g.shape))
        return found

    said = recognise.at_random(answers(random))
    assert said is not None
    assert said.startswith("nothing in common with the true gradient: over ")
    assert recognise.at_random(answers(all_of(lambda g: 1.5 * g))) is None


def known_bugs() -> Iterator[Mutant]:
    """One of each symptom that the dictionary has for a dense layer or tanh, without those of state and forward."""
    met = set()
    for mutant in mutants.mutants():
        plain = not mutant.fixed and not mutant.families and not mutant.beside and mutant.remembers is None
        if set(mutant.ops) in ({"dense"}, {"tanh"}) and plain and mutant.symptom not in met:
            met.add(mutant.symptom)
            yield mutant


@pytest.mark.parametrize("mutant", list(known_bugs()), ids=lambda m: m.name)
def test_the_dictionary_finds_the_bug_that_was_planted(mutant: Mutant) -> None:
    texts = (*TEXTS, "x[1,1] -> dense(1) -> tanh -> sse", "x[5,2] -> dense(2) -> tanh -> dense(5) -> sse")
    with np.errstate(all="ignore"):
        seen = [asked(case_of(t, seed=k, points=6), Planted(mutant), Ball()) for k, t in enumerate(texts)]
        assert any(s.failed for s in seen)
        looked = dictionary.look_up(mutants.mutants(), seen, ())
    assert mutant.name in [m.name for m in looked.fitting]
    assert len(looked.tried) > 20
    for other in looked.fitting:
        with np.errstate(all="ignore"):
            assert dictionary.explains(other, seen), "what fits gives these very gradients"


FORMS: dict[str, tuple[str, Fault, str]] = {
    "derivative missing": (
        "gelu: derivative missing",
        Fault("gelu", Factor.SLOPE),
        "the derivative of gelu is left out: the gradient by the output is passed on",
    ),
    "derivative at the output": (
        "softplus: derivative at the output",
        Fault("softplus", Factor.SLOPE),
        "the derivative of softplus is taken at the output a where it needs the input z",
    ),
    "upstream ignored": (
        "silu: upstream ignored",
        Fault("silu", Factor.SLOPE),
        "the derivative of silu takes 1 for the gradient that comes from above",
    ),
    "sum missing": (
        "conv1d weight: first sample alone",
        Fault("conv1d", Factor.PARAM, "weight"),
        "conv1d's gradient by its weight counts the first sample alone, not the sum over all",
    ),
}


@pytest.mark.parametrize("form", FORMS)
def test_what_no_mutant_of_the_self_test_plants_is_recognised_by_its_form(form: str) -> None:
    name, fault, text = FORMS[form]
    assert name not in {m.name for m in mutants.mutants()}, "drawn: another one is to stand here"
    known = mutants.known([str(fault.op)])
    planted = next(m for m in known if m.name == name)
    shape, op = ("x[2,3,4]", "conv1d(2, 2)") if fault.op == "conv1d" else ("x[2,3]", fault.op)
    with np.errstate(all="ignore"):
        seen = [asked(case_of(f"{shape} -> {op} -> sse", seed=k), Planted(planted), Ball()) for k in range(2)]
    found = recognise.recognise(seen, ((None, fault),), known)
    assert (found.likely[0].text, found.likely[0].symptom) == (text, planted.symptom)
    assert recognise.recognise(seen, ((None, fault),), mutants.mutants()).bugs == ()


@pytest.mark.parametrize(
    ("name", "texts", "symptom"),
    [
        ("rms_norm input: doubled at width 1", ("x[2,1] -> rms_norm -> sse", "x[2,3] -> rms_norm -> sse"), "BOUNDARY"),
        ("rms_norm input: doubled at width 1", ("x[2,1] -> rms_norm -> sse", "x[3,1] -> rms_norm -> sse"), "FACTOR"),
        ("glu input: halved", ("x[2,4] -> glu -> sse", "x[3,2] -> glu -> sse"), "FACTOR"),
    ],
)
def test_a_factor_that_right_answers_contradict_stands_behind_a_bug_that_explains_them(
    name: str, texts: tuple[str, ...], symptom: str
) -> None:
    known = mutants.mutants()
    planted = next(m for m in known if m.name == name)
    with np.errstate(all="ignore"):
        seen = [asked(case_of(text, seed=k), Planted(planted), Ball()) for k, text in enumerate(texts)]
        found = recognise.recognise(seen, [(None, fault) for fault in planted.faults], known)
    assert found.likely[0].symptom is Symptom[symptom]
    assert name in found.bugs
    assert Symptom.FACTOR in {named.symptom for named in found.likely}


def test_no_bug_explains_a_sound_subject() -> None:
    with np.errstate(all="ignore"):
        seen = [asked(case_of(TEXTS[0]), Builtin(), Ball())]
        assert dictionary.look_up(mutants.mutants(), seen, ()).fitting == ()
    assert recognise.recognise(seen, (), mutants.mutants()) == recognise.Recognised()


def test_at_a_tie_no_known_bug_fits_because_rounding_decides_there() -> None:
    """Where rounding may move all of a gradient from one number to another, a wrong one is to be met all the same."""
    text = "x[1,1,1,2] -> max_pool2d(kernel=1x2) -> sse"
    case = with_arrays(case_of(text, points=1, seed=1), inputs={"x": np.full((1, 1, 1, 1, 2), 3.0)})

    def all_that_tie(case: Case, found: Gradients) -> Gradients:
        """Each of the two gets the whole of it."""
        whole = found["x"].sum(axis=-1, keepdims=True)
        return changed(found, "x", lambda g: whole + 0.0 * g)

    with np.errstate(all="ignore"):
        tied = asked(case, Wrong(all_that_tie), Ball())
    assert tied.failed
    known = {m.name: m for m in mutants.known(case.architecture.ops) if "max_pool2d" in m.name}
    fitting = {m.name for m in dictionary.look_up(known.values(), [tied], ()).fitting}
    assert "max_pool2d input: doubled at a tie" in known
    assert not fitting & {"max_pool2d input: last window alone", "max_pool2d input: halved where windows overlap"}


def test_what_the_shown_case_looks_like_is_not_ruled_out_where_nothing_is_named() -> None:
    """One number has its sign changed there; elsewhere it is something else."""

    def spoil(case: Case, found: Gradients) -> Gradients:
        alone = case.architecture.inputs[0].shape == (1, 1)
        return changed(found, "x", (lambda g: -g) if alone else (lambda g: g + np.sin(1.0 + g)))

    shown, other = "x[1,1] -> tanh -> sse", "x[2,3] -> tanh -> sse"
    assert Symptom.NEGATED not in recognise.recognise(answers(spoil, (shown, other)), (), NOBODY).ruled_out
    assert Symptom.NEGATED in recognise.recognise(answers(spoil, (other, shown)), (), NOBODY).ruled_out


def test_where_numbers_tie_no_known_bug_rules_anything_out() -> None:
    """Which of them is taken for the largest is the subject's to choose, and a bug makes of each another number."""
    place = Fault("relu", Factor.SLOPE)
    known = [m for m in mutants.known(("relu",)) if place in m.faults]
    text = "x[1,1,4] -> relu -> max_pool1d -> sse"
    for values, ruled_out in (([-1.0, -2.0, 3.0, 1.0], False), ([1.0, 2.0, 3.0, 1.5], True)):
        case = with_arrays(case_of(text, points=1), inputs={"x": np.array([[[values]]])})
        seen = [asked(case, Wrong(lambda _c, g: changed(g, "x", lambda d: d + np.sin(1.0 + d))), Ball())]
        found = recognise.recognise(seen, ((0, place),), known)
        assert (Symptom.NO_SLOPE in found.ruled_out) == ruled_out


def test_a_known_bug_is_found_where_it_makes_something_of_next_to_nothing() -> None:
    """s'(a) is 1/4 where s'(z) is 1e-15, and rounds as 1/4 does."""
    bug = next(m for m in mutants.mutants() if m.name == "sigmoid: squashed twice")
    case = with_arrays(case_of("x[1,3] -> sigmoid -> sse", points=1), inputs={"x": np.array([[[-34.8, 0.5, -2.0]]])})
    off = changed(Planted(bug).gradients(case), "x", lambda g: g * (1.0 + 2.0**-52))
    seen = [asked(case, Wrong(lambda _c, _g: off), Ball())]
    assert dictionary.look_up([bug], seen, ()).fitting == (bug,)
