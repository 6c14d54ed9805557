"""scikit-learn's MLP as a subject: its own `_backprop`, asked at drawn weights and data.

What is asked of it is what it says it computes (sklearn/neural_network/_base.py):

    MLPRegressor                ½ Σ (a - y)² / (samples · outputs)          mse(scale=0.5)
    MLPRegressor, poisson       Σ exp(z) - y z / samples                    poisson_nll(reduction=batch_mean)
    MLPClassifier, two classes  -Σ y log p + (1 - y) log(1 - p) / samples   bce_with_logits(reduction=mean)
    MLPClassifier, multilabel   the same, summed over the labels            bce_with_logits(reduction=batch_mean)
    MLPClassifier, more classes -Σ log p_class / samples                    softmax_cross_entropy(reduction=mean)

With sample_weight w these are averages by weight, `weighted=true`. It adds ½ alpha Σ coefs² / Σ w, which is `l2` for
alpha = l2 Σ w, Σ w being the number of samples where there are no weights. Its poisson loss is the deviance: what it
has more, Σ y log y - y, depends on the targets alone and is taken off.

Its losses clip p to [eps, 1 - eps], so that they differ from these once a logit is beyond log(1/eps):
36.04 in float64, 15.94 in float32.
"""

from __future__ import annotations

import importlib
import inspect
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal

import numpy as np
from scipy import special

from crosscheck.spec.architecture import Architecture, Node
from crosscheck.spec.case import Case, Point
from crosscheck.spec.dtypes import HALF
from crosscheck.spec.errors import SpecError, UsageError
from crosscheck.spec.notation import parse
from crosscheck.spec.result import Array, Gradients

NAME = "sklearn-mlp"
# The op of each hidden activation → scikit-learn's name for it.
ACTIVATIONS = {"identity": "identity", "tanh": "tanh", "sigmoid": "logistic", "relu": "relu"}
# What `_backprop` has been seen to take: `sample_weight` since scikit-learn 1.7.
# "sample_weight" there, and the regressor's "loss", are new in it.
KNOWN = {"X", "y", "sample_weight", "activations", "deltas", "coef_grads", "intercept_grads"}


@dataclass(frozen=True, kw_only=True)
class Recipe:
    """One of its estimators, as the architectures that ask for it.

    `hidden_depths`, `widths`, `batches` and `outputs` are what to draw from, simplest first; `out_activation`
    is scikit-learn's. `target_kind` says which targets it takes: any floats; no negative ones; 0 and 1 alone, which is
    all that `fit` ever hands to `_backprop`; class indices. `weighted` and `l2` are drawn too, but any are answered.
    """

    label: str
    estimator: Literal["MLPRegressor", "MLPClassifier"]
    out_activation: Literal["identity", "exp", "logistic", "softmax"]
    loss: str
    target_kind: Literal["float", "counts", "binary", "classes"]
    outputs: tuple[int, ...]
    activations: tuple[str, ...] = tuple(ACTIVATIONS)
    hidden_depths: tuple[int, ...] = (1, 2, 3)
    widths: tuple[int, ...] = (1, 2, 3, 5)
    batches: tuple[int, ...] = (1, 2, 3, 5)
    weighted: tuple[bool, ...] = (False, True)
    l2: tuple[float, ...] = (0.0, 0.25)

    def architecture(
        self,
        *,
        batch: int,
        inputs: int,
        hidden: Sequence[int],
        activation: str,
        outputs: int,
        weighted: bool = False,
        l2: float = 0.0,
    ) -> Architecture:
        """`x[batch,inputs] -> dense(hidden) -> activation -> … -> dense(outputs) -> loss`; raises SpecError."""
        if not self.has_outputs(outputs):
            rule = "1" if self.outputs == (1,) else f"at least {self.outputs[0]}"
            raise SpecError(f"{self.label}: outputs={outputs}, must be {rule}")
        if activation not in self.activations:
            raise SpecError(f"{self.label}: activation={activation!r}, must be one of {', '.join(self.activations)}")
        layers = [f"dense({width}) -> {activation}" for width in hidden]
        loss = f"{self.loss[:-1]}, weighted={str(weighted).lower()}, l2={l2!r})"
        return parse(" -> ".join([f"x[{batch},{inputs}]", *layers, f"dense({outputs})", loss]))

    def has_outputs(self, outputs: int) -> bool:
        """One output, or at least as many as the fewest drawn."""
        return outputs == 1 if self.outputs == (1,) else outputs >= self.outputs[0]


# fmt: off
RECIPES = (
    Recipe(label="MLPRegressor, one output", estimator="MLPRegressor", out_activation="identity",
           loss="mse(scale=0.5)", target_kind="float", outputs=(1,)),
    Recipe(label="MLPRegressor, several outputs", estimator="MLPRegressor", out_activation="identity",
           loss="mse(scale=0.5)", target_kind="float", outputs=(2, 3, 5),
           # Its data's share is too large by a factor (issue 8349); with alpha no factor would say so.
           l2=(0.0,)),
    Recipe(label="MLPClassifier, two classes", estimator="MLPClassifier", out_activation="logistic",
           loss="bce_with_logits(reduction=mean)", target_kind="binary", outputs=(1,)),
    Recipe(label="MLPClassifier, multilabel", estimator="MLPClassifier", out_activation="logistic",
           loss="bce_with_logits(reduction=batch_mean)", target_kind="binary", outputs=(2, 3, 5)),
    Recipe(label="MLPClassifier, three or more classes", estimator="MLPClassifier", out_activation="softmax",
           loss="softmax_cross_entropy(reduction=mean)", target_kind="classes", outputs=(3, 5)),
    Recipe(label="MLPRegressor, poisson", estimator="MLPRegressor", out_activation="exp",
           loss="poisson_nll(reduction=batch_mean)", target_kind="counts", outputs=(1, 2, 3, 5)),
)
# fmt: on


class SklearnMLP:
    """The subject `sklearn-mlp`. Raises UsageError where scikit-learn cannot be imported or is not as known."""

    name = NAME
    supports = frozenset({"dense", *ACTIVATIONS, "mse", "poisson_nll", "bce_with_logits", "softmax_cross_entropy"})

    def __init__(self) -> None:
        self.error_model: Literal["torch", "jax"] | None = None
        self._estimators = _estimators()
        self._has_weights = "sample_weight" in inspect.signature(self._estimators["MLPRegressor"]._backprop).parameters

    def draws(self) -> tuple[Recipe, ...]:
        """What to draw: each estimator with its sizes and activations; before scikit-learn 1.7 there are no weights."""
        if self._has_weights:
            return RECIPES
        return tuple(replace(r, weighted=(False,)) for r in RECIPES if r.out_activation != "exp")

    def recipe_of(self, architecture: Architecture) -> Recipe:
        """The estimator that an architecture asks for; raises UsageError where none computes it."""
        return _read(architecture)[0]

    def gradients(self, case: Case) -> Gradients:
        """Its loss (P,) and the gradients of all params, (P, *shape), in the case's dtype; none of the inputs.

        Raises UsageError for an architecture or targets that none of its estimators is asked with, and for a case
        in 16 bits.
        """
        answers = self._ask(case)
        dense = [node for node in case.architecture.nodes if node.op == "dense"]
        by_param: dict[str, Array] = {}
        for layer, node in enumerate(dense):
            # Its coefficients are (in, out).
            by_param[node.params["weight"]] = np.stack([np.transpose(a[1][layer]) for a in answers])
            by_param[node.params["bias"]] = np.stack([a[2][layer] for a in answers])
        return Gradients(loss=_losses(answers), by_param=by_param)

    def loss(self, case: Case) -> Array:
        """The loss that `_backprop` returns, (P,), for differences of its own forward; raises UsageError."""
        return _losses(self._ask(case))

    def _ask(self, case: Case) -> list[tuple[Any, list[Array], list[Array]]]:
        if case.dtype in HALF:
            raise UsageError(
                f"subject {NAME}: scikit-learn computes in float64 and float32 alone, the case is in {case.dtype}"
            )
        recipe, dense, activation = _read(case.architecture)
        if recipe.target_kind == "binary" and not np.isin(case.targets, (0.0, 1.0)).all():
            wrong = case.targets[~np.isin(case.targets, (0.0, 1.0))].flat[0]
            raise UsageError(
                f"subject {NAME}: the targets hold {wrong}, but {recipe.label}, is fitted to 0 and 1 alone"
            )
        if recipe.target_kind == "counts" and (case.targets < 0).any():
            raise UsageError(
                f"subject {NAME}: the targets hold {case.targets.min()}, but {recipe.label}, takes none below 0"
            )
        loss = case.architecture.loss
        if not self._has_weights and (loss.attributes["weighted"] or recipe.out_activation == "exp"):
            raise UsageError(
                f"subject {NAME}: {loss.op}, weighted={str(loss.attributes['weighted']).lower()} needs scikit-learn 1.7"
            )
        named = {"loss": "poisson"} if recipe.out_activation == "exp" else {}
        estimator = self._estimators[recipe.estimator](activation=ACTIVATIONS[activation], **named)
        l2 = float(loss.attributes["l2"])
        with np.errstate(all="ignore"):
            return [_backprop(estimator, recipe, dense, case.point(index), l2) for index in range(case.n_points)]


def _backprop(
    estimator: Any, recipe: Recipe, dense: list[Node], point: Point, l2: float
) -> tuple[Any, list[Array], list[Array]]:
    """Loss, gradients of the coefficients (in, out) and of the intercepts, as `_fit` would ask for them."""
    weights = [point.params[node.params["weight"]] for node in dense]
    (data,) = point.inputs.values()
    estimator.alpha = l2 * float(len(data) if point.weights is None else point.weights.sum())
    # What `_initialize` sets and `_backprop` reads, beside the constructor's activation, alpha and loss:
    estimator.n_layers_ = len(dense) + 1  # layers of units, the inputs among them
    estimator.out_activation_ = recipe.out_activation  # `_initialize` derives it from the kind of y
    estimator.coefs_ = [np.ascontiguousarray(w.T) for w in weights]
    estimator.intercepts_ = [point.params[node.params["bias"]] for node in dense]
    given = {
        "X": data,
        "y": _targets(recipe, point.targets, classes=len(weights[-1])),
        "sample_weight": point.weights,
        # The lists that `_fit` allocates and `_backprop` fills; it makes new arrays for all but the first.
        "activations": [data] + [None] * len(dense),
        "deltas": [None] * len(dense),
        "coef_grads": [np.empty_like(c) for c in estimator.coefs_],
        "intercept_grads": [np.empty_like(b) for b in estimator.intercepts_],
    }
    taken = inspect.signature(estimator._backprop).parameters
    loss, coef_grads, intercept_grads = estimator._backprop(**{k: v for k, v in given.items() if k in taken})
    if recipe.out_activation == "exp":
        loss = loss - _of_targets_alone(point)
    return loss, coef_grads, intercept_grads


def _of_targets_alone(point: Point) -> Any:
    """The average over the samples of Σ y log y - y, which the deviance has more than exp(z) - y z."""
    terms = special.xlogy(point.targets, point.targets) - point.targets
    return np.average(terms, weights=point.weights, axis=0).sum()


def _targets(recipe: Recipe, targets: Array, classes: int) -> Array:
    """The targets as `_validate_input` makes them: a classifier's are indicators, of bool to keep float32."""
    if recipe.target_kind == "classes":
        return np.asarray(targets[:, np.newaxis] == np.arange(classes))
    return targets.astype(np.bool_) if recipe.target_kind == "binary" else targets


def _losses(answers: list[tuple[Any, list[Array], list[Array]]]) -> Array:
    """In float64: the binary log loss is, whatever its data (its `1 - y` is of integers); the others fit exactly."""
    return np.array([a[0] for a in answers], np.float64)


def _read(architecture: Architecture) -> tuple[Recipe, list[Node], str]:
    """The estimator, the dense nodes and the hidden activation of an architecture that one of them computes."""
    dense = [node for node in architecture.nodes if node.op == "dense"]
    keys = [key for node in dense for key in node.params.values()]
    shape = architecture.inputs[0].shape
    if dense and len(shape) == 2 and len(set(keys)) == len(keys):  # its layers share nothing
        *hidden, outputs = [int(node.attributes["out"]) for node in dense]
        # Without a hidden layer its activation is not used.
        activation = architecture.nodes[1].op if hidden else "identity"
        for recipe in RECIPES:
            if activation in recipe.activations and recipe.has_outputs(outputs):
                own = architecture.loss.attributes
                wanted = recipe.architecture(
                    batch=shape[0],
                    inputs=shape[1],
                    hidden=hidden,
                    activation=activation,
                    outputs=outputs,
                    weighted=bool(own["weighted"]),
                    l2=float(own["l2"]),
                )
                if _structure(wanted) == _structure(architecture):
                    return recipe, dense, activation
    computed = "; ".join(f"{recipe.loss} ({recipe.label})" for recipe in RECIPES)
    raise UsageError(
        f"subject {NAME} does not compute {architecture}; it computes x[batch,inputs] -> dense(width) -> activation "
        f"-> … -> dense(outputs) -> loss, every dense layer with a bias, one of {', '.join(ACTIVATIONS)} after every "
        f"hidden one, and the loss one of: {computed}; each with weighted or l2 too"
    )


def _structure(architecture: Architecture) -> tuple[object, ...]:
    """An architecture without its names."""
    nodes = tuple((node.op, node.attributes, node.inputs) for node in architecture.nodes)
    return tuple((i.shape, i.dtype) for i in architecture.inputs), nodes, architecture.loss


def _estimators() -> dict[str, Any]:
    try:
        package = importlib.import_module("sklearn")
        module = importlib.import_module("sklearn.neural_network")
    except ImportError as error:
        raise UsageError(
            f"subject {NAME}: scikit-learn cannot be imported here ({error}); "
            "install it with pip install 'crosscheck[sklearn]'"
        ) from error
    estimators = {name: getattr(module, name) for name in ("MLPRegressor", "MLPClassifier")}
    _check_signature(estimators, package.__version__)
    return estimators


def _check_signature(estimators: dict[str, Any], version: str) -> None:
    """`_backprop` is private and may change: better no answer than one to another question."""
    for name, estimator in estimators.items():
        method = getattr(estimator, "_backprop", None)
        taken = set(inspect.signature(method).parameters) - {"self"} if method else set()
        if not KNOWN - {"sample_weight"} <= taken <= KNOWN:
            raise UsageError(
                f"subject {NAME}: {name}._backprop of scikit-learn {version} takes {sorted(taken)}, but "
                f"this adapter was written for {sorted(KNOWN)} (scikit-learn 1.6 to 1.9)"
            )
