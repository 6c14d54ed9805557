"""Every row: its value against the spec's own formula in NumPy, its gradient against central differences."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import special

from crosscheck.oracles.torch_autograd import GAPS, gradients
from crosscheck.spec import OPS, Case, parse

POINTS = 3
# A central difference with this step is good to about 1e-10; 1e-6 is far above that and far below any bug.
STEP = 1e-5
CRUDE = 1e-6


def drawn(text: str, seed: int = 0) -> Case:
    architecture = parse(text)
    rng = np.random.default_rng(seed)
    params = {k: rng.normal(size=(POINTS, *s)) for k, s in architecture.param_shapes.items()}
    inputs = {i.name: 2 * rng.normal(size=(POINTS, *i.shape)) for i in architecture.inputs}
    shape = (POINTS, *architecture.target_shape)
    if architecture.target_dtype == "int64":
        classes = architecture.shape_of(architecture.loss.inputs[0])[-1]
        return Case(architecture, params, inputs, rng.integers(0, classes, shape))
    return Case(architecture, params, inputs, rng.random(shape))


def differences(case: Case, name: str) -> np.ndarray:
    """Central differences of the loss, all perturbations of one point as points of one case."""
    whole = {**case.params, **case.inputs}
    rows = []
    for point in range(POINTS):
        size = whole[name][point].size
        steps = np.concatenate([STEP * np.eye(size), -STEP * np.eye(size)]).reshape(-1, *whole[name].shape[1:])
        moved = {k: np.repeat(a[[point]], 2 * size, axis=0) for k, a in whole.items()}
        moved[name] = moved[name] + steps
        many = Case(
            case.architecture,
            {k: moved[k] for k in case.params},
            {k: moved[k] for k in case.inputs},
            np.repeat(case.targets[[point]], 2 * size, axis=0),
        )
        loss = gradients(many, "float64").loss
        rows.append(((loss[:size] - loss[size:]) / (2 * STEP)).reshape(whole[name].shape[1:]))
    return np.stack(rows)


def assert_gradients_match_differences(case: Case) -> None:
    found = gradients(case, "float64")
    named = dict(found.tensors())
    assert set(named) == {*case.params, *case.inputs}
    for name, gradient in named.items():
        wanted = differences(case, name)
        assert gradient.shape == wanted.shape
        assert np.abs(wanted).max() > 1e-3, f"{name}: nothing was compared"
        np.testing.assert_allclose(gradient, wanted, rtol=CRUDE, atol=CRUDE, err_msg=name)


def test_the_comparison_with_differences_notices_a_wrong_slope(monkeypatch: pytest.MonkeyPatch) -> None:
    import torch

    from crosscheck.oracles.torch_autograd import activations

    def doubled(z: torch.Tensor) -> torch.Tensor:
        return 2 * torch.tanh(z) - torch.tanh(z).detach()  # the value of tanh with twice its slope

    monkeypatch.setitem(activations.ROWS, "tanh", doubled)
    with pytest.raises(AssertionError, match="Mismatched elements"):
        assert_gradients_match_differences(drawn("x[2,4] -> tanh -> cotangent"))


def test_every_op_has_a_row_or_a_gap() -> None:
    from crosscheck.oracles.torch_autograd import activations, layers, losses, merges

    tables = {"activation": activations, "layer": layers, "merge": merges, "loss": losses}
    without = {gap.op for gap in GAPS}
    missing = [
        f"{op.name} missing: {tables[op.kind].__name__}::ROWS"
        for op in OPS.values()
        if op.name not in tables[op.kind].ROWS and op.name not in without
    ]
    assert not missing
    assert {name for table in tables.values() for name in table.ROWS} | without == set(OPS)


def log_sum_exp(z: np.ndarray) -> np.ndarray:
    return special.logsumexp(z, axis=-1, keepdims=True)


SQRT_2_OVER_PI = np.sqrt(2 / np.pi)
SELU_SCALE, SELU_ALPHA = 1.0507009873554804934193349852946, 1.6732632423543772848170429916717

ACTIVATIONS = {
    "identity": lambda z: z,
    "relu": lambda z: np.maximum(z, 0),
    "tanh": np.tanh,
    "sigmoid": lambda z: 1 / (1 + np.exp(-z)),
    "leaky_relu": lambda z: np.where(z > 0, z, 0.01 * z),
    "leaky_relu(negative_slope=0.3)": lambda z: np.where(z > 0, z, 0.3 * z),
    "gelu": lambda z: z * (1 + special.erf(z / np.sqrt(2))) / 2,
    "gelu(approximate=tanh)": lambda z: z / 2 * (1 + np.tanh(SQRT_2_OVER_PI * (z + 0.044715 * z**3))),
    "silu": lambda z: z / (1 + np.exp(-z)),
    "softplus": lambda z: np.log1p(np.exp(z)),
    "elu": lambda z: np.where(z > 0, z, np.expm1(z)),
    "celu": lambda z: np.where(z > 0, z, np.expm1(z)),
    "celu(alpha=0.7)": lambda z: np.where(z > 0, z, 0.7 * np.expm1(z / 0.7)),
    "softmax(axis=-2)": lambda z: np.exp(z) / np.exp(z).sum(axis=-2, keepdims=True),
    "elu(alpha=0.7)": lambda z: np.where(z > 0, z, 0.7 * np.expm1(z)),
    "selu": lambda z: SELU_SCALE * np.where(z > 0, z, SELU_ALPHA * np.expm1(z)),
    "mish": lambda z: z * np.tanh(np.log1p(np.exp(z))),
    "softsign": lambda z: z / (1 + np.abs(z)),
    "hardtanh": lambda z: np.clip(z, -1, 1),
    "hardtanh(min_val=-0.5, max_val=2.0)": lambda z: np.clip(z, -0.5, 2.0),
    "hardsigmoid": lambda z: np.clip(z / 6 + 0.5, 0, 1),
    "log_sigmoid": lambda z: -np.log1p(np.exp(-z)),
    "sin": np.sin,
    "softmax": lambda z: np.exp(z - log_sum_exp(z)),
    "log_softmax": lambda z: z - log_sum_exp(z),
}


def test_every_activation_is_tried() -> None:
    assert {text.split("(")[0] for text in ACTIVATIONS} == {o.name for o in OPS.values() if o.kind == "activation"}


@pytest.mark.parametrize("text", ACTIVATIONS)
def test_an_activation(text: str) -> None:
    case = drawn(f"x[2,4] -> {text} -> cotangent")
    wanted = ACTIVATIONS[text](case.inputs["x"])
    np.testing.assert_allclose(gradients(case, "float64").outputs, wanted, rtol=1e-12, atol=1e-14)
    assert_gradients_match_differences(case)


@pytest.mark.parametrize("shape", ["4", "1", "3,4", "1,4", "2,3,4", "1,1,1,2"])
@pytest.mark.parametrize("bias", ["true", "false"])
def test_dense(shape: str, bias: str) -> None:
    case = drawn(f"x[{shape}] -> dense(3, bias={bias}) -> cotangent")
    weight = case.params["0.weight"]
    wanted = np.stack([x @ w.T for x, w in zip(case.inputs["x"], weight, strict=True)])
    if bias == "true":
        wanted += case.params["0.bias"].reshape(POINTS, *(1,) * (wanted.ndim - 2), 3)
    np.testing.assert_allclose(gradients(case, "float64").outputs, wanted, rtol=1e-12, atol=1e-14)
    assert_gradients_match_differences(case)


@pytest.mark.parametrize(
    ("op", "formula"),
    [
        ("add", lambda x, u, v: x + u + v),
        ("multiply", lambda x, u, v: x * u * v),
        ("concat", lambda x, u, v: np.concatenate([x, u, v], axis=-1)),
    ],
)
@pytest.mark.parametrize("shape", ["2,3", "3"])
def test_a_merge(op: str, formula: object, shape: str) -> None:
    case = drawn(f"x[{shape}]; u[{shape}]; v[{shape}]; x -> {op}(u, v) -> cotangent")
    wanted = formula(*(case.inputs[name] for name in "xuv"))
    np.testing.assert_allclose(gradients(case, "float64").outputs, wanted, rtol=1e-12, atol=1e-14)
    assert_gradients_match_differences(case)


def test_concat_joins_different_widths() -> None:
    case = drawn("x[2,3]; u[2,1]; x -> concat(u) -> sse")
    assert gradients(case, "float64").outputs.shape == (POINTS, 2, 4)
    assert_gradients_match_differences(case)


def huber(a: np.ndarray, y: np.ndarray, delta: float) -> np.ndarray:
    d = np.abs(a - y)
    return np.where(d <= delta, d**2 / 2, delta * (d - delta / 2))


def focal(z: np.ndarray, y: np.ndarray, alpha: float, gamma: float) -> np.ndarray:
    p = special.expit(z)
    missed = p * (1 - y) + (1 - p) * y
    by_class = alpha * y + (1 - alpha) * (1 - y) if alpha >= 0 else 1.0
    return by_class * missed**gamma * (np.maximum(z, 0) - z * y + np.log1p(np.exp(-np.abs(z))))


def cross_entropy_of_classes(z: np.ndarray, y: np.ndarray) -> np.ndarray:
    return -np.take_along_axis(z - log_sum_exp(z), y[..., None], axis=-1)[..., 0]


# Text of the loss without reduction and scale → what is summed, for one point.
LOSSES = {
    "sse": lambda a, y: (a - y) ** 2,
    "mae": lambda a, y: np.abs(a - y),
    "huber": lambda a, y: huber(a, y, 1.0),
    "huber(delta=0.4": lambda a, y: huber(a, y, 0.4),
    "bce_with_logits": lambda z, y: np.maximum(z, 0) - z * y + np.log1p(np.exp(-np.abs(z))),
    "softmax_cross_entropy": cross_entropy_of_classes,
    "softmax_cross_entropy(targets=probabilities": lambda z, y: -(y * (z - log_sum_exp(z))).sum(axis=-1),
    "mse": lambda a, y: (a - y) ** 2,
    "cotangent": lambda a, c: c * a,
    "kl_div": lambda a, y: special.xlogy(y, y) - y * a,
    "kl_div(log_target=true": lambda a, y: np.exp(y) * (y - a),
    "poisson_nll": lambda a, y: np.exp(a) - y * a,
    "focal": lambda z, y: focal(z, y, 0.25, 2.0),
    "focal(alpha=-1.0, gamma=1.5": lambda z, y: focal(z, y, -1.0, 1.5),
    "hinge": lambda a, y: np.maximum(0, 1 - y * a),
    "nll": lambda a, y: -np.take_along_axis(a, y[..., None], axis=-1)[..., 0],
    "softmax_cross_entropy(label_smoothing=0.25": lambda z, y: (
        0.75 * cross_entropy_of_classes(z, y) - 0.25 * (z - log_sum_exp(z)).mean(axis=-1)
    ),
    "cosine_similarity": lambda a, y: 1 - (a * y).sum(axis=-1) / np.sqrt((a * a).sum(axis=-1) * (y * y).sum(axis=-1)),
}
# They take more, or less, than any one output and its target; tests/oracles/test_losses_agree.py has them.
ELSEWHERE = {"bce", "gaussian_nll", "triplet"}
FIXED = {"mse": "mean", "cotangent": "sum"}
ASKED = [
    (text, reduction)
    for text in LOSSES
    for reduction in ([FIXED[text]] if text in FIXED else ["sum", "mean", "batch_mean"])
]


def test_every_loss_is_tried() -> None:
    assert {text.split("(")[0] for text in LOSSES} == {o.name for o in OPS.values() if o.kind == "loss"} - ELSEWHERE


@pytest.mark.parametrize("shape", ["4", "1", "3,4", "5,1", "2,3,4", ""])
@pytest.mark.parametrize("scale", ["1.0", "-0.35"])
@pytest.mark.parametrize(("text", "reduction"), ASKED)
def test_a_loss(text: str, reduction: str, scale: str, shape: str) -> None:
    of_classes = text.split("(")[0] in ("softmax_cross_entropy", "nll", "cosine_similarity")
    if (reduction == "batch_mean" and "," not in shape) or (of_classes and not shape):
        shape = "4,2"  # the spec refuses the loss on fewer axes
    opening = f"{text}, " if "(" in text else f"{text}("
    case = drawn(f"x[{shape}] -> {opening}reduction={reduction}, scale={scale})")
    terms = [LOSSES[text](a, y) for a, y in zip(case.inputs["x"], case.targets, strict=True)]
    divisor = {"sum": 1, "mean": terms[0].size, "batch_mean": len(case.inputs["x"][0]) if shape else 1}
    wanted = [float(scale) * t.sum() / divisor[reduction] for t in terms]
    np.testing.assert_allclose(gradients(case, "float64").loss, wanted, rtol=1e-12)
    if not (of_classes and shape.split(",")[-1] == "1"):  # over one class the loss is constant
        assert_gradients_match_differences(case)


def test_cross_entropy_over_one_class_has_no_slope() -> None:
    found = gradients(drawn("x[5,1] -> softmax_cross_entropy"), "float64")
    assert not found.by_input["x"].any()


def test_softplus_is_linear_above_twenty_as_users_get_it() -> None:
    architecture = parse("x[2] -> softplus -> cotangent")
    case = Case(architecture, {}, {"x": np.array([[20.5, 19.5]])}, np.ones((1, 2)))
    above, below = gradients(case, "float64").by_input["x"][0]
    assert above == 1.0
    assert below < 1.0


def test_hardsigmoid_has_the_slope_that_users_get() -> None:
    """PyTorch 2.13 multiplies by the float32 constant 1/6 in float64 too; the witness must not hide that."""
    architecture = parse("x[2] -> hardsigmoid -> cotangent")
    case = Case(architecture, {}, {"x": np.array([[-0.5, 1.25]])}, np.ones((1, 2)))
    slopes = gradients(case, "float64").by_input["x"]
    assert set(slopes.flat) <= {1 / 6, float(np.float32(1) / np.float32(6))}
