"""What the losses of probabilities, margins and distances are, from their definitions; their edges; what all share."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

import numpy as np
import pytest
from builders import case_of, text_of, with_arrays

from crosscheck.backprop import network
from crosscheck.spec import Case, Gradients, SpecError, parse
from crosscheck.subjects.builtin import Builtin

H = 2.0**-16


def found(text: str, targets: object, weights: object = None, **inputs: object) -> Gradients:
    """One point: the arrays are given without the leading axis."""
    arrays = {name: np.asarray(value, np.float64)[np.newaxis] for name, value in inputs.items()}
    y = np.asarray(targets)[np.newaxis]
    w = None if weights is None else np.asarray(weights, np.float64)[np.newaxis]
    return network.gradients(Case(parse(text), {}, arrays, y if y.dtype == np.int64 else y.astype(float), weights=w))


def norm(z: Sequence[float]) -> float:
    return math.sqrt(sum(v * v for v in z))


def xlogy(y: float, a: float) -> float:
    return y * math.log(a) if y else 0.0


def sigmoid(z: float) -> float:
    return 1 / (1 + math.exp(-z))


def focal(z: float, y: float, alpha: float, gamma: float) -> float:
    p = sigmoid(z)
    p_t, alpha_t = p * y + (1 - p) * (1 - y), alpha * y + (1 - alpha) * (1 - y) if alpha >= 0 else 1.0
    return alpha_t * (1 - p_t) ** gamma * (-xlogy(y, p) - xlogy(1 - y, 1 - p))


# fmt: off
ELEMENTWISE: dict[str, Callable[[float, float], float]] = {
    "bce":                                lambda a, y: -xlogy(y, a) - xlogy(1 - y, 1 - a),
    "kl_div":                             lambda a, y: xlogy(y, y) - y * a,
    "kl_div(log_target=true)":            lambda a, y: math.exp(y) * (y - a),
    "poisson_nll":                        lambda a, y: math.exp(a) - y * a,
    "poisson_nll(log_input=false)":       lambda a, y: a - y * math.log(a + 1e-8),
    "poisson_nll(log_input=false, eps=0.5)": lambda a, y: a - y * math.log(a + 0.5),
    "focal":                              lambda z, y: focal(z, y, 0.25, 2.0),
    "focal(alpha=-1.0, gamma=0.5)":       lambda z, y: focal(z, y, -1.0, 0.5),
    "focal(alpha=1.0, gamma=0.0)":        lambda z, y: focal(z, y, 1.0, 0.0),
    "hinge":                              lambda a, y: max(0.0, 1 - y * a),
}
# fmt: on
A = [[0.125, 0.5, 0.96875], [0.3125, 0.75, 0.03125]]
Y = [[0.0, 1.0, 0.25], [0.5, 0.75, 1.0]]


@pytest.mark.parametrize("loss", ELEMENTWISE)
def test_an_elementwise_loss_is_its_definition(loss: str) -> None:
    f, got = ELEMENTWISE[loss], found(f"x[2,3] -> {loss}", Y, x=A)
    pairs = list(zip(np.ravel(A).tolist(), np.ravel(Y).tolist(), strict=True))
    assert got.loss[0] == pytest.approx(sum(f(a, y) for a, y in pairs), rel=1e-14)
    differences = [(f(a + H, y) - f(a - H, y)) / (2 * H) for a, y in pairs]
    np.testing.assert_allclose(got["x"].ravel(), differences, rtol=1e-6, atol=1e-8)


@pytest.mark.parametrize("eps", [1e-6, 0.5])
def test_gaussian_nll_is_its_definition_with_a_variance_of_at_least_eps(eps: float) -> None:
    mean, var, y = [0.5, -1.0, 2.0], [2.0, 0.25, 1.0], [1.0, 0.5, 0.0]

    def f(m: float, v: float, t: float) -> float:
        v = max(v, eps)
        return 0.5 * (math.log(v) + (m - t) ** 2 / v)

    got = found(f"x[3]; v[3]; x -> gaussian_nll(v, eps={eps})", y, x=mean, v=var)
    items = list(zip(mean, var, y, strict=True))
    assert got.loss[0] == pytest.approx(sum(f(*item) for item in items), rel=1e-14)
    by_mean = [(f(m + H, v, t) - f(m - H, v, t)) / (2 * H) for m, v, t in items]
    by_var = [(f(m, v + H, t) - f(m, v - H, t)) / (2 * H) for m, v, t in items]
    np.testing.assert_allclose(got["x"][0], by_mean, rtol=1e-6)
    np.testing.assert_allclose(got["v"][0], by_var, rtol=1e-6, atol=1e-9)
    assert (got["v"][0, 1] == 0.0) == (eps > 0.25)


@pytest.mark.parametrize("smoothing", [0.0, 0.25, 1.0])
def test_smoothed_labels_are_the_share_of_all_classes(smoothing: float) -> None:
    z = np.array([[0.5, -1.0, 2.0], [0.25, 0.0, 1.5]])
    got = found(f"x[2,3] -> softmax_cross_entropy(label_smoothing={smoothing})", np.array([2, 0]), x=z)
    labels = (1 - smoothing) * np.eye(3)[[2, 0]] + smoothing / 3
    other = found("x[2,3] -> softmax_cross_entropy(targets=probabilities)", labels, x=z)
    assert got.loss[0] == pytest.approx(other.loss[0], rel=1e-15)
    np.testing.assert_allclose(got["x"], other["x"], rtol=1e-14, atol=1e-16)
    p = np.exp(z) / np.exp(z).sum(axis=-1, keepdims=True)
    np.testing.assert_allclose(got["x"][0], p - labels, rtol=1e-13, atol=1e-15)


@pytest.mark.parametrize("loss", ["nll", "softmax_cross_entropy"])
@pytest.mark.parametrize("reduction", ["sum", "mean", "batch_mean"])
def test_an_ignored_class_does_not_count(loss: str, reduction: str) -> None:
    """What is left is the loss of the others; batch_mean divides by all rows."""
    z = np.array([[0.5, -1.0, 2.0], [0.25, 0.0, 1.5], [1.0, 1.0, -1.0]])
    some = found(f"x[3,3] -> {loss}(reduction={reduction})", np.array([2, -100, 0]), x=z)
    rest = found(f"x[2,3] -> {loss}(reduction={reduction})", np.array([2, 0]), x=z[[0, 2]])
    factor = 2 / 3 if reduction == "batch_mean" else 1.0
    assert some.loss[0] == pytest.approx(factor * rest.loss[0], rel=1e-15)
    np.testing.assert_allclose(some["x"][0, [0, 2]], factor * rest["x"][0], rtol=1e-15)
    assert (some["x"][0, 1] == 0).all()


@pytest.mark.parametrize("weights", [None, [2.0, 0.5]])
@pytest.mark.parametrize("loss", ["nll", "softmax_cross_entropy"])
def test_the_mean_of_nothing_is_0(loss: str, weights: object) -> None:
    options = f"reduction=mean, weighted={str(weights is not None).lower()}"
    got = found(f"x[2,3] -> {loss}({options})", np.array([-100, -100]), weights, x=np.ones((2, 3)))
    assert got.loss.tolist() == [0.0]
    assert (got["x"] == 0).all()


def test_a_class_out_of_range_is_refused_unless_it_is_ignored() -> None:
    case = case_of("x[2,3] -> nll(ignore_index=-1)", points=1)
    assert with_arrays(case, targets=np.array([[-1, 2]])).targets.tolist() == [[-1, 2]]
    with pytest.raises(SpecError, match=r"^case: targets hold class -100, the loss has classes 0 to 2$"):
        with_arrays(case, targets=np.array([[-100, 2]]))


@pytest.mark.parametrize("eps", [1e-8, 2.0])
def test_cosine_similarity_is_its_definition(eps: float) -> None:
    a, y = [[0.5, -1.0, 2.0], [3.0, 4.0, 0.0]], [[1.0, 0.25, -0.5], [0.75, 1.0, 0.5]]

    def f(u: Sequence[float], v: Sequence[float]) -> float:
        return 1 - sum(p * q for p, q in zip(u, v, strict=True)) / (max(norm(u), eps) * max(norm(v), eps))

    got = found(f"x[2,3] -> cosine_similarity(eps={eps})", y, x=a)
    assert got.loss[0] == pytest.approx(sum(map(f, a, y)), rel=1e-14)
    for s, k in np.ndindex(2, 3):
        up, down = (([*a[s][:k], a[s][k] + h, *a[s][k + 1 :]]) for h in (H, -H))
        assert got["x"][0, s, k] == pytest.approx((f(up, y[s]) - f(down, y[s])) / (2 * H), abs=1e-8)


def test_parallel_vectors_lose_nothing_to_cancellation() -> None:
    """Of (1, t) and (1, 0) the cosine is 1/√(1 + t²): one less it is t²/2, of which 1 - cos would have no digit.

    What is rounded of â, whose length is 1, is in every component: 1e-18 where (ŷ - (â·ŷ) â) would be 1e-16 off.
    """
    t = 1e-9
    got = found("x[1,2] -> cosine_similarity", [[1.0, 0.0]], x=[[1.0, t]])
    assert got.loss[0] == pytest.approx(t * t / 2, rel=1e-14)
    np.testing.assert_allclose(got["x"][0, 0], [-t * t, t], rtol=1e-13, atol=1e-18)
    opposite = found("x[1,2] -> cosine_similarity", [[-1.0, 0.0]], x=[[1.0, t]])
    np.testing.assert_allclose(opposite["x"][0, 0], [t * t, -t], rtol=1e-13, atol=1e-18)


def test_a_vector_of_zeros_has_the_slope_of_the_product_over_eps() -> None:
    got = found("x[1,2] -> cosine_similarity(eps=0.5)", [[3.0, 4.0]], x=[[0.0, 0.0]])
    assert got.loss.tolist() == [1.0]
    np.testing.assert_allclose(got["x"][0, 0], [-1.2, -1.6], rtol=1e-15)


def test_triplet_is_its_definition() -> None:
    a, p, n = [[0.5, -1.0], [3.0, 4.0]], [[1.0, 0.25], [0.75, 1.0]], [[-0.5, 2.0], [3.0, 3.5]]
    eps, margin = 0.125, 0.75

    def f(u: Sequence[float], v: Sequence[float], w: Sequence[float]) -> float:
        near, far = (norm([x - z + eps for x, z in zip(u, other, strict=True)]) for other in (v, w))
        return max(0.0, near - far + margin)

    got = found(f"x[2,2]; p[2,2]; n[2,2]; x -> triplet(p, n, margin={margin}, eps={eps})", np.zeros(0), x=a, p=p, n=n)
    assert f(a[0], p[0], n[0]) == 0 < f(a[1], p[1], n[1])
    assert got.loss[0] == pytest.approx(sum(map(f, a, p, n)), rel=1e-14)
    assert all((got[name][0, 0] == 0).all() for name in "xpn")
    for which, name in enumerate("xpn"):
        for k in range(2):
            sides = []
            for h in (H, -H):
                moved = [list(v[1]) for v in (a, p, n)]
                moved[which][k] += h
                sides.append(f(*moved))
            assert got[name][0, 1, k] == pytest.approx((sides[0] - sides[1]) / (2 * H), abs=1e-8)


@pytest.mark.parametrize(("z", "y"), [(800.0, 1.0), (-800.0, 0.0), (800.0, 0.0), (-800.0, 1.0), (40.0, 0.25)])
def test_saturated_logits_overflow_nothing(z: float, y: float) -> None:
    for loss in ("focal", "focal(gamma=0.5)", "focal(gamma=0.0)"):
        got = found(f"x[1] -> {loss}", [y], x=[z])
        assert np.isfinite(got.loss).all()
        assert np.isfinite(got["x"]).all()
    assert not np.isnan(found("x[1] -> sigmoid -> bce", [y], x=[z])["x"]).any()


# --- what all losses share: weights of samples and penalties ------------------------------------------------------

WEIGHTED = ("sse", "mse", "huber", "bce_with_logits", "kl_div", "focal", "cosine_similarity", "softmax_cross_entropy")


@pytest.mark.parametrize("reduction", ["sum", "mean", "batch_mean"])
@pytest.mark.parametrize("loss", WEIGHTED)
def test_a_sample_of_weight_2_is_that_sample_twice(loss: str, reduction: str) -> None:
    if loss == "mse" and reduction != "mean":
        pytest.skip("mse is a mean over all elements")
    case = case_of(text_of(loss, reduction=reduction, weighted=True), points=2)
    case = with_arrays(case, weights=np.broadcast_to([2.0, 1.0], (2, 2)))
    index = [0, 0, 1]
    twice = Case(
        parse(text_of(loss, reduction=reduction).replace("x[2,3]", "x[3,3]")),
        {},
        {"x": case.inputs["x"][:, index]},
        case.targets[:, index],
    )
    one, other = network.gradients(case), network.gradients(twice)
    np.testing.assert_allclose(one.loss, other.loss, rtol=1e-14)
    folded = np.stack([other["x"][:, 0] + other["x"][:, 1], other["x"][:, 2]], axis=1)
    np.testing.assert_allclose(one["x"], folded, rtol=1e-13, atol=1e-16)


def test_penalties_count_weights_once_and_no_biases() -> None:
    text = "x[1,2] -> dense(2) -> dense(2, weight=@0.weight) -> sse(scale=3.0, l1=0.5, l2=0.25)"
    case = case_of(text, points=2)
    with_them, without = (
        network.gradients(case),
        network.gradients(Case(parse(text.replace(", l1=0.5, l2=0.25", "")), case.params, case.inputs, case.targets)),
    )
    w = case.params["0.weight"]
    assert set(case.architecture.param_shapes) == {"0.weight", "0.bias", "1.bias"}
    added = 0.5 * np.abs(w).sum(axis=(1, 2)) + 0.125 * np.square(w).sum(axis=(1, 2))
    np.testing.assert_allclose(with_them.loss - without.loss, added, rtol=1e-12)
    np.testing.assert_allclose(with_them["0.weight"] - without["0.weight"], 0.5 * np.sign(w) + 0.25 * w, rtol=1e-10)
    np.testing.assert_array_equal(with_them["0.bias"], without["0.bias"])


@pytest.mark.parametrize("dtype", ["float16", "bfloat16", "float32"])
def test_penalties_stay_in_the_dtype(dtype: str) -> None:
    case = case_of("x[2,3] -> dense(2) -> sse(weighted=true, l1=0.5, l2=0.25, reduction=mean)", dtype=dtype)
    answer = Builtin().gradients(case)
    assert {a.dtype.name for _, a in answer.tensors()} == {dtype}


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (
            "x[2,3]; v[2,2]; x -> gaussian_nll(v)",
            "loss (gaussian_nll): mean and variance must have the same shape, not (2, 3) and (2, 2)",
        ),
        (
            "x[2,3]; p[2,3]; n[2,2]; x -> triplet(p, n)",
            "loss (triplet): anchor, positive and negative must have the same shape, not (2, 3), (2, 3), (2, 2)",
        ),
        ("x[] -> nll", "loss (nll): nll needs classes on the last axis, but its input is a scalar"),
        (
            "x[] -> cosine_similarity",
            "loss (cosine_similarity): cosine_similarity needs vectors on the last axis, but its input is a scalar",
        ),
        ("x[2,3] -> triplet", "loss (triplet): has 1 input, needs 3"),
        (
            "x[3] -> kl_div(reduction=batch_mean)",
            "loss (kl_div): reduction=batch_mean takes the mean over the first of at least two axes, but the output "
            "has shape (3,)",
        ),
    ],
)
def test_what_does_not_fit_is_refused(text: str, message: str) -> None:
    with pytest.raises(SpecError) as caught:
        parse(text)
    assert str(caught.value) == message


@pytest.mark.parametrize(("text", "value", "rule"), [
    ("x[2] -> bce", 1.0, "it must lie in (0, 1)"),
    ("x[2]; v[2]; x -> gaussian_nll(v)", 0.0, "it must be positive"),
])  # fmt: skip
def test_what_must_be_a_probability_or_positive_is(text: str, value: float, rule: str) -> None:
    case = case_of(text, points=1)
    name = [*case.inputs][-1]
    with pytest.raises(SpecError) as caught:
        with_arrays(case, inputs={name: np.full((1, 2), value)})
    assert str(caught.value) == f"case: input {name!r} holds {value}; {rule}"


def test_a_focal_slope_stays_right_to_the_end_of_the_range() -> None:
    """The slope of a logit that is wholly missed is alpha_t: what is multiplied by z is 0 there."""
    limit = np.finfo(np.float64).max
    z = np.array([[limit, -limit, 1e300, -1e300]])
    case = Case(parse("x[4] -> focal"), {}, {"x": z}, np.array([[0.0, 1.0, 1.0, 0.0]]))
    found = network.gradients(case)
    np.testing.assert_allclose(found["x"][0], [0.75, -0.25, 0.0, 0.0], rtol=1e-15)


@pytest.mark.parametrize("dtype", ["float64", "float32", "float16"])
def test_the_slope_of_a_subnormal_probability_is_its_inverse_while_that_is_a_number(dtype: str) -> None:
    tiny = np.finfo(dtype).tiny
    a = np.array([[tiny, tiny * 0.5, tiny * 0.375]], dtype)
    case = Case(parse("x[3] -> bce"), {}, {"x": a}, np.ones((1, 3), dtype), dtype)
    assert network.gradients(case)["x"][0].tolist() == (-1.0 / a[0].astype(np.longdouble)).astype(dtype).tolist()
    half = with_arrays(case, inputs={"x": a / 4}, targets=np.full((1, 3), 0.25, dtype))
    assert network.gradients(half)["x"][0].tolist() == (-1.0 / a[0].astype(np.longdouble)).astype(dtype).tolist()
