"""One answer of a subject: what is accepted, and every breach with its whole message."""

from __future__ import annotations

import pickle
from typing import Any

import numpy as np
import pytest

from crosscheck.spec import Case, ContractBroken, Gradients, parse
from crosscheck.subjects.contract import checked_point, readable_point

TEXT = "x[3,4] -> dense(8) -> tanh -> dense(2) -> sse"
SHAPES = {"0.weight": (8, 4), "0.bias": (8,), "2.weight": (2, 8), "2.bias": (2,)}


def case_of(text: str = TEXT, dtype: str = "float64") -> Case:
    architecture = parse(text)
    inputs = {i.name: np.zeros((2, *i.shape), dtype if i.dtype == "float" else i.dtype) for i in architecture.inputs}
    params = {k: np.zeros((2, *s), dtype) for k, s in architecture.param_shapes.items()}
    return Case(architecture, params, inputs, np.zeros((2, *architecture.target_shape), dtype), dtype)


def good(dtype: str = "float64") -> dict[str, Any]:
    return {key: np.ones(shape, dtype) for key, shape in SHAPES.items()}


def without(key: str) -> dict[str, Any]:
    return {k: v for k, v in good().items() if k != key}


def breach(answer: object, text: str = TEXT, dtype: str = "float64") -> ContractBroken:
    with pytest.raises(ContractBroken) as caught:
        checked_point(answer, case_of(text, dtype), 1)
    assert caught.value.point == 1
    return caught.value


@pytest.mark.parametrize("loss", [1, 1.0, np.float32(1), np.float64(1), np.array(1.0), np.longdouble(1)])
def test_a_loss_is_any_real_number(loss: object) -> None:
    found = checked_point((loss, good()), case_of(), 0)
    assert type(found.loss) is np.float64
    assert found.loss == 1
    assert [name for name, _ in found.tensors()] == list(SHAPES)


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_what_is_not_finite_is_carried_through(value: float) -> None:
    found = checked_point((value, good() | {"0.bias": np.full(8, value)}), case_of(), 0)
    assert np.array_equal(found.loss, value, equal_nan=True)
    assert np.array_equal(found.params["0.bias"], np.full(8, value), equal_nan=True)


def test_a_loss_beyond_float64_is_infinite() -> None:
    assert checked_point((np.longdouble("1e4000"), good()), case_of(), 0).loss == np.inf


def test_the_gradient_of_an_input_is_optional() -> None:
    assert checked_point((0.0, good()), case_of(), 0).inputs == {}
    found = checked_point((0.0, good() | {"x": np.ones((3, 4))}), case_of(), 0)
    assert list(found.inputs) == ["x"]
    assert list(found.params) == list(SHAPES)


def test_a_gradients_record_of_one_point_is_an_answer() -> None:
    answer = Gradients(loss=np.array(2.0), by_param=good(), by_input={"x": np.ones((3, 4))})
    found = checked_point(answer, case_of(), 0)
    assert found.loss == 2.0
    assert sorted(name for name, _ in found.tensors()) == sorted([*SHAPES, "x"])


def test_arrays_are_copied() -> None:
    answer = good()
    found = checked_point((0.0, answer), case_of(), 0)
    answer["0.bias"][:] = 7.0
    assert (found.params["0.bias"] == 1.0).all()


def test_a_numpy_scalar_is_the_gradient_of_a_scalar() -> None:
    found = checked_point((0.0, {"x": np.float64(3.0)}), case_of("x[] -> tanh -> sse"), 0)
    assert found.inputs["x"].shape == ()


ANSWER = "an answer is (loss, gradients), a number and a dict of NumPy arrays by key, or a Gradients"
LOSS = "a loss is one real number: a float, a NumPy scalar or a 0-d array"
KEYS = "the keys are 0.weight, 0.bias, 2.weight, 2.bias, and x where the input's gradient is given"
WEIGHT = "a gradient is a NumPy array, here of shape (8, 4) and dtype float64 for node 0 (dense)"
LIST = [[1.0] * 4] * 8


@pytest.mark.parametrize(
    ("answer", "rule", "tensor", "message"),
    [
        (None, "type", None, f"subject returned None; {ANSWER}"),
        ({}, "type", None, f"subject returned a dict; {ANSWER}"),
        ([0.0, {}], "type", None, f"subject returned a list; {ANSWER}"),
        ((1.0, {}, {}), "type", None, f"subject returned a tuple of 3; {ANSWER}"),
        ((1.0, np.ones(3)), "type", None, f"subject returned its gradients as a ndarray; {ANSWER}"),
        (Gradients(np.ones(()), None), "type", None, f"subject returned its gradients as None; {ANSWER}"),  # type: ignore[arg-type]
        (("1.0", good()), "loss", None, f"subject returned its loss as a str; {LOSS}"),
        ((None, good()), "loss", None, f"subject returned its loss as None; {LOSS}"),
        ((True, good()), "loss", None, f"subject returned its loss as a bool; {LOSS}"),
        ((1j, good()), "loss", None, f"subject returned its loss as a complex; {LOSS}"),
        ((10**400, good()), "loss", None, f"subject returned its loss as an int beyond float64; {LOSS}"),
        ((np.ones(1), good()), "loss", None, f"subject returned a loss of shape (1,); {LOSS}"),
        ((np.complex128(1), good()), "loss", None, f"subject returned a loss of dtype complex128; {LOSS}"),
        ((np.bool_(True), good()), "loss", None, f"subject returned a loss of dtype bool; {LOSS}"),
        (
            (1.0, without("0.bias")),
            "keys",
            "0.bias",
            f"subject returned no gradient of 0.bias of node 0 (dense); {KEYS}",
        ),
        ((1.0, good() | {"y": 1}), "keys", "y", f"subject returned the unexpected key 'y'; {KEYS}"),
        (
            (1.0, without("2.bias") | {"bias": 1, 7: 1}),
            "keys",
            "2.bias",
            "subject returned no gradient of 2.bias of node 2 (dense), and the unexpected keys 'bias', 7; " + KEYS,
        ),
        ((1.0, good() | {"0.weight": LIST}), "type", "0.weight", f"subject returned 0.weight as a list; {WEIGHT}"),
        ((1.0, good() | {"0.weight": None}), "type", "0.weight", f"subject returned 0.weight as None; {WEIGHT}"),
        (
            (1.0, good() | {"0.weight": np.ma.masked_array(np.ones((8, 4)))}),
            "type",
            "0.weight",
            f"subject returned 0.weight as a MaskedArray; {WEIGHT}",
        ),
        (
            (1.0, good() | {"2.weight": np.ones((8, 2))}),
            "shape",
            "2.weight",
            "subject returned 2.weight of shape (8, 2); node 2 (dense) needs (2, 8)",
        ),
        (
            (1.0, good() | {"x": np.ones((4, 3))}),
            "shape",
            "x",
            "subject returned x of shape (4, 3); the input needs (3, 4)",
        ),
        (
            (1.0, good() | {"0.bias": np.ones(8, np.float32)}),
            "dtype",
            "0.bias",
            "subject returned 0.bias of dtype float32; node 0 (dense) needs float64, the dtype of the case",
        ),
    ],
)
def test_every_breach_names_value_rule_and_place(answer: object, rule: str, tensor: str | None, message: str) -> None:
    found = breach(answer)
    assert (str(found), found.rule, found.tensor) == (message, rule, tensor)


def test_float64_for_a_float32_case_is_a_breach() -> None:
    found = breach((1.0, good()), dtype="float32")
    message = "subject returned 0.weight of dtype float64; node 0 (dense) needs float32, the dtype of the case"
    assert (str(found), found.rule) == (message, "dtype")


def test_a_shared_param_stands_at_both_nodes() -> None:
    text = "x[3,4] -> dense(4) -> dense(4, weight=@0.weight, bias=@0.bias) -> sse"
    found = breach((1.0, {"0.weight": np.ones(4), "0.bias": np.ones(4)}), text)
    assert str(found) == "subject returned 0.weight of shape (4,); nodes 0 and 1 (dense) needs (4, 4)"


def test_an_integer_input_has_no_gradient() -> None:
    text = "x[3]; ids[3]:int64; x -> tanh -> sse"
    found = breach((1.0, {"ids": np.ones(3)}), text)
    wanted = "this architecture has no params, and x where the input's gradient is given"
    assert str(found) == f"subject returned the unexpected key 'ids'; {wanted}"


def test_a_torch_tensor_is_not_an_array() -> None:
    import torch

    found = breach((1.0, good() | {"0.weight": torch.ones(8, 4)}))
    hint = " (x.detach().numpy() makes one of it)"
    assert (str(found), found.rule) == (f"subject returned 0.weight as a torch.Tensor; {WEIGHT}{hint}", "type")
    found = breach((torch.ones(()), good()))
    assert (str(found), found.rule) == (f"subject returned its loss as a torch.Tensor; {LOSS}{hint}", "loss")


def test_a_jax_array_is_not_an_array() -> None:
    import jax.numpy as jnp

    found = breach((1.0, good() | {"0.weight": jnp.ones((8, 4))}))
    hint = " (np.asarray(x) makes one of it)"
    assert (str(found), found.rule) == (f"subject returned 0.weight as a jax.Array; {WEIGHT}{hint}", "type")


def test_a_breach_crosses_to_another_process() -> None:
    found = breach((1.0, good() | {"2.weight": np.ones((8, 2))}))
    copy = pickle.loads(pickle.dumps(found))
    assert (str(copy), copy.rule, copy.point, copy.tensor) == (str(found), "shape", 1, "2.weight")


# What can be read of an answer that breaks the contract.


def test_gradients_that_are_missing_or_of_another_dtype_do_not_hide_the_others() -> None:
    given = without("0.bias") | {"2.bias": np.ones(2, np.float32), "W": np.ones(3), "x": np.ones((3, 4))}
    found = readable_point((1.5, given), case_of(), 1)
    assert found.loss == 1.5
    assert list(found.params) == ["0.weight", "2.weight", "2.bias"]
    assert list(found.inputs) == ["x"]
    assert found.params["2.bias"].dtype == np.float32


# fmt: off
UNREADABLE = [  # the answer, the rule that it breaks
    (None,                                             "type"),
    ((1.0, [1.0]),                                     "type"),
    ((1.0, good() | {"0.bias": [1.0] * 8}),            "type"),
    ((None, good()),                                   "loss"),
    ((1.0, good() | {"0.bias": np.ones(2)}),           "shape"),
    ((1.0, good() | {"0.bias": np.ones(8, int)}),      "dtype"),
    ((1.0, good() | {"0.bias": np.ones(8, complex)}),  "dtype"),
    ((1.0, {"W": np.ones(3)}),                         "keys"),
    ((1.0, {}),                                        "keys"),
]
# fmt: on


@pytest.mark.parametrize(("answer", "rule"), UNREADABLE)
def test_what_cannot_be_read_is_refused_by_its_rule(answer: object, rule: str) -> None:
    with pytest.raises(ContractBroken) as caught:
        readable_point(answer, case_of(), 1)
    assert (caught.value.rule, caught.value.point) == (rule, 1)
