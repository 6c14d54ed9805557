"""Every set of numbers that is no case, and every file that holds none, is refused with a sentence."""

from __future__ import annotations

import io
import json
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from builders import case_of, with_arrays

from crosscheck.spec import Case, SpecError

CASE = case_of("x[3,4] -> dense(2) -> sse", points=2)
CLASSES = case_of("x[3,4] -> softmax_cross_entropy", points=2)
NO_POINTS = "case: has no points; every array needs a leading axis of at least one point"
NOT_FINITE = "holds NaN or infinity; the numbers of a case are finite"


def case(**given: Any) -> Callable[[], Case]:
    whole = {"params": CASE.params, "inputs": CASE.inputs, "targets": CASE.targets, "dtype": "float64", **given}
    return lambda: Case(CASE.architecture, **whole)


x, y = CASE.inputs["x"], CASE.targets
# fmt: off
NUMBERS: list[tuple[Callable[[], Case], str]] = [
    (case(dtype="float8"), "case: dtype is 'float8', must be one of float64, float32, float16, bfloat16"),
    (case(dtype="float32"), "case: param '0.weight' is float64, must be an array of float32"),
    (case(params={}), "case: has params [], the architecture needs ['0.bias', '0.weight']"),
    (case(params={**CASE.params, "1.weight": x}),
     "case: has params ['0.bias', '0.weight', '1.weight'], the architecture needs ['0.bias', '0.weight']"),
    (case(inputs={"u": x}), "case: has inputs ['u'], the architecture needs ['x']"),
    (case(inputs={"x": x.tolist()}), "case: input 'x' is list, must be an array of float64"),
    (case(inputs={"x": x.astype(">f8")}), "case: input 'x' is >f8, must be an array of float64"),
    (case(inputs={"x": x.astype(int)}), "case: input 'x' is int64, must be an array of float64"),
    (case(inputs={"x": x[:1]}), "case: input 'x' has shape (1, 3, 4), must have (2, 3, 4)"),
    (case(inputs={"x": x[..., None]}), "case: input 'x' has shape (2, 3, 4, 1), must have (2, 3, 4)"),
    (case(inputs={"x": x * np.nan}), f"case: input 'x' {NOT_FINITE}"),
    (case(inputs={"x": x + np.inf}), f"case: input 'x' {NOT_FINITE}"),
    (case(targets=y * np.nan), f"case: targets {NOT_FINITE}"),
    (case(targets=y[..., :1]), "case: targets has shape (2, 3, 1), must have (2, 3, 2)"),
    (case(targets=y[:0]), NO_POINTS),
    (case(targets=np.float64(1.0)), NO_POINTS),
    (case(targets=None), NO_POINTS),
    (lambda: CASE.take([]), NO_POINTS),
    (lambda: CASE.astype("half"), "case: dtype is 'half', must be one of float64, float32, float16, bfloat16"),
    (lambda: with_arrays(CASE, inputs={"x": x * 1e300}).astype("float32"), f"case: input 'x' {NOT_FINITE}"),
    (lambda: with_arrays(CLASSES, targets=CLASSES.targets * 0 + 4),
     "case: targets hold class 4, the loss has classes 0 to 3"),
    (lambda: with_arrays(CLASSES, targets=CLASSES.targets * 0 - 1),
     "case: targets hold class -1, the loss has classes 0 to 3"),
    (lambda: with_arrays(CLASSES, targets=CLASSES.targets * 1.0),
     "case: targets is float64, must be an array of int64"),
]
# fmt: on


@pytest.mark.parametrize(("made", "message"), NUMBERS)
def test_numbers_that_are_no_case(made: Callable[[], Case], message: str) -> None:
    with pytest.raises(SpecError) as error:
        made()
    assert str(error.value) == message


def npy(array: np.ndarray) -> bytes:
    content = io.BytesIO()
    np.lib.format.write_array(content, array)
    return content.getvalue()


SAVED = CASE.to_bytes()
with zipfile.ZipFile(io.BytesIO(SAVED)) as archive:
    MEMBERS = {name: archive.read(name) for name in archive.namelist()}
HEADER = json.loads(MEMBERS["header.npy"].partition(b"\n")[2])


def file(leave_out: str = "", **members: bytes) -> bytes:
    """The saved case with members replaced, added (`.npy` is appended) or left out."""
    content = {k: v for k, v in MEMBERS.items() if k != leave_out} | {f"{k}.npy": v for k, v in members.items()}
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as written:
        for name, data in content.items():
            written.writestr(name, data)
    return buffer.getvalue()


def header(**fields: Any) -> bytes:
    return file(header=npy(np.frombuffer(json.dumps(HEADER | fields).encode(), np.uint8)))


NO_FILE = " is not a case file (an .npz without pickles): "
NO_ARRAY = "is not an array of plain numbers as a case file holds it"
# fmt: off
FILES: dict[str, tuple[bytes, str]] = {
    "empty": (b"", f"{NO_FILE}File is not a zip file"),
    "garbage": (b"hello" * 99, f"{NO_FILE}File is not a zip file"),
    "truncated": (SAVED[:-30], f"{NO_FILE}File is not a zip file"),
    "one array, not a zip": (npy(y), f"{NO_FILE}File is not a zip file"),
    "damaged": (SAVED.replace(b"PK\x03\x04", b"PK\x00\x00", 1), f"{NO_FILE}Bad magic number for file header"),
    "checksum": (file().replace(b'"family"', b'"famine"'), f"{NO_FILE}Bad CRC-32 for file 'header.npy'"),
    "an object array": (file(targets=b"\x93NUMPY\x01\x00v\x00{'descr': '|O', 'fortran_order': False, 'shape': (), }\n"),
                        f", 'targets.npy' {NO_ARRAY}"),
    "no array": (file(targets=b"3.5"), f", 'targets.npy' {NO_ARRAY}"),
    "Fortran's order": (file(targets=npy(np.asfortranarray(y))), f", 'targets.npy' {NO_ARRAY}"),
    "other numbers": (file(targets=npy(y.astype(complex))), f", 'targets.npy' {NO_ARRAY}"),
    "too short": (file(targets=npy(y)[:-8]),
                  ", 'targets.npy' has 88 bytes of numbers, which is not what shape (2, 3, 2) of float64 needs"),
    "too long": (file(targets=npy(y) + b"\0"),
                 ", 'targets.npy' has 97 bytes of numbers, which is not what shape (2, 3, 2) of float64 needs"),
    "no header": (file(leave_out="header.npy"), " has no header; a case file holds header.npy beside its arrays"),
    "numbers as header": (file(header=npy(y)), " has no header; a case file holds header.npy beside its arrays"),
    "header no JSON": (file(header=npy(np.zeros(3, np.uint8))),
                       ", header: JSON is malformed: invalid character (byte 0)"),
    "header no UTF-8": (file(header=npy(np.frombuffer(b'{"format":"\xff"}', np.uint8))),
                        ", header: 'utf-8' codec can't decode byte 0xff in position 0: invalid start byte"),
    "later format": (header(format="crosscheck-case-2"),
                     " has format 'crosscheck-case-2', this version reads 'crosscheck-case-1'"),
    "unknown field": (header(note="hi"), ", header: Object contains unknown field `note`"),
    "wrong field": (header(dtype=64), ", header: Expected `str`, got `int` - at `$.dtype`"),
    "no architecture": (header(architecture={}),
                        ", header: Object missing required field `inputs` - at `$.architecture`"),
    "broken architecture": (header(architecture=HEADER["architecture"] | {"inputs": []}),
                            ", header: an architecture needs at least one input, such as x[3,4] - at `$.architecture`"),
    "unknown array": (file(masks=npy(y)), " holds an unknown array 'masks'"),
    "weights nobody asked for": (file(weights=npy(y)),
                                 ": case: has weights, but its loss takes none: sse, weighted=false"),
    "array without a key": (file(**{"param:": npy(y)}), " holds an unknown array 'param:'"),
    "no targets": (file(leave_out="targets.npy"), " holds no targets"),
    "missing param": (file(leave_out="param:0.bias.npy"),
                      ": case: has params ['0.weight'], the architecture needs ['0.bias', '0.weight']"),
    "not the dtype it says": (header(dtype="float32"),
                              ": case: param '0.weight' is float64, must be an array of float32"),
    "not finite": (file(targets=npy(y * np.nan)), f": case: targets {NOT_FINITE}"),
}
# fmt: on


@pytest.mark.parametrize("kind", FILES)
def test_files_that_hold_no_case(kind: str, tmp_path: Path) -> None:
    data, message = FILES[kind]
    path = tmp_path / "broken.npz"
    path.write_bytes(data)
    with pytest.raises(SpecError) as error:
        Case.load(path)
    assert str(error.value) == f"case file {path}{message}"


def test_a_name_that_stands_twice() -> None:
    twice = io.BytesIO(file())
    with zipfile.ZipFile(twice, "a") as written:
        written.writestr("targets", npy(y))
    with pytest.raises(SpecError, match=r"^case holds 'targets' twice$"):
        Case.from_bytes(twice.getvalue())


def test_files_that_are_not_there(tmp_path: Path) -> None:
    for path, message in ((tmp_path / "none.npz", "No such file or directory"), (tmp_path, "Is a directory")):
        with pytest.raises(SpecError) as error:
            Case.load(path)
        assert str(error.value) == f"case file {path}: {message}"


def test_the_unbroken_file_is_read() -> None:
    assert Case.from_bytes(file()).key == Case.from_bytes(header()).key == CASE.key
