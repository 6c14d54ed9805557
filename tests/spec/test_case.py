"""The case: numbers that nobody can change, and a key that depends on them and on nothing else."""

from __future__ import annotations

import copy
import dataclasses
import pickle

import numpy as np
import pytest
from builders import case_of, with_arrays
from hypothesis import given
from hypothesis import strategies as st

from crosscheck.spec import Case, Gradients, SpecError, parse
from crosscheck.strategies.cases import cases
from crosscheck.strategies.space import EVERYTHING

MANY_INPUTS = "x[3,4]; m[3,4]:bool; k[3]:int64; x -> dense(4) -> multiply(m) -> softmax_cross_entropy"


def arrays(case: Case) -> dict[str, np.ndarray]:
    return {**case.params, **case.inputs, "targets": case.targets}


def assert_same_numbers(a: Case, b: Case) -> None:
    assert (a.architecture, a.dtype, a.family, a.aims_at_kinks) == (b.architecture, b.dtype, b.family, b.aims_at_kinks)
    assert list(arrays(a)) == list(arrays(b))
    for name, array in arrays(a).items():
        assert array.dtype == arrays(b)[name].dtype
        assert array.tobytes() == arrays(b)[name].tobytes(), name


def test_arrays_are_copies_that_nobody_can_write_to() -> None:
    given_inputs = {"x": np.ones((2, 3))}
    case = Case(parse("x[3] -> sse"), {}, given_inputs, np.zeros((2, 3)))
    given_inputs["x"][0, 0] = 7.0
    assert case.inputs["x"][0, 0] == 1.0
    for array in arrays(case).values():
        with pytest.raises(ValueError, match="read-only"):
            array[...] = 0.0
    with pytest.raises(TypeError, match="frozen"):
        case.inputs["x"] = np.zeros((2, 3))
    with pytest.raises(dataclasses.FrozenInstanceError):
        case.targets = np.zeros((2, 3))


@pytest.mark.parametrize("copied", [lambda c: pickle.loads(pickle.dumps(c)), copy.copy, copy.deepcopy])
def test_a_case_that_went_to_another_process_is_still_read_only(copied: object) -> None:
    case = case_of(MANY_INPUTS, family="sparse")
    again = copied(case)
    assert_same_numbers(again, case)
    assert again.key == case.key
    assert not any(array.flags.writeable for array in arrays(again).values())


def test_memory_order_does_not_matter() -> None:
    case = case_of("x[3,4] -> sse")
    other = with_arrays(case, inputs={"x": np.asfortranarray(case.inputs["x"])}, targets=case.targets[:, ::-1][:, ::-1])
    assert other.inputs["x"].flags.c_contiguous
    assert other.key == case.key


def test_a_point_has_fresh_writable_arrays_without_the_leading_axis() -> None:
    case = case_of(MANY_INPUTS)
    point = case.point(1)
    for own, name in (*((a, k) for k, a in point.params.items()), *((a, k) for k, a in point.inputs.items())):
        np.testing.assert_array_equal(own, arrays(case)[name][1])
        own[...] = 0
    point.targets[...] = 0
    assert_same_numbers(case, case_of(MANY_INPUTS))
    assert point.weights is None


@pytest.mark.parametrize("dtype", ["float64", "float32"])
def test_taking_points_keeps_their_bits_and_everything_else(dtype: str) -> None:
    case = case_of(MANY_INPUTS, points=4, dtype=dtype, family="integers")
    part = case.take([3, 1, 1])
    assert part.n_points == 3
    assert (part.dtype, part.family, part.aims_at_kinks) == (dtype, "integers", True)
    for name, array in arrays(part).items():
        assert array.tobytes() == arrays(case)[name][[3, 1, 1]].tobytes()
    assert_same_numbers(case.take([0, 1, 2, 3]), case)
    assert case.take([0, 1, 2, 3]).key == case.key


def test_from_float32_to_float64_and_back_is_exact() -> None:
    single = case_of(MANY_INPUTS, dtype="float32", family="decades")
    double = single.astype("float64")
    assert {a.dtype.name for a in double.params.values()} == {"float64"}
    assert (double.inputs["m"].dtype, double.inputs["k"].dtype, double.targets.dtype) == (bool, np.int64, np.int64)
    for name, array in arrays(single).items():
        np.testing.assert_array_equal(arrays(double)[name], array)
    assert_same_numbers(double.astype("float32"), single)


def test_from_float64_to_float32_rounds_to_nearest() -> None:
    case = Case(parse("x[2] -> sse"), {}, {"x": np.array([[1 + 2.0**-25, 0.1]])}, np.zeros((1, 2)))
    np.testing.assert_array_equal(case.astype("float32").inputs["x"], np.array([[1.0, 0.1]], np.float32))


def test_a_number_that_the_dtype_cannot_hold_is_refused_without_a_warning() -> None:
    case = Case(parse("x[1] -> sse"), {}, {"x": np.array([[1e300]])}, np.zeros((1, 1)))
    with pytest.raises(SpecError, match=r"^case: input 'x' holds NaN or infinity; the numbers of a case are finite$"):
        case.astype("float32")


def test_the_key_does_not_change() -> None:
    """Of a case without random numbers: the key is also the seed of everything random about it."""
    case = Case(parse("x[1,2] -> dense(1) -> sse"), {
        "0.weight": np.array([[[0.5, -1.0]]]), "0.bias": np.array([[0.25]])
    }, {"x": np.array([[[1.0, 2.0]]])}, np.array([[[3.0]]]))  # fmt: skip
    assert case.key == "59318c5f58983b6242d934aa661a3f1f8cdfae04a99c1242ad1ac4255f439ac3"
    assert case.astype("float32").key == "0e8fcc4e3c769df60390a31efce3f2560cf065b585d9e8ddf88b3caf1285c258"


def test_the_key_does_not_depend_on_where_the_numbers_came_from() -> None:
    case = case_of(family="normal")
    renamed = dataclasses.replace(case, family="found elsewhere", aims_at_kinks=True)
    assert renamed.key == case.key
    backwards = dataclasses.replace(case, params=dict(reversed(case.params.items())))
    assert backwards.key == case.key


@given(cases(EVERYTHING, points=2), st.data())
def test_the_key_depends_on_every_bit(case: Case, data: st.DataObject) -> None:
    groups = {"params": case.params, "inputs": case.inputs}
    floating = [(group, name) for group, arrays in groups.items() for name in arrays if arrays[name].dtype.kind == "f"]
    group, name = data.draw(st.sampled_from(sorted(floating)))
    array = np.array(groups[group][name])
    place = data.draw(st.integers(0, array.size - 1))
    array.flat[place] = np.nextafter(array.flat[place], np.inf)
    assert with_arrays(case, **{group: {name: array}}).key != case.key


def test_the_key_tells_apart_what_has_the_same_bytes() -> None:
    flat, matrix = parse("x[4] -> sse"), parse("x[2,2] -> sse")
    numbers = np.arange(4.0)
    one = Case(flat, {}, {"x": numbers.reshape(1, 4)}, np.zeros((1, 4)))
    other = Case(matrix, {}, {"x": numbers.reshape(1, 2, 2)}, np.zeros((1, 2, 2)))
    assert one.key != other.key
    zero = with_arrays(one, inputs={"x": np.zeros((1, 4))})
    assert with_arrays(zero, inputs={"x": -np.zeros((1, 4))}).key != zero.key


def test_swapping_two_params_changes_the_key() -> None:
    case = case_of("x[2] -> dense(2, false) -> dense(2, false) -> sse")
    swapped = with_arrays(case, params={"0.weight": case.params["1.weight"], "1.weight": case.params["0.weight"]})
    assert swapped.key != case.key


def test_gradients_are_found_by_name() -> None:
    weight, x = np.ones((1, 2)), np.zeros((1, 3))
    gradients = Gradients(loss=np.zeros(1), by_param={"0.weight": weight}, by_input={"x": x})
    assert [name for name, _ in gradients.tensors()] == ["0.weight", "x"]
    assert gradients["0.weight"] is weight
    assert gradients["x"] is x
    assert "x" in gradients
    assert "0.bias" not in gradients
    with pytest.raises(KeyError):
        gradients["0.bias"]
