"""A user's function as a subject: what is asked of it, and each way of breaking the contract while it runs."""

from __future__ import annotations

import itertools
import warnings
from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np
import pytest
from builders import case_of

from crosscheck.spec import OPS, Architecture, Case, ContractBroken, HasLoss, Point, Subject, parse
from crosscheck.spec.protocols import HasAnswer
from crosscheck.subjects.builtin import Builtin
from crosscheck.subjects.python_callable import PythonCallable

ARCHITECTURE = parse("x[2,3] -> dense(2) -> sse")
UNTOUCHED = "what a subject is given stays as it is"
SAME = "the same question has the same answer, bit for bit"


def case(points: int = 3, dtype: str = "float64", scale: float = 1.0) -> Case:
    rng = np.random.default_rng(5)

    def draw(*shape: int) -> Any:
        return (scale * rng.normal(size=(points, *shape)) + 0.0).astype(dtype)  # no -0.0 where scale is 0

    params = {k: draw(*s) for k, s in ARCHITECTURE.param_shapes.items()}
    return Case(ARCHITECTURE, params, {"x": draw(2, 3)}, draw(2, 2), dtype)


def right(_architecture: Architecture, point: Point) -> tuple[Any, dict[str, Any]]:
    x, w = point.inputs["x"], point.params["0.weight"]
    d = x @ w.T + point.params["0.bias"] - point.targets
    return (d * d).sum(), {"0.weight": 2 * d.T @ x, "0.bias": 2 * d.sum(axis=0), "x": 2 * d @ w}


def breach(fn: Callable[..., Any], **options: Any) -> ContractBroken:
    with pytest.raises(ContractBroken) as caught:
        PythonCallable(fn).gradients(case(**options))
    return caught.value


def test_it_is_a_subject_with_a_loss_of_its_own() -> None:
    subject: Subject = PythonCallable(right)
    assert isinstance(subject, HasLoss)
    assert (subject.name, subject.supports, subject.error_model) == ("right", frozenset(OPS), None)
    named = PythonCallable(partial(right), supports=["dense", "sse"])
    assert (named.name, named.supports) == ("partial", {"dense", "sse"})
    assert PythonCallable(right, name="mine").name == "mine"


def test_its_answer_can_be_read_though_it_breaks_the_contract() -> None:
    """It changes what it was given, has no gradient of the bias, and the weight's in float32."""
    calls = 0

    def careless(architecture: Architecture, point: Point) -> tuple[Any, dict[str, Any]]:
        nonlocal calls
        calls += 1
        loss, gradients = right(architecture, point)
        point.inputs["x"] *= 2
        return loss, {"0.weight": gradients["0.weight"].astype("float32"), "x": gradients["x"]}

    subject = PythonCallable(careless)
    assert isinstance(subject, HasAnswer)
    assert not isinstance(Builtin(), HasAnswer)
    asked = case()
    found = subject.answer(asked, 1)
    assert calls == 1
    loss, gradients = right(ARCHITECTURE, asked.point(1))
    assert found.loss.tolist() == [loss]
    assert list(found.by_param) == ["0.weight"]
    assert found.by_param["0.weight"].dtype == np.float32
    np.testing.assert_array_equal(found.by_param["0.weight"], gradients["0.weight"][np.newaxis].astype("float32"))
    np.testing.assert_array_equal(found.by_input["x"], gradients["x"][np.newaxis])


def test_where_it_raises_there_is_no_answer_to_read() -> None:
    def broken(_architecture: Architecture, _point: Point) -> Any:
        raise ValueError("no such layer")

    with pytest.raises(ContractBroken, match="subject raised ValueError: no such layer at point 2") as caught:
        PythonCallable(broken).answer(case(), 2)
    assert caught.value.rule == "raised"


@pytest.mark.parametrize("dtype", ["float64", "float32", "float16"])
def test_points_are_stacked(dtype: str) -> None:
    asked = case(dtype=dtype)
    found = PythonCallable(right).gradients(asked)
    for index in range(3):
        loss, gradients = right(ARCHITECTURE, asked.point(index))
        assert found.loss[index] == loss
        for name, gradient in gradients.items():
            assert found[name].dtype == dtype
            assert np.array_equal(found[name][index], gradient)
    assert np.array_equal(PythonCallable(right).loss(asked), found.loss)
    assert found.loss.dtype == np.float64


def in_the_dtype_of_x(architecture: Architecture, point: Point) -> Any:
    """Beside bfloat16, NumPy's plain numbers and products of matrices make float32."""
    loss, gradients = right(architecture, point)
    return loss.astype(point.inputs["x"].dtype), {k: g.astype(point.inputs["x"].dtype) for k, g in gradients.items()}


def test_a_callable_gets_bfloat16_and_answers_in_it() -> None:
    asked = case().astype("bfloat16")
    found = PythonCallable(in_the_dtype_of_x).gradients(asked)
    assert found["0.weight"].dtype == found["x"].dtype == asked.targets.dtype
    assert found.loss.dtype == np.float64
    loss, gradients = in_the_dtype_of_x(ARCHITECTURE, asked.point(0))
    assert (found.loss[0], found["x"][0].tobytes()) == (float(loss), gradients["x"].tobytes())


def test_an_answer_in_another_dtype_than_bfloat16_is_refused() -> None:
    with pytest.raises(ContractBroken) as caught:
        PythonCallable(right).gradients(case().astype("bfloat16"))
    assert caught.value.rule == "dtype"
    assert str(caught.value) == (
        "subject returned 0.weight of dtype float32; node 0 (dense) needs bfloat16, the dtype of the case"
    )


def test_each_point_is_one_call_and_the_first_one_two() -> None:
    seen: list[bytes] = []

    def spy(architecture: Architecture, point: Point) -> Any:
        assert architecture is ARCHITECTURE
        assert all(a.flags.writeable for a in (*point.params.values(), *point.inputs.values(), point.targets))
        seen.append(point.targets.tobytes())
        return right(architecture, point)

    asked = case()
    PythonCallable(spy).gradients(asked)
    assert seen == [asked.targets[i].tobytes() for i in (0, 1, 2, 0)]


def test_one_buffer_may_be_returned_for_every_point() -> None:
    buffers = {k: np.empty(s) for k, s in ARCHITECTURE.param_shapes.items()}

    def reusing(architecture: Architecture, point: Point) -> Any:
        loss, gradients = right(architecture, point)
        for key, buffer in buffers.items():
            buffer[...] = gradients[key]
        return loss, buffers

    found = PythonCallable(reusing).gradients(case())
    assert np.array_equal(found.by_param["0.weight"], PythonCallable(right).gradients(case()).by_param["0.weight"])


def test_floating_point_warnings_are_silent() -> None:
    def overflowing(architecture: Architecture, point: Point) -> Any:
        assert np.exp(1000 * np.abs(point.inputs["x"]).max() + 1000) == np.inf
        return right(architecture, point)

    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert np.isfinite(PythonCallable(overflowing).gradients(case()).loss).all()


def test_nan_is_carried_through_and_equals_itself() -> None:
    def undefined(architecture: Architecture, point: Point) -> Any:
        _, gradients = right(architecture, point)
        return np.nan, gradients | {"0.bias": np.full(2, np.nan)}

    found = PythonCallable(undefined).gradients(case())
    assert np.isnan(found.loss).all()
    assert np.isnan(found.by_param["0.bias"]).all()


def changing(group: str, key: str, index: Any, value: float) -> Callable[..., Any]:
    def fn(architecture: Architecture, point: Point) -> Any:
        answer = right(architecture, point)
        (point.targets if group == "targets" else getattr(point, group)[key])[index] = value
        return answer

    return fn


@pytest.mark.parametrize(
    ("group", "key", "index", "entry"),
    [
        ("params", "0.weight", (1, 2), "0.weight[1,2], node 0 (dense)"),
        ("params", "0.bias", (0,), "0.bias[0], node 0 (dense)"),
        ("inputs", "x", (1, 0), "x[1,0], the input"),
        ("targets", "targets", (0, 1), "targets[0,1], the targets"),
    ],
)
def test_a_changed_array_is_a_breach(group: str, key: str, index: tuple[int, ...], entry: str) -> None:
    found = breach(changing(group, key, index, 9.0))
    before = (case().targets if group == "targets" else getattr(case(), group)[key])[0][index]
    assert str(found) == f"subject changed {entry}, of point 0: {before} before the call, 9.0 after it; {UNTOUCHED}"
    assert (found.rule, found.point, found.tensor) == ("mutated", 0, key)


def test_a_changed_sign_of_zero_is_a_change() -> None:
    found = breach(changing("params", "0.bias", 1, -0.0), scale=0.0)
    message = "subject changed 0.bias[1], node 0 (dense), of point 0: 0.0 before the call, -0.0 after it; " + UNTOUCHED
    assert str(found) == message


def test_a_change_at_a_later_point_is_found() -> None:
    calls = itertools.count()

    def third(architecture: Architecture, point: Point) -> Any:
        fn = changing("params", "0.bias", 0, 1.0) if next(calls) == 2 else right
        return fn(architecture, point)

    found = breach(third)
    assert (found.rule, found.point, found.tensor) == ("mutated", 2, "0.bias")


def replacing(change: Callable[[Point], object]) -> Callable[..., Any]:
    def fn(architecture: Architecture, point: Point) -> Any:
        answer = right(architecture, point)
        change(point)
        return answer

    return fn


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda p: p.params.pop("0.bias"), "point.params of point 0: removed '0.bias'"),
        (lambda p: p.params.update({"cache": 1}), "point.params of point 0: added 'cache'"),
        (lambda p: p.inputs.update({"z": p.inputs.pop("x")}), "point.inputs of point 0: added 'z' and removed 'x'"),
        (lambda p: p.inputs.update({"x": [1.0]}), "x, the input, of point 0 from float64[2, 3] to list"),
        (
            lambda p: p.params.update({"0.weight": p.params["0.weight"].T.astype("f4")}),
            "0.weight, node 0 (dense), of point 0 from float64[2, 3] to float32[3, 2]",
        ),
    ],
)
def test_changed_dicts_are_a_breach(change: Callable[[Point], object], message: str) -> None:
    found = breach(replacing(change))
    assert (str(found), found.rule) == (f"subject changed {message}; {UNTOUCHED}", "mutated")


def counted(change: Callable[[int, Any, dict[str, Any]], Any]) -> Callable[..., Any]:
    """A subject whose answer depends on the number of the call."""
    calls = itertools.count()

    def fn(architecture: Architecture, point: Point) -> Any:
        return change(next(calls), *right(architecture, point))

    return fn


def test_a_gradient_that_changes_is_a_breach() -> None:
    def drifting(call: int, loss: Any, gradients: dict[str, Any]) -> Any:
        gradients["0.weight"][1, 2] = 0.5 if call == 0 else 0.25
        return loss, gradients

    found = breach(counted(drifting))
    entry = "0.weight[1,2] of node 0 (dense)"
    assert str(found) == f"subject returned {entry} as 0.5 and then as 0.25 at point 0; {SAME}"
    assert (found.rule, found.point, found.tensor) == ("nondeterministic", 0, "0.weight")


def test_nan_once_and_not_again_is_a_breach() -> None:
    found = breach(counted(lambda call, loss, g: (loss, g | {"0.bias": np.array([1.0, np.nan if call else -0.0])})))
    assert str(found) == f"subject returned 0.bias[1] of node 0 (dense) as -0.0 and then as nan at point 0; {SAME}"


def test_a_loss_that_changes_is_a_breach() -> None:
    found = breach(counted(lambda call, loss, g: (float(call), g)))
    assert str(found) == f"subject returned the loss as 0.0 and then as 3.0 at point 0; {SAME}"
    assert (found.rule, found.point, found.tensor) == ("nondeterministic", 0, None)


def without_x(gradients: dict[str, Any]) -> dict[str, Any]:
    return {k: v for k, v in gradients.items() if k != "x"}


def test_an_input_gradient_given_once_and_not_again_is_a_breach() -> None:
    found = breach(counted(lambda call, loss, g: (loss, without_x(g) if call == 3 else g)))
    message = "subject returned the gradient of x in one of two calls at point 0, not in the other; " + SAME
    assert (str(found), found.rule, found.tensor) == (message, "nondeterministic", "x")


@pytest.mark.parametrize(("bare", "here", "there"), [((0, 3), 1, 0), ((2,), 0, 2)])
def test_an_input_gradient_at_some_points_only_is_a_breach(bare: tuple[int, ...], here: int, there: int) -> None:
    found = breach(counted(lambda call, loss, g: (loss, without_x(g) if call in bare else g)))
    rule = "give it at every point or at none"
    assert str(found) == f"subject returned the gradient of x at point {here} but not at point {there}; {rule}"
    assert (found.rule, found.point, found.tensor) == ("keys", there, "x")


def test_a_breach_while_only_the_loss_is_asked() -> None:
    with pytest.raises(ContractBroken, match="subject returned None; an answer is"):
        PythonCallable(lambda architecture, point: None).loss(case())


def test_one_class_for_one_sample_is_an_array_without_axes_and_nobody_is_accused_of_changing_it() -> None:
    case = case_of("x[4] -> dense(3) -> softmax_cross_entropy", points=2)
    asked = []

    def backprop(_architecture: Architecture, point: Point) -> tuple[float, dict[str, np.ndarray]]:
        asked.append(point.targets)
        z = point.params["0.weight"] @ point.inputs["x"] + point.params["0.bias"]
        p = np.exp(z - z.max())
        p /= p.sum()
        d = p.copy()
        d[int(point.targets)] -= 1.0
        return -float(np.log(p[int(point.targets)])), {"0.weight": np.outer(d, point.inputs["x"]), "0.bias": d}

    found = PythonCallable(backprop).gradients(case)
    assert all(isinstance(y, np.ndarray) and y.shape == () for y in asked)
    np.testing.assert_allclose(found.by_param["0.bias"], Builtin().gradients(case).by_param["0.bias"], rtol=1e-12)
