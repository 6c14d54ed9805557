"""scikit-learn's MLP: its backprop against central differences of its own loss, and what it can be asked."""

from __future__ import annotations

import sys
from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from crosscheck.oracles import torch_autograd
from crosscheck.spec import Case, HasLoss, SpecError, Subject, parse
from crosscheck.spec.dtypes import HALF
from crosscheck.spec.errors import UsageError
from crosscheck.subjects import sklearn_mlp
from crosscheck.subjects.sklearn_mlp import RECIPES, Recipe, SklearnMLP

STEP = 1e-5
# A central difference of step h is off by about h² and by 1e-16 / h, relative to numbers around 1.
CRUDE = 1e-6
EVERY = [(recipe, outputs) for recipe in RECIPES for outputs in recipe.outputs]


def named(value: object) -> str:
    return value.label if isinstance(value, Recipe) else str(value)


def case_of(
    recipe: Recipe,
    outputs: int,
    *,
    dtype: str = "float64",
    points: int = 1,
    weighted: bool = False,
    l2: float = 0.0,
    **sizes: Any,
) -> Case:
    asked = {"batch": 3, "inputs": 2, "hidden": (5, 5), "activation": "tanh"} | sizes
    architecture = recipe.architecture(outputs=outputs, weighted=weighted, l2=l2, **asked)
    rng = np.random.default_rng(8349)

    def draw(*shape: int) -> Any:
        # Half a unit: logits near 0, where the logarithm of a rounded p is accurate.
        return (0.5 * rng.normal(size=(points, *shape))).astype(dtype)

    shape = (points, *architecture.target_shape)
    targets = {
        "float": lambda: draw(*architecture.target_shape),
        "binary": lambda: rng.integers(0, 2, shape).astype(dtype),
        "classes": lambda: rng.integers(0, outputs, shape),
        "counts": lambda: rng.integers(0, 4, shape).astype(dtype),
    }[recipe.target_kind]()
    params = {k: draw(*s) for k, s in architecture.param_shapes.items()}
    weights = rng.integers(1, 4, (points, asked["batch"])).astype(dtype) if weighted else None
    return Case(architecture, params, {"x": draw(*architecture.inputs[0].shape)}, targets, dtype, weights=weights)


def differences_of_its_own_loss(case: Case, key: str) -> Any:
    """All perturbations of one param, each a point, in one question."""
    entries = case.params[key][0].size
    moves = np.concatenate([np.eye(entries), -np.eye(entries)]) * STEP
    every = case.take([0] * len(moves))
    params = dict(every.params)
    params[key] = params[key] + moves.reshape(params[key].shape)
    up, down = np.split(SklearnMLP().loss(replace(every, params=params)), 2)
    return ((up - down) / (2 * STEP)).reshape(case.params[key].shape)


def factor(recipe: Recipe, outputs: int) -> int:
    """scikit-learn issue 8349: the mean over outputs is in the loss, and not in its gradient."""
    return outputs if recipe.out_activation == "identity" else 1


def test_it_is_a_subject_with_a_loss_of_its_own() -> None:
    subject: Subject = SklearnMLP()
    assert isinstance(subject, HasLoss)
    assert (subject.name, subject.error_model) == ("sklearn-mlp", None)
    assert {op for r in RECIPES for op in case_of(r, r.outputs[0]).architecture.ops} <= subject.supports
    assert SklearnMLP().draws() == RECIPES


@pytest.mark.parametrize("activation", ["identity", "tanh", "sigmoid", "relu"])
@pytest.mark.parametrize(("recipe", "outputs"), EVERY, ids=named)
def test_its_gradient_is_a_whole_multiple_of_the_derivative_of_its_loss(
    recipe: Recipe, outputs: int, activation: str
) -> None:
    case = case_of(recipe, outputs, activation=activation)
    found = SklearnMLP().gradients(case).by_param
    assert list(found) == list(case.architecture.param_shapes)
    right = {key: differences_of_its_own_loss(case, key) for key in found}
    assert max(np.abs(r).max() for r in right.values()) > 1e3 * CRUDE
    for key, gradient in found.items():
        assert np.abs(gradient - factor(recipe, outputs) * right[key]).max() < CRUDE


@pytest.mark.parametrize("l2", [0.0, 0.5])
@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize(("recipe", "outputs"), EVERY, ids=named)
def test_weights_of_samples_and_alpha_are_in_loss_and_gradient(
    recipe: Recipe, outputs: int, weighted: bool, l2: float
) -> None:
    """alpha is the one share of the regressor of several outputs that is right."""
    case = case_of(recipe, outputs, points=3, batch=5, weighted=weighted, l2=l2)
    asked, found = torch_autograd.gradients(case, "float64"), SklearnMLP().gradients(case)
    np.testing.assert_allclose(found.loss, asked.loss, rtol=1e-13)
    for key, gradient in found.by_param.items():
        penalty = l2 * case.params[key] if "weight" in key else 0.0
        expected = factor(recipe, outputs) * (asked.by_param[key] - penalty) + penalty
        np.testing.assert_allclose(gradient, expected, rtol=1e-11, atol=1e-13)


def test_negative_counts_are_refused() -> None:
    case = case_of(RECIPES[5], 1)
    with pytest.raises(UsageError) as caught:
        SklearnMLP().gradients(replace(case, targets=np.full_like(case.targets, -1.0)))
    rule = "but MLPRegressor, poisson, takes none below 0"
    assert str(caught.value) == f"subject sklearn-mlp: the targets hold -1.0, {rule}"


@pytest.mark.parametrize("outputs", [2, 3, 5])
def test_the_regressor_of_several_outputs_is_wrong_by_their_number(outputs: int) -> None:
    case = case_of(RECIPES[1], outputs)
    right = differences_of_its_own_loss(case, "0.weight")
    gradient = SklearnMLP().gradients(case).by_param["0.weight"]
    assert abs(np.vdot(gradient, right) / np.vdot(right, right) - outputs) < CRUDE


@pytest.mark.parametrize(("recipe", "outputs"), EVERY, ids=named)
def test_its_loss_is_the_one_that_is_asked(recipe: Recipe, outputs: int) -> None:
    case = case_of(recipe, outputs, points=4, batch=5)
    asked = torch_autograd.gradients(case, "float64")
    found = SklearnMLP().gradients(case)
    np.testing.assert_allclose(found.loss, asked.loss, rtol=1e-13)
    np.testing.assert_array_equal(found.loss, SklearnMLP().loss(case))
    for key, gradient in found.by_param.items():
        expected = factor(recipe, outputs) * asked.by_param[key]
        np.testing.assert_allclose(gradient, expected, rtol=1e-11, atol=1e-13)


@pytest.mark.parametrize(("recipe", "outputs"), EVERY, ids=named)
def test_it_computes_in_the_dtype_of_the_case(recipe: Recipe, outputs: int) -> None:
    found = SklearnMLP().gradients(case_of(recipe, outputs, dtype="float32", points=2))
    assert {g.dtype.name for g in found.by_param.values()} == {"float32"}
    assert (found.loss.dtype, found.loss.shape, dict(found.by_input)) == (np.float64, (2,), {})


@pytest.mark.parametrize("hidden", [(), (1,), (2, 3, 5)])
def test_sizes_are_read_back(hidden: tuple[int, ...]) -> None:
    for recipe, outputs in EVERY:
        case = case_of(recipe, outputs, batch=1, inputs=1, hidden=hidden)
        assert SklearnMLP().recipe_of(case.architecture) == recipe
        shapes = {k: g.shape[1:] for k, g in SklearnMLP().gradients(case).tensors()}
        assert shapes == case.architecture.param_shapes


def test_names_of_params_and_inputs_are_free() -> None:
    architecture = parse("data[3,2] -> dense(1, weight=@w, bias=@b) -> mse(scale=0.5)")
    arrays = {"w": np.ones((1, 1, 2)), "b": np.ones((1, 1))}
    found = SklearnMLP().gradients(Case(architecture, arrays, {"data": np.ones((1, 3, 2))}, np.zeros((1, 3, 1))))
    assert found.loss == 4.5
    assert (found.by_param["w"].tolist(), found.by_param["b"].tolist()) == ([[[3.0, 3.0]]], [[3.0]])


def test_a_recipe_writes_the_architecture() -> None:
    regressor, _, _, _, classifier, poisson = RECIPES
    found = regressor.architecture(batch=3, inputs=2, hidden=(5, 3), activation="tanh", outputs=1)
    assert str(found) == "x[3,2] -> dense(5) -> tanh -> dense(3) -> tanh -> dense(1) -> mse(scale=0.5)"
    found = classifier.architecture(batch=1, inputs=2, hidden=(5,), activation="relu", outputs=4)
    assert str(found) == "x[1,2] -> dense(5) -> relu -> dense(4) -> softmax_cross_entropy(reduction=mean)"
    found = poisson.architecture(batch=1, inputs=2, hidden=(), activation="relu", outputs=2, weighted=True, l2=0.5)
    assert str(found) == "x[1,2] -> dense(2) -> poisson_nll(reduction=batch_mean, weighted=true, l2=0.5)"


@pytest.mark.parametrize(
    ("index", "change", "message"),
    [
        (0, {"outputs": 2}, "MLPRegressor, one output: outputs=2, must be 1"),
        (4, {"outputs": 2}, "MLPClassifier, three or more classes: outputs=2, must be at least 3"),
        (
            0,
            {"activation": "gelu"},
            "MLPRegressor, one output: activation='gelu', must be one of identity, tanh, sigmoid, relu",
        ),
    ],
)
def test_a_recipe_refuses_what_its_estimator_has_not(index: int, change: dict[str, Any], message: str) -> None:
    sizes = {"batch": 1, "inputs": 1, "hidden": (1,), "activation": "tanh", "outputs": 1}
    with pytest.raises(SpecError) as caught:
        RECIPES[index].architecture(**(sizes | change))
    assert str(caught.value) == message


COMPUTED = (
    "it computes x[batch,inputs] -> dense(width) -> activation -> … -> dense(outputs) -> loss, every dense layer with "
    "a bias, one of identity, tanh, sigmoid, relu after every hidden one, and the loss one of: mse(scale=0.5) "
    "(MLPRegressor, one output); mse(scale=0.5) (MLPRegressor, several outputs); bce_with_logits(reduction=mean) "
    "(MLPClassifier, two classes); bce_with_logits(reduction=batch_mean) (MLPClassifier, multilabel); "
    "softmax_cross_entropy(reduction=mean) (MLPClassifier, three or more classes); poisson_nll(reduction=batch_mean) "
    "(MLPRegressor, poisson); each with weighted or l2 too"
)


@pytest.mark.parametrize(
    "text",
    [
        "x[3,2] -> dense(1) -> mse",
        "x[2] -> dense(1) -> mse(scale=0.5)",
        "x[3,2] -> tanh -> mse(scale=0.5)",
        "x[3,2] -> dense(1, bias=false) -> mse(scale=0.5)",
        "x[3,2] -> dense(5) -> dense(1) -> mse(scale=0.5)",
        "x[3,2] -> dense(1) -> tanh -> mse(scale=0.5)",
        "x[3,2] -> dense(5) -> tanh -> dense(5) -> relu -> dense(1) -> mse(scale=0.5)",
        "x[3,2] -> dense(2) -> tanh -> dense(2, weight=@0.weight) -> mse(scale=0.5)",
        "x[3,2]; u[3,2]; x -> dense(1) -> mse(scale=0.5)",
        "x[3,2] -> dense(2) -> softmax_cross_entropy(reduction=mean)",
        "x[3,2] -> dense(2) -> bce_with_logits(reduction=mean)",
        "x[3,2] -> dense(1) -> bce_with_logits(reduction=batch_mean)",
    ],
)
def test_what_it_does_not_compute_is_refused(text: str) -> None:
    with pytest.raises(UsageError) as caught:
        SklearnMLP().recipe_of(parse(text))
    assert str(caught.value) == f"subject sklearn-mlp does not compute {text}; {COMPUTED}"


def test_targets_that_fit_never_hands_over_are_refused() -> None:
    case = case_of(RECIPES[2], 1)
    soft = Case(case.architecture, case.params, case.inputs, np.full((1, 3, 1), 0.25))
    with pytest.raises(UsageError) as caught:
        SklearnMLP().gradients(soft)
    rule = "but MLPClassifier, two classes, is fitted to 0 and 1 alone"
    assert str(caught.value) == f"subject sklearn-mlp: the targets hold 0.25, {rule}"


@pytest.mark.parametrize("dtype", HALF)
def test_it_is_not_asked_in_16_bits(dtype: str) -> None:
    with pytest.raises(UsageError) as caught:
        SklearnMLP().gradients(case_of(RECIPES[0], 1).astype(dtype))
    rule = "scikit-learn computes in float64 and float32 alone"
    assert str(caught.value) == f"subject sklearn-mlp: {rule}, the case is in {dtype}"


@pytest.mark.parametrize(("dtype", "clipped"), [("float64", 36.04365338911715), ("float32", 15.942385152878742)])
def test_its_loss_is_clipped_where_the_documentation_above_says(dtype: str, clipped: float) -> None:
    architecture = parse("x[1,1] -> dense(3) -> softmax_cross_entropy(reduction=mean)")
    losses = []
    for logit in (0.9 * clipped, 2.0 * clipped):
        params = {"0.weight": np.array([[[logit], [0], [0]]], dtype), "0.bias": np.zeros((1, 3), dtype)}
        case = Case(architecture, params, {"x": np.ones((1, 1, 1), dtype)}, np.ones((1, 1), np.int64), dtype)
        losses.append(float(SklearnMLP().loss(case)[0]))
    np.testing.assert_allclose(losses, [0.9 * clipped, clipped], rtol=1e-6)


def test_without_scikit_learn_it_says_how_to_install_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "sklearn", None)
    with pytest.raises(UsageError) as caught:
        SklearnMLP()
    reason = "import of sklearn halted; None in sys.modules"
    rule = "install it with pip install 'crosscheck[sklearn]'"
    assert str(caught.value) == f"subject sklearn-mlp: scikit-learn cannot be imported here ({reason}); {rule}"


WRITTEN_FOR = (
    "but this adapter was written for ['X', 'activations', 'coef_grads', 'deltas', 'intercept_grads', 'sample_weight', "
    "'y'] (scikit-learn 1.6 to 1.9)"
)


class Renamed:
    def _backprop(self, X: Any, y: Any, device: Any) -> Any: ...


@pytest.mark.parametrize(("estimator", "taken"), [(Renamed, "['X', 'device', 'y']"), (object, "[]")])
def test_another_signature_is_refused(estimator: type, taken: str, monkeypatch: pytest.MonkeyPatch) -> None:
    package, module = (
        SimpleNamespace(__version__="2.0"),
        SimpleNamespace(MLPRegressor=estimator, MLPClassifier=estimator),
    )
    modules = {"sklearn": package, "sklearn.neural_network": module}
    monkeypatch.setattr(sklearn_mlp.importlib, "import_module", modules.__getitem__)
    with pytest.raises(UsageError) as caught:
        SklearnMLP()
    head = f"subject sklearn-mlp: MLPRegressor._backprop of scikit-learn 2.0 takes {taken}, "
    assert str(caught.value) == head + WRITTEN_FOR
