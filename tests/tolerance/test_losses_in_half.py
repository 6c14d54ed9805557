"""The frameworks' losses where a short format decides: what is 0 in it, and what overflows on the way."""

from __future__ import annotations

import numpy as np
import pytest

from crosscheck.checking import Witnesses, check
from crosscheck.judge.compare import Status
from crosscheck.judge.verdict import Judgement
from crosscheck.oracles.ball import Ball
from crosscheck.spec import Case, Verdict, parse
from crosscheck.subjects import frameworks
from crosscheck.tolerance.formats import FORMATS
from crosscheck.tolerance.loss_deviations import LOSS_DEVIATIONS

PROOF = Witnesses((Ball(),), differences=False)
RIGHT = (Verdict.AGREES, Verdict.UNDECIDABLE)
SUBJECTS = {"torch": frameworks.torch(), "jax": frameworks.jax()}
SHORT = pytest.mark.parametrize("dtype", ["float32", "float16", "bfloat16"])


def judged(name: str, text: str, y: object, dtype: str, **inputs: object) -> Judgement:
    arrays = {key: np.asarray(value, np.float64)[np.newaxis] for key, value in inputs.items()}
    whole = Case(parse(text), {}, arrays, np.asarray(y, np.float64)[np.newaxis])
    return check(whole.astype(dtype), SUBJECTS[name], PROOF)


def named(found: Judgement) -> list[tuple[str, str]]:
    return [(known.witness, known.op) for known in found.deviations]


def is_right(found: Judgement) -> bool:
    return found.verdict in RIGHT


def logit(rest: float) -> float:
    """The z at which 1 - sigmoid(z) is this."""
    return float(np.log1p(-rest) - np.log(rest))


# --- deviations ---------------------------------------------------------------------------------------------------


def test_every_deviation_of_a_short_format_alone_is_tried_here() -> None:
    found = {(k.witness, k.op, *k.dtypes) for k in LOSS_DEVIATIONS if not k.beyond_rounding}
    assert found == {
        ("torch", "bce", "float16"),
        ("torch", "cosine_similarity", "float16"),
        ("jax", "cosine_similarity", "float16"),
    }


@SHORT
def test_jax_has_no_slope_of_bce_where_a_sigmoid_is_computed_as_1(dtype: str) -> None:
    """1/(1 + e) is 1 from e = u on, and (1 - y)/(1 - a) is 0/0."""
    u = FORMATS[dtype].roundoff
    found = judged("jax", "x[1] -> sigmoid -> bce", [1.0], dtype, x=[logit(0.5 * u)])
    assert found.verdict is Verdict.BROKE_CONTRACT
    assert named(found) == [("jax", "bce")]
    sound = judged("jax", "x[1] -> sigmoid -> bce", [1.0], dtype, x=[logit(8.0 * u)])
    assert is_right(sound)
    assert named(sound) == []


@SHORT
def test_jax_has_none_either_where_it_is_computed_as_0(dtype: str) -> None:
    z = -np.log(FORMATS[dtype].largest)
    found = judged("jax", "x[1] -> sigmoid -> bce", [0.0], dtype, x=[z - 1.5])
    assert found.verdict is Verdict.BROKE_CONTRACT
    assert named(found) == [("jax", "bce")]
    assert is_right(judged("jax", "x[1] -> sigmoid -> bce", [0.0], dtype, x=[z + 3.0]))


def test_torch_has_no_slope_of_bce_in_float16_where_its_1e_12_is_0() -> None:
    for z, y in ((9.5, 1.0), (-18.0, 0.0)):
        found = judged("torch", "x[1] -> sigmoid -> bce", [y], "float16", x=[z])
        assert found.verdict is Verdict.BROKE_CONTRACT
        assert named(found) == [("torch", "bce")]
        assert is_right(judged("torch", "x[1] -> sigmoid -> bce", [y], "bfloat16", x=[z]))
        assert is_right(judged("torch", "x[1] -> sigmoid -> bce", [y], "float16", x=[0.5 * z]))


@SHORT
@pytest.mark.parametrize("gamma", [0.0, 0.5])
@pytest.mark.parametrize("y", [0.0, 1.0])
def test_jax_has_no_slope_of_focal_where_nothing_is_missed(dtype: str, gamma: float, y: float) -> None:
    """The slope of q^gamma is gamma q^(gamma - 1), infinite at 0, and is multiplied by 0; from q = u on it is."""
    u, sign = FORMATS[dtype].roundoff, 1.0 if y else -1.0
    text = f"x[1] -> focal(gamma={gamma})"
    found = judged("jax", text, [y], dtype, x=[sign * logit(0.5 * u)])
    assert found.claimed is not None
    assert np.isnan(found.claimed["x"]).all()
    assert named(found) == [("jax", "focal")]
    # With q^0.5 a textbook's slope is as lost there.
    assert found.verdict is Verdict.BROKE_CONTRACT or gamma > 0.0
    sound = judged("jax", text, [y], dtype, x=[sign * logit(8.0 * u)])
    assert is_right(sound)
    assert named(sound) == []
    assert is_right(judged("jax", "x[1] -> focal(gamma=1.5)", [y], dtype, x=[sign * logit(0.5 * u)]))


@pytest.mark.parametrize(("name", "length"), [("torch", 0.0), ("jax", 0.0), ("jax", 1.5e-4)])
@pytest.mark.parametrize("which", ["a", "y"])
def test_an_eps_that_is_0_in_float16_is_divided_by(name: str, length: float, which: str) -> None:
    """In cosine similarity, where a vector, or every square in it, is 0 too."""
    short, other = [length, 0.0], [3.0, 1.0]
    a, y = (short, other) if which == "a" else (other, short)
    found = judged(name, "x[1,2] -> cosine_similarity", [y], "float16", x=[a])
    assert found.claimed is not None
    assert not np.isfinite(found.claimed["x"]).all()
    assert (name, "cosine_similarity") in named(found)
    for text, dtype in (("cosine_similarity(eps=1e-4)", "float16"), ("cosine_similarity", "bfloat16")):
        sound = judged(name, f"x[1,2] -> {text}", [y], dtype, x=[a])
        assert sound.claimed is not None
        assert np.isfinite(sound.claimed["x"]).all()


# --- overflow on the way ------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("variance", "lost"), [(1.4e-3, True), (3.5e-3, True), (5e-3, False)])
def test_jax_s_slope_by_a_variance_overflows_as_its_inverse_square_does(variance: float, lost: bool) -> None:
    text = "x[1]; var[1]; x -> gaussian_nll(var)"
    found = judged("jax", text, [0.25], "float16", x=[0.0], var=[variance])
    assert found.claimed is not None
    assert bool(np.isfinite(found.claimed["var"]).all()) is not lost
    assert is_right(found)
    assert found.tensors["var"].count(Status.OVERFLOW) == lost
    assert found.tensors["x"].count(Status.AGREE) == 1
    other = judged("torch", text, [0.25], "float16", x=[0.0], var=[variance])
    assert is_right(other)
    assert other.tensors["var"].count(Status.OVERFLOW) == 0


@pytest.mark.parametrize(("length", "lost"), [(1e-3, True), (3.5e-3, True), (6e-3, False)])
def test_so_does_jax_s_slope_of_a_cosine_by_a_short_vector(length: float, lost: bool) -> None:
    text = "x[1,2] -> cosine_similarity"
    found = judged("jax", text, [[3.0, 1.0]], "float16", x=[[0.6 * length, 0.8 * length]])
    assert found.claimed is not None
    assert bool(np.isfinite(found.claimed["x"]).all()) is not lost
    assert is_right(found)
    assert found.tensors["x"].count(Status.OVERFLOW) == 2 * lost
    other = judged("torch", text, [[3.0, 1.0]], "float16", x=[[0.6 * length, 0.8 * length]])
    assert is_right(other)
    assert other.tensors["x"].count(Status.OVERFLOW) == 0
