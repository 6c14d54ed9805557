"""Where a framework is off: deviations planted in JAX's rows are found at their operation and in their region."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from builders import case_of, with_arrays

from crosscheck.checking import Witnesses
from crosscheck.diagnosis import region
from crosscheck.oracles.ball import Ball
from crosscheck.oracles.jax_grad import JaxGrad, losses, walk
from crosscheck.oracles.torch_autograd import TorchAutograd
from crosscheck.session import Settings, verify
from crosscheck.spec import Case
from crosscheck.spec.ops import OPS
from crosscheck.subjects import frameworks
from crosscheck.subjects.builtin import Builtin

WITNESSES = Witnesses((Ball(), TorchAutograd(), JaxGrad()), differences=False)
Plant = Callable[[str, Callable[[Any], Any]], None]


@pytest.fixture
def plant(monkeypatch: pytest.MonkeyPatch) -> Iterator[Plant]:
    """Adds `error(z)` to the derivative, and nothing to the value, of one of JAX's rows."""

    def planted(op: str, error: Callable[[Any], Any]) -> None:
        table = losses.ROWS if OPS[op].kind == "loss" else walk.UNARY_AND_MERGES
        sound = table[op]

        def row(z: Any, *rest: Any, **attributes: Any) -> Any:
            slipped = jax.lax.stop_gradient(error(z)) * (z - jax.lax.stop_gradient(z))
            return sound(z, *rest, **attributes) + (jnp.sum(slipped) if table is losses.ROWS else slipped)

        monkeypatch.setitem(table, op, row)
        walk._traced.cache_clear()

    monkeypatch.setenv("CROSSCHECK_CACHE", "off")
    yield planted
    walk._traced.cache_clear()


def beyond(place: float, size: float = 1e-7) -> Callable[[Any], Any]:
    return lambda z: jnp.where(z > place, size, 0.0)


def at(text: str, *z: float, dtype: str = "float64") -> Case:
    """One point of this architecture with these inputs, and targets of 1."""
    case = case_of(text, points=1, dtype=dtype)
    numbers = np.reshape(z, (1, *case.inputs["x"].shape[1:])).astype(dtype)
    return with_arrays(case, inputs={"x": numbers}, targets=np.ones_like(case.targets))


def said(case: Case, *ops: str, witness: str | None = "jax") -> str | None:
    return region.sentence([case], witness, frameworks.jax(), WITNESSES, ops)


def test_the_operation_and_the_region_are_named(plant: Plant) -> None:
    plant("softplus", beyond(2.0))
    case = at("x[6] -> softplus -> cotangent", -1.0, 0.5, 1.9, 2.5, 3.0, 7.25)
    assert said(case, "softplus") == "jax softplus is off at z from 2.5 to 7.25"
    assert said(case, "softplus", witness="torch") is None, "which is not off"
    alone = at("x[2] -> softplus -> cotangent", 1.0, 4.0)
    assert said(alone, "softplus") == "jax softplus is off at z = 4"


def test_regions_of_several_cases_are_one(plant: Plant) -> None:
    plant("softplus", beyond(2.0))
    both = [at("x[2] -> softplus -> cotangent", *z) for z in ((1.0, 4.0), (9.0, 2.5))]
    found = region.sentence(both, "jax", Builtin(), WITNESSES, ["softplus"])
    assert found == "jax softplus is off at z from 2.5 to 9"


def test_a_witness_is_held_to_float64_whatever_the_case_is_in(plant: Plant) -> None:
    plant("softplus", beyond(2.0, 1e-9))
    case = at("x[2] -> softplus -> cotangent", 1.0, 4.0, dtype="float32")
    assert said(case, "softplus") == "jax softplus is off at z = 4"
    assert said(case, "softplus", witness=None) is None, "in float32 that is no error"


@pytest.mark.parametrize("dtype", ["float64", "float32", "float16"])
def test_a_subject_is_asked_in_its_own_dtype(plant: Plant, dtype: str) -> None:
    plant("softplus", beyond(2.0, 0.25))
    case = at("x[3] -> dense(3) -> softplus -> sse", 1.0, -2.0, 4.0, dtype=dtype)
    eye = {"0.weight": np.eye(3, dtype=dtype)[np.newaxis], "0.bias": np.zeros((1, 3), dtype)}
    assert said(with_arrays(case, params=eye), "softplus", witness=None) == "jax softplus is off at z = 4"


def test_of_several_operations_the_one_that_is_off_is_named(plant: Plant) -> None:
    plant("softplus", beyond(2.0))
    case = at("x[3] -> tanh -> softplus -> huber", 1.0, -2.0, 4.0)
    assert said(case, "tanh", "softplus", "huber") is None, "its inputs stay below 1"
    case = at("x[3] -> softplus -> tanh -> huber", 1.0, -2.0, 4.0)
    assert said(case, "tanh", "softplus", "huber") == "jax softplus is off at z = 4"


def test_what_a_wrong_value_does_to_the_operations_behind_it_is_not_held_against_them(
    monkeypatch: pytest.MonkeyPatch, plant: Plant
) -> None:
    plant("softplus", lambda z: 0.0 * z)
    planted = walk.UNARY_AND_MERGES["softplus"]
    monkeypatch.setitem(walk.UNARY_AND_MERGES, "softplus", lambda z: (1.0 + 1e-6) * planted(z))
    case = at("x[3] -> softplus -> sin -> sse", 1.0, -2.0, 4.0)
    assert said(case, "sin", "sse") == "jax sin is off at z from 0.1269 to 4.018", "it is, for want of a better word"
    assert said(case, "sin", "softplus", "sse") == "jax softplus is off at z from -2 to 4"


def test_softmax_is_asked_as_a_whole(plant: Plant) -> None:
    plant("softmax", beyond(2.0))
    plant("log_softmax", beyond(9.0))
    case = at("x[2,3] -> softmax -> log_softmax -> cotangent", 1.0, 2.5, 0.0, -1.0, 3.0, 2.0)
    assert said(case, "softmax", "log_softmax") == "jax softmax is off at z from 2.5 to 3"


def test_softmax_on_another_axis_is_asked_along_it(plant: Plant) -> None:
    plant("softmax", beyond(2.0))
    case = at("x[3,2] -> softmax(axis=-2) -> cotangent", 1.0, -1.0, 2.5, 3.0, 0.0, 2.0)
    assert said(case, "softmax") == "jax softmax is off at z from 2.5 to 3"


def test_a_loss_that_is_off_is_named_with_its_difference(plant: Plant) -> None:
    plant("huber", beyond(5.0))
    case = at("x[3] -> huber", 0.5, 5.5, 8.0)
    assert said(case, "huber") == "jax huber is off at a - y from 4.5 to 7"
    plant("bce_with_logits", beyond(5.0))
    assert said(at("x[3] -> bce_with_logits", 0.5, 5.5, 8.0), "bce_with_logits") == (
        "jax bce_with_logits is off at z from 5.5 to 8"
    )


def sin_of_nan(z: Any) -> Any:
    """sin z; above 3 its derivative is infinity times zero."""
    return jnp.sin(z) + jnp.where(z > 3.0, jnp.sqrt(jnp.where(z > 3.0, 0.0 * z, 1.0)), 0.0)


def test_nan_that_is_born_in_an_operation_is_off(monkeypatch: pytest.MonkeyPatch, plant: Plant) -> None:
    plant("sin", lambda z: 0.0 * z)
    monkeypatch.setitem(walk.UNARY_AND_MERGES, "sin", sin_of_nan)
    case = at("x[3] -> dense(3) -> sin -> tanh -> sse", 1.0, -2.0, 4.0)
    eye = {"0.weight": np.eye(3)[np.newaxis], "0.bias": np.zeros((1, 3))}
    assert said(with_arrays(case, params=eye), "sin", "tanh") == "jax sin is off at z = 4"


def test_a_convention_at_a_kink_is_no_error() -> None:
    case = at("x[3] -> leaky_relu -> cotangent", 0.0, 1.0, -1.0)
    jax_takes = JaxGrad().references(case).gradients["x"][0, 0]
    assert jax_takes != TorchAutograd().references(case).gradients["x"][0, 0]
    assert said(case, "leaky_relu") is None
    assert said(case, "leaky_relu", witness="torch") is None


def test_nothing_is_said_of_who_is_right_or_cannot_be_asked(plant: Plant) -> None:
    case = at("x[3] -> softplus -> cotangent", 1.0, -2.0, 4.0)
    assert said(case, "softplus") is None
    plant("softplus", beyond(2.0))
    assert said(case, "tanh") is None, "which is not there"
    assert said(case, "dense", "cotangent", "identity") is None, "which have no derivative of their own"
    shared = at("x[3] -> h: softplus; x -> multiply(h) -> cotangent", 1.0, -2.0, 4.0)
    assert said(shared, "softplus") is None, "its input has another user"
    without = Witnesses((TorchAutograd(), JaxGrad()))
    assert region.sentence([case], "jax", Builtin(), without, ["softplus"]) is None, "nobody knows the truth"
    assert region.sentence([case], None, Builtin(), WITNESSES, ["softplus"]) is None, "it has no gradients of nodes"
    assert region.sentence([case], "differences", Builtin(), WITNESSES, ["softplus"]) is None


@pytest.mark.thorough
@pytest.mark.parametrize("dtype", ["float64", "float32"])
def test_a_run_names_the_framework_the_operation_and_the_region(plant: Plant, dtype: str) -> None:
    """A planted deviation, shrunk and described as any other: nobody said where it is."""
    plant("softplus", lambda z: jnp.where((z > 0.5) & (z < 1.5), 1e-8, 0.0))
    ops = ("dense", "tanh", "softplus", "sse")
    settings = Settings(
        Builtin(), oracles=("ball", "torch", "jax"), ops=ops, dtypes=(dtype,), examples=12, points=4, seed=1
    )
    record = verify(settings).run_file.run
    odd = [f for f in record.findings if f.odd_one_out == "jax"]
    assert [(f.verdict, f.deviation) for f in odd] == [("ORACLE_DISAGREES", None)]
    (line,) = odd[0].diagnosis
    place = re.fullmatch(r"jax softplus is off at z (?:= (\S+)|from (\S+) to (\S+))", line)
    assert place is not None, line
    assert all(0.5 < float(z) < 1.5 for z in place.groups() if z is not None)


def test_a_run_says_where_a_framework_that_is_its_subject_makes_nan(
    monkeypatch: pytest.MonkeyPatch, plant: Plant
) -> None:
    plant("sin", lambda z: 0.0 * z)
    monkeypatch.setitem(walk.UNARY_AND_MERGES, "sin", sin_of_nan)
    settings = Settings(
        frameworks.jax(), oracles=("ball",), ops=("dense", "sin", "sse"), dtypes=("float32",), examples=10, points=4
    )
    (finding,) = verify(settings).run_file.run.findings
    assert (finding.verdict, finding.odd_one_out) == ("BROKE_CONTRACT", None)
    (line,) = finding.diagnosis
    place = re.fullmatch(r"jax sin is off at z (?:= (\S+)|from (\S+) to (\S+))", line)
    assert place is not None, line
    assert all(float(z) > 3.0 for z in place.groups() if z is not None)
