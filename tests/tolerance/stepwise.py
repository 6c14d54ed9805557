"""The least accurate right way in a format: every elementary result rounded to nearest, sums added up one by one."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from crosscheck.backprop import network
from crosscheck.backprop.rows import Rows
from crosscheck.spec.case import Case
from crosscheck.tolerance.rounding import Rounded, Rounding


class OneByOne(Rounding):
    """A rounding that is no random one, without a word about what cannot be decided."""

    def nearest(self, values: Any) -> np.ndarray:
        return np.asarray(values).astype(np.dtype(self.format.name)).astype(np.float64)

    def rounded(self, values: Any, amplitude: Any, *operands: Any) -> Rounded:
        return Stepwise(self.nearest(values), self)

    def compare(self, ufunc: np.ufunc, a: Any, b: Any) -> Any:
        return ufunc(a, b)

    def with_phase(self, z: Any) -> Any:
        return z


class Stepwise(Rounded):
    """Its sums and products of matrices add one term after the other, and every partial sum is rounded."""

    __slots__ = ()

    def _own(self, found: Any) -> Any:
        return Stepwise(found.data, self.rounding) if isinstance(found, Rounded) else found

    def __getitem__(self, index: Any) -> Rounded:
        return self._own(super().__getitem__(index))

    def reshape(self, *shape: Any) -> Rounded:
        return self._own(super().reshape(*shape))

    def swapaxes(self, a: int, b: int) -> Rounded:
        return self._own(super().swapaxes(a, b))

    def max(self, axis: int, keepdims: bool = False) -> Rounded:
        return self._own(super().max(axis, keepdims))

    def noised(self, amount: Any, *told_apart_by: Any) -> Rounded:
        return self  # an error model is no part of the way

    def __array_ufunc__(self, ufunc: np.ufunc, method: str, *inputs: Any, **kwargs: Any) -> Any:
        return self._own(super().__array_ufunc__(ufunc, method, *inputs, **kwargs))

    def __array_function__(self, function: Any, types: Any, args: Any, kwargs: Any) -> Any:
        return self._own(super().__array_function__(function, types, args, kwargs))

    def _sum(self, data: Any, axis: int, keepdims: bool) -> Rounded:
        first, *others = np.moveaxis(data, axis, 0)
        for term in others:
            first = self.rounding.nearest(first + term)  # type: ignore[attr-defined]
        return Stepwise(np.expand_dims(first, axis) if keepdims else first, self.rounding)

    def _matmul(self, a: Any, b: Any) -> Rounded:
        nearest = self.rounding.nearest  # type: ignore[attr-defined]
        total = nearest(a[..., :, :1] * b[..., :1, :])
        for k in range(1, a.shape[-1]):
            total = nearest(total + nearest(a[..., :, k : k + 1] * b[..., k : k + 1, :]))
        return Stepwise(total, self.rounding)


def gradients(case: Case, rows: Rows) -> Mapping[str, np.ndarray]:
    """The loss and all gradients of a case by these rows, in the case's dtype, by name; those that exist."""
    rounding = OneByOne.of(case.dtype, case.key, 1, case.n_points)

    def array(values: Any) -> Stepwise:
        return Stepwise(np.asarray(values, np.float64)[np.newaxis], rounding)

    architecture = case.architecture
    targets = array(case.targets) if architecture.target_dtype == "float" else case.targets[np.newaxis]
    with np.errstate(all="ignore"):
        params, inputs = ({k: array(v) for k, v in group.items()} for group in (case.params, case.inputs))
        weights = None if case.weights is None else array(case.weights)
        indices = {i.name: case.inputs[i.name][np.newaxis] for i in architecture.inputs if i.dtype != "float"}
        tape = network.forward(architecture, params, inputs, targets, rows, weights=weights, indices=indices)
        by_param, by_link = network.backward(tape, rows)
    found = by_param | {item.name: by_link[-i - 1] for i, item in enumerate(architecture.inputs) if -i - 1 in by_link}
    shapes = dict(architecture.param_shapes) | {i.name: i.shape for i in architecture.inputs} | {"loss": ()}
    plain = {k: v.data if isinstance(v, Rounded) else v for k, v in {**found, "loss": tape.loss}.items()}
    return {k: np.broadcast_to(v, (1, case.n_points, *shapes[k]))[0] for k, v in plain.items()}
