"""The contract of a subject: what one answer for one point must look like, and how a breach is told.

Values are not judged here: NaN and infinity pass through, for they are a breach only where the truth is
finite, which the judge knows.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from crosscheck.spec.architecture import Architecture
from crosscheck.spec.case import Case
from crosscheck.spec.dtypes import is_floating
from crosscheck.spec.errors import ContractBroken
from crosscheck.spec.op import Shape
from crosscheck.spec.result import Array, Gradients

ANSWER = "an answer is (loss, gradients), a number and a dict of NumPy arrays by key, or a Gradients"
LOSS = "a loss is one real number: a float, a NumPy scalar or a 0-d array"
# How to make a NumPy array of what is not one, by the package that the value comes from.
INTO_NUMPY = {"torch": "x.detach().numpy()", "jax": "np.asarray(x)", "jaxlib": "np.asarray(x)"}


@dataclass(frozen=True, eq=False)
class PointAnswer:
    """A checked answer for one point: arrays without a leading axis, copied, in the dtype of the case.

    `inputs` has those floating inputs whose gradient the subject gave.
    """

    loss: np.float64
    params: dict[str, Array]
    inputs: dict[str, Array]

    def tensors(self) -> Iterator[tuple[str, Array]]:
        yield from self.params.items()
        yield from self.inputs.items()


def checked_point(answer: object, case: Case, index: int) -> PointAnswer:
    """The answer for point `index` of the case, `(loss, dict)` or `Gradients` without a leading axis, as a record.

    Each gradient is an ndarray of its tensor's shape and of the case's dtype (a NumPy scalar where the shape
    is ()); the keys are the architecture's params, all of them, and any of its floating inputs. `by_node` and
    `outputs` of a `Gradients` are not read. Raises ContractBroken with rule `type`, `loss`, `keys`, `shape` or
    `dtype`.
    """
    loss, given = _parts(answer, index)
    architecture = case.architecture
    _check_keys(given, architecture, index)
    params = {k: _checked(given[k], k, shape, case, index) for k, shape in architecture.param_shapes.items()}
    inputs = {
        i.name: _checked(given[i.name], i.name, i.shape, case, index)
        for i in architecture.inputs
        if i.name in given and i.name not in params
    }
    return PointAnswer(_checked_loss(loss, index), params, inputs)


def checked_loss(answer: object, index: int) -> np.float64:
    """The loss alone of an answer. Raises ContractBroken with rule `type` or `loss`."""
    return _checked_loss(_parts(answer, index)[0], index)


def readable_point(answer: object, case: Case, index: int) -> PointAnswer:
    """What of an answer can be read, though it breaks the contract: `params` and `inputs` hold the gradients it has.

    They are in whatever floating dtype they came. Raises ContractBroken with rule `type`, `loss`, `shape` or `dtype`,
    and `keys` where there is none of those asked for.
    """
    loss, given = _parts(answer, index)
    architecture = case.architecture
    shapes = {i.name: i.shape for i in architecture.inputs if i.name in architecture.float_inputs}
    shapes |= architecture.param_shapes
    if not given.keys() & shapes.keys():
        _check_keys(given, architecture, index)
    found = {k: _checked(given[k], k, shape, case, index, exactly=False) for k, shape in shapes.items() if k in given}
    params = {k: array for k, array in found.items() if k in architecture.param_shapes}
    inputs = {k: array for k, array in found.items() if k not in params}
    return PointAnswer(_checked_loss(loss, index), params, inputs)


def place_of(tensor: str, architecture: Architecture) -> str:
    """Where a tensor stands, in words: `node 0 (dense)`, `nodes 0 and 2 (dense)`, `the input`, `the targets`."""
    users = [i for i, node in enumerate(architecture.nodes) if tensor in node.params.values()]
    if not users:
        return "the targets" if tensor == "targets" else "the input"
    op = architecture.nodes[users[0]].op
    if len(users) == 1:
        return f"node {users[0]} ({op})"
    return f"nodes {', '.join(map(str, users[:-1]))} and {users[-1]} ({op})"


def entry(tensor: str, index: tuple[int, ...]) -> str:
    """`0.weight[2,1]`, or the name alone for a scalar."""
    return f"{tensor}[{','.join(map(str, index))}]" if index else tensor


def _parts(answer: object, index: int) -> tuple[object, Mapping[Any, object]]:
    if isinstance(answer, Gradients):
        loss, *mappings = answer.loss, answer.by_input, answer.by_param
    elif not isinstance(answer, tuple):
        raise ContractBroken(f"subject returned {_a(answer)}; {ANSWER}", rule="type", point=index)
    elif len(answer) != 2:
        raise ContractBroken(f"subject returned a tuple of {len(answer)}; {ANSWER}", rule="type", point=index)
    else:
        loss, *mappings = answer
    given: dict[Any, object] = {}
    for mapping in mappings:
        if not isinstance(mapping, Mapping):
            raise ContractBroken(f"subject returned its gradients as {_a(mapping)}; {ANSWER}", rule="type", point=index)
        given |= mapping
    return loss, given


def _check_keys(given: Mapping[Any, object], architecture: Architecture, index: int) -> None:
    needed = architecture.param_shapes
    missing = [key for key in needed if key not in given]
    unexpected = [key for key in given if key not in needed and key not in architecture.float_inputs]
    if not missing and not unexpected:
        return
    faults = []
    if missing:
        faults.append("no gradient of " + ", ".join(f"{k} of {place_of(k, architecture)}" for k in missing))
    if unexpected:
        plural = "" if len(unexpected) == 1 else "s"
        faults.append(f"the unexpected key{plural} {', '.join(map(repr, unexpected))}")
    wanted = f"the keys are {', '.join(needed)}" if needed else "this architecture has no params"
    if architecture.float_inputs:
        wanted += f", and {', '.join(architecture.float_inputs)} where the input's gradient is given"
    first = missing[0] if missing else str(unexpected[0])
    message = f"subject returned {', and '.join(faults)}; {wanted}"
    raise ContractBroken(message, rule="keys", point=index, tensor=first)


def _checked(value: object, key: str, shape: Shape, case: Case, index: int, *, exactly: bool = True) -> Array:
    """A copy of the array, of the case's dtype; of any floating one where it need not be `exactly` that."""
    place = place_of(key, case.architecture)
    wanted = np.dtype(case.dtype)
    # NumPy's reductions to a scalar give a NumPy scalar, not a 0-d array.
    is_array = isinstance(value, np.ndarray) or (not shape and isinstance(value, np.generic))
    if not is_array or isinstance(value, np.ma.MaskedArray):
        rule = f"a gradient is a NumPy array, here of shape {shape} and dtype {wanted} for {place}"
        raise ContractBroken(
            f"subject returned {key} as {_a(value)}; {rule}{hint(value)}", rule="type", point=index, tensor=key
        )
    array = np.array(value)  # a copy: a subject may return the same buffer for every point
    if array.shape != shape:
        message = f"subject returned {key} of shape {array.shape}; {place} needs {shape}"
        raise ContractBroken(message, rule="shape", point=index, tensor=key)
    if array.dtype != wanted and (exactly or not is_floating(array.dtype)):
        message = f"subject returned {key} of dtype {array.dtype}; {place} needs {wanted}, the dtype of the case"
        raise ContractBroken(message, rule="dtype", point=index, tensor=key)
    return array


def _checked_loss(loss: object, index: int) -> np.float64:
    """A float64 holds every float exactly, and every number of a narrower dtype."""
    if isinstance(loss, np.ndarray) and loss.shape:
        raise ContractBroken(f"subject returned a loss of shape {loss.shape}; {LOSS}", rule="loss", point=index)
    if isinstance(loss, np.ndarray | np.generic):
        if not is_floating(loss.dtype) and loss.dtype.kind not in "iu":
            raise ContractBroken(f"subject returned a loss of dtype {loss.dtype}; {LOSS}", rule="loss", point=index)
        with np.errstate(over="ignore"):  # a longdouble may be larger than any float64: infinite
            return np.float64(loss)
    if isinstance(loss, bool) or not isinstance(loss, float | int):
        message = f"subject returned its loss as {_a(loss)}; {LOSS}{hint(loss)}"
        raise ContractBroken(message, rule="loss", point=index)
    try:
        return np.float64(loss)
    except OverflowError:
        message = f"subject returned its loss as an int beyond float64; {LOSS}"
        raise ContractBroken(message, rule="loss", point=index) from None


def _a(value: object) -> str:
    """A value by its type, with an article: `a list`, `an int`, `None`, `a torch.Tensor`."""
    if value is None:
        return "None"
    kind = type(value)
    package = kind.__module__.partition(".")[0]
    if package in INTO_NUMPY:
        name = f"{'jax' if package == 'jaxlib' else package}.{kind.__name__.removesuffix('Impl')}"
    else:
        name = kind.__name__
    return f"{'an' if name[0].lower() in 'aeio' else 'a'} {name}"


def hint(value: object) -> str:
    """How a NumPy array is made of it, where that is known: a text to stand behind a message."""
    into = INTO_NUMPY.get(type(value).__module__.partition(".")[0])
    return f" ({into} makes one of it)" if into else ""
