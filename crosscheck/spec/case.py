"""A case: an architecture with numbers, as many points as one likes; and one point of it."""

from __future__ import annotations

import hashlib
import io
import math
import re
import zipfile
import zlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
from numpy.typing import NDArray

from crosscheck.spec.architecture import Architecture
from crosscheck.spec.dtypes import DTYPES as DTYPES
from crosscheck.spec.dtypes import as_read, as_stored, dtype_named, is_floating
from crosscheck.spec.errors import SpecError
from crosscheck.spec.frozen import FrozenDict
from crosscheck.spec.op import Shape

Array = NDArray[Any]
CASE_FORMAT = "crosscheck-case-1"
# How the arrays of a case lie in memory when a subject is given them, simplest first.
ORDERS = ("C", "F", "strided")
# What zipfile and zlib raise for archives that are broken, truncated or encrypted.
BROKEN_ARCHIVE = (ValueError, OSError, EOFError, KeyError, RuntimeError, zipfile.BadZipFile, zlib.error)
# The .npy header of a C-ordered array, format 1.0, as NumPy writes it.
ARRAY = re.compile(
    rb"\x93NUMPY\x01\x00..{'descr': '(?P<dtype><f8|<f4|<f2|<u2|<i8|\|b1|\|u1)', 'fortran_order': False, "
    rb"'shape': \((?P<shape>[0-9, ]{0,60})\), } *\n",
    re.DOTALL,
)


@dataclass(frozen=True)
class Point:
    """One full set of numbers for an architecture: no leading axis.

    `params` by key (`"0.weight"`, shape (out, in)), `inputs` by name, `targets` as the loss wants them,
    `weights` of the samples where the loss has them.
    """

    params: dict[str, Array]
    inputs: dict[str, Array]
    targets: Array
    weights: Array | None = None


@dataclass(frozen=True, eq=False)
class Case:
    """An architecture and P points: every array has the leading axis P.

    Floating arrays are of `dtype` (for bfloat16 that of ml_dtypes); integer inputs and class targets are int64.
    `weights` (P, n), of the samples, stand there where the loss is `weighted`: none is negative, not all are zero.
    `order` says how a subject is given them: C or Fortran contiguous, or as every second number of a longer array.
    Arrays are read-only. `aims_at_kinks` says that the values were drawn to hit kinks and ties. Raises SpecError
    naming the array, what it is and what it must be.
    """

    architecture: Architecture
    params: Mapping[str, Array]
    inputs: Mapping[str, Array]
    targets: Array
    dtype: str = "float64"
    family: str = field(default="given")
    aims_at_kinks: bool = False
    weights: Array | None = None
    order: str = "C"

    def __post_init__(self) -> None:
        if self.order not in ORDERS:
            raise SpecError(f"case: order is {self.order!r}, must be one of {', '.join(ORDERS)}")
        dtype_named(self.dtype, "case")
        architecture = self.architecture
        if set(self.params) != set(architecture.param_shapes):
            raise SpecError(
                f"case: has params {sorted(self.params)}, the architecture needs {sorted(architecture.param_shapes)}"
            )
        if set(self.inputs) != {i.name for i in architecture.inputs}:
            raise SpecError(
                f"case: has inputs {sorted(self.inputs)}, the architecture needs "
                f"{sorted(i.name for i in architecture.inputs)}"
            )
        points = np.shape(self.targets)[0] if np.ndim(self.targets) else 0
        if points < 1:
            raise SpecError("case: has no points; every array needs a leading axis of at least one point")
        params = {
            k: self._checked(self.params[k], "float", shape, points, f"param {k!r}")
            for k, shape in architecture.param_shapes.items()
        }
        inputs = {
            i.name: self._checked(self.inputs[i.name], i.dtype, i.shape, points, f"input {i.name!r}")
            for i in architecture.inputs
        }
        targets = self._checked(self.targets, architecture.target_dtype, architecture.target_shape, points, "targets")
        self._check_classes(targets)
        self._check_ranges(inputs)
        weights = self._checked_weights(points)
        checked = {"params": FrozenDict(params), "inputs": FrozenDict(inputs), "targets": targets, "weights": weights}
        for name, value in checked.items():
            object.__setattr__(self, name, value)

    def _checked(self, array: object, dtype: str, shape: Shape, points: int, place: str) -> Array:
        wanted = dtype_named(self.dtype, "case") if dtype == "float" else np.dtype(dtype)
        if not isinstance(array, np.ndarray) or array.dtype != wanted:
            found = array.dtype if isinstance(array, np.ndarray) else type(array).__name__
            raise SpecError(f"case: {place} is {found}, must be an array of {wanted}")
        if array.shape != (points, *shape):
            raise SpecError(f"case: {place} has shape {array.shape}, must have {(points, *shape)}")
        with np.errstate(invalid="ignore"):  # a signalling NaN of bfloat16 would warn
            finite = not is_floating(wanted) or np.isfinite(array).all()
        if not finite:
            raise SpecError(f"case: {place} holds NaN or infinity; the numbers of a case are finite")
        copy = np.array(array, order="C")
        copy.flags.writeable = False
        return copy

    def _check_classes(self, targets: Array) -> None:
        if self.architecture.target_dtype != "int64":
            return
        classes = self.architecture.shape_of(self.architecture.loss.inputs[0])[-1]
        ignored = self.architecture.loss.attributes.get("ignore_index")
        wrong = targets[((targets < 0) | (targets >= classes)) & (targets != ignored)]
        if wrong.size:
            raise SpecError(f"case: targets hold class {wrong.flat[0]}, the loss has classes 0 to {classes - 1}")

    def _check_ranges(self, inputs: Mapping[str, Array]) -> None:
        """Indices are in range, and positive is what must be."""
        for name, array in inputs.items():
            for slot in self.architecture.slots_of(name):
                if slot.dtype == "int64":
                    wrong = array[(array < 0) | (array >= slot.below)]
                    rule = f"it holds indices from 0 to {slot.below - 1}"
                elif slot.positive:
                    wrong = array[~((array > 0) & (array < slot.under))]
                    rule = "it must be positive" if slot.under == math.inf else f"it must lie in (0, {slot.under:g})"
                else:
                    continue
                if wrong.size:
                    raise SpecError(f"case: input {name!r} holds {wrong.flat[0]}; {rule}")

    def _checked_weights(self, points: int) -> Array | None:
        shape = self.architecture.weights_shape
        if (self.weights is None) != (shape is None):
            needed = "needs weights of the samples" if self.weights is None else "has weights, but its loss takes none"
            raise SpecError(f"case: {needed}: {self.architecture.loss.op}, weighted={str(shape is not None).lower()}")
        if shape is None:
            return None
        weights = self._checked(self.weights, "float", shape, points, "weights")
        if (weights < 0).any() or not (weights > 0).any(axis=-1).all():
            raise SpecError("case: the weights of each point are not negative, and not all zero")
        return weights

    def __reduce__(self) -> tuple[Any, ...]:
        # Made anew: an array that was pickled or copied comes back writable.
        params, inputs = dict(self.params), dict(self.inputs)
        return (
            Case,
            (
                self.architecture,
                params,
                inputs,
                self.targets,
                self.dtype,
                self.family,
                self.aims_at_kinks,
                self.weights,
                self.order,
            ),
        )

    @property
    def n_points(self) -> int:
        return int(self.targets.shape[0])

    def point(self, index: int) -> Point:
        """Point `index` with fresh, writable copies of its arrays; what has no axis of its own is a 0-d array."""
        return Point(
            params={k: self.handed(a[index]) for k, a in self.params.items()},
            inputs={k: self.handed(a[index]) for k, a in self.inputs.items()},
            targets=self.handed(self.targets[index]),
            weights=None if self.weights is None else self.handed(self.weights[index]),
        )

    def handed(self, array: Array) -> Array:
        """A fresh, writable copy as it lies in memory by `order`; a 0-d array is what it is."""
        if self.order == "strided" and np.ndim(array):
            longer = np.zeros((*array.shape[:-1], 2 * array.shape[-1]), array.dtype)
            longer[..., ::2] = array
            return longer[..., ::2]
        return np.array(array, order="F" if self.order == "F" else "C")

    def take(self, indices: list[int]) -> Case:
        """The case with only these points."""
        return Case(
            self.architecture,
            {k: a[indices] for k, a in self.params.items()},
            {k: a[indices] for k, a in self.inputs.items()},
            self.targets[indices],
            self.dtype,
            self.family,
            self.aims_at_kinks,
            None if self.weights is None else self.weights[indices],
            self.order,
        )

    def astype(self, dtype: str) -> Case:
        """The same numbers in another dtype: exact in one that holds them all, as float64 does, else rounded.

        Raises SpecError where a number is too large for the dtype.
        """
        wanted = dtype_named(dtype, "case")

        def cast(array: Array) -> Array:
            return array.astype(wanted) if is_floating(array.dtype) else array

        with np.errstate(over="ignore"):  # what overflows is refused as infinite
            params = {k: cast(a) for k, a in self.params.items()}
            inputs = {k: cast(a) for k, a in self.inputs.items()}
            targets = cast(self.targets)
            weights = None if self.weights is None else cast(self.weights)
        held = (dtype, self.family, self.aims_at_kinks, weights, self.order)
        return Case(self.architecture, params, inputs, targets, *held)

    @cached_property
    def key(self) -> str:
        """A hash of architecture, dtype and numbers: same key, same question, same randomness about it."""
        digest = hashlib.sha256(self.architecture.to_json())
        digest.update(self.dtype.encode())
        for name, array in self._arrays().items():
            digest.update(f"\0{name}\0{array.dtype.str}\0{array.shape}\0".encode())
            digest.update(np.ascontiguousarray(array).tobytes())
        return digest.hexdigest()

    def _arrays(self) -> dict[str, Array]:
        """As they are stored."""
        named = {f"param:{k}": a for k, a in sorted(self.params.items())}
        named |= {f"input:{k}": a for k, a in sorted(self.inputs.items())}
        named["targets"] = self.targets
        if self.weights is not None:
            named["weights"] = self.weights
        return {name: as_stored(a) for name, a in named.items()}

    def to_bytes(self) -> bytes:
        """The case as the bytes of an .npz file: a JSON header and plain arrays; deterministic."""
        header = {
            "format": CASE_FORMAT,
            "architecture": msgspec.Raw(self.architecture.to_json()),
            "dtype": self.dtype,
            "family": self.family,
            "aims_at_kinks": self.aims_at_kinks,
            "order": self.order,
        }
        members = {"header": np.frombuffer(msgspec.json.encode(header, order="sorted"), np.uint8)}
        members |= self._arrays()
        buffer = io.BytesIO()
        with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
            for name, array in members.items():
                content = io.BytesIO()
                np.lib.format.write_array(content, np.asarray(array), allow_pickle=False)
                stamp = zipfile.ZipInfo(f"{name}.npy", date_time=(1980, 1, 1, 0, 0, 0))
                archive.writestr(stamp, content.getvalue())
        return buffer.getvalue()

    def save(self, path: Path) -> None:
        path.write_bytes(self.to_bytes())

    @classmethod
    def load(cls, path: Path) -> Case:
        """Read what `save` wrote; raises SpecError naming the file and what is wrong with it."""
        try:
            data = path.read_bytes()
        except OSError as error:
            raise SpecError(f"case file {path}: {error.strerror}") from None
        return cls.from_bytes(data, place=f"case file {path}")

    @classmethod
    def from_bytes(cls, data: bytes, place: str = "case") -> Case:
        """Inverse of `to_bytes`; never unpickles. Raises SpecError for anything malformed."""
        arrays = _read_members(data, place)
        if "header" not in arrays or arrays["header"].dtype != np.uint8:
            raise SpecError(f"{place} has no header; a case file holds header.npy beside its arrays")
        try:
            header = msgspec.json.decode(arrays.pop("header").tobytes(), type=_Header)
        except (msgspec.DecodeError, UnicodeError) as error:
            raise SpecError(f"{place}, header: {error}") from None
        if header.format != CASE_FORMAT:
            raise SpecError(f"{place} has format {header.format!r}, this version reads {CASE_FORMAT!r}")
        targets, weights = arrays.pop("targets", None), arrays.pop("weights", None)
        named: dict[str, dict[str, Array]] = {"param": {}, "input": {}}
        for name, array in arrays.items():
            kind, _, key = name.partition(":")
            if kind not in named or not key:
                raise SpecError(f"{place} holds an unknown array {name!r}")
            named[kind][key] = as_read(array, header.dtype, place)
        if targets is None:
            raise SpecError(f"{place} holds no targets")
        try:
            return cls(
                header.architecture,
                named["param"],
                named["input"],
                as_read(targets, header.dtype, place),
                header.dtype,
                header.family,
                header.aims_at_kinks,
                None if weights is None else as_read(weights, header.dtype, place),
                header.order,
            )
        except SpecError as error:
            raise SpecError(f"{place}: {error}") from None


class _Header(msgspec.Struct, forbid_unknown_fields=True):
    format: str
    architecture: Architecture
    dtype: str
    family: str
    aims_at_kinks: bool
    order: str = "C"


def _read_members(data: bytes, place: str) -> dict[str, Array]:
    """The arrays of an .npz by name."""
    arrays: dict[str, Array] = {}
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            members = [(member.filename, archive.read(member)) for member in archive.infolist()]
    except BROKEN_ARCHIVE as error:
        raise SpecError(f"{place} is not a case file (an .npz without pickles): {error}") from None
    for filename, content in members:
        name = filename.removesuffix(".npy")
        if name in arrays:
            raise SpecError(f"{place} holds {name!r} twice")
        arrays[name] = _read_array(content, f"{place}, {filename!r}")
    return arrays


def _read_array(content: bytes, place: str) -> Array:
    """One array as `to_bytes` writes it. NumPy's own reader evaluates the header and allocates what it claims."""
    found = ARRAY.match(content)
    if not found:
        raise SpecError(f"{place} is not an array of plain numbers as a case file holds it")
    dtype, numbers = np.dtype(found["dtype"].decode()), content[found.end() :]
    shape = tuple(int(size) for size in found["shape"].split(b",") if size.strip())
    if len(numbers) != math.prod(shape) * dtype.itemsize:
        raise SpecError(
            f"{place} has {len(numbers)} bytes of numbers, which is not what shape {shape} of {dtype} needs"
        )
    return np.ndarray(shape, dtype, numbers)
