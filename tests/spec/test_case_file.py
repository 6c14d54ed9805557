"""The case file: an exact, deterministic round trip, and nothing in a broken or hostile file is believed or run."""

from __future__ import annotations

import io
import json
import os
import pickle
import subprocess
import sys
import zipfile
from pathlib import Path

import numpy as np
import pytest
from builders import case_of
from hypothesis import given
from hypothesis import strategies as st

from crosscheck.spec import Case, SpecError
from crosscheck.spec.dtypes import DTYPES
from crosscheck.strategies.cases import cases
from crosscheck.strategies.space import EVERYTHING

CASE = case_of("x[2,3]; k[2]:int64; x -> dense(2) -> tanh -> softmax_cross_entropy", points=2)
SAVED = CASE.to_bytes()


def members(data: bytes) -> dict[str, bytes]:
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        return {name: archive.read(name) for name in archive.namelist()}


def zipped(content: dict[str, bytes]) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for name, data in content.items():
            archive.writestr(name, data)
    return buffer.getvalue()


@given(cases(EVERYTHING, dtypes=DTYPES, points=2))
def test_a_case_comes_back_bit_by_bit(case: Case) -> None:
    again = Case.from_bytes(case.to_bytes())
    assert again.key == case.key
    assert (again.architecture, again.dtype) == (case.architecture, case.dtype)
    assert (again.family, again.aims_at_kinks) == (case.family, case.aims_at_kinks)
    assert again.to_bytes() == case.to_bytes()
    for group in ("params", "inputs"):
        for name, array in getattr(case, group).items():
            assert getattr(again, group)[name].tobytes() == array.tobytes()


def test_the_numbers_that_text_formats_lose_survive(tmp_path: Path) -> None:
    numbers = np.array([[-0.0, 5e-324, np.finfo(float).max, np.nextafter(1.0, 2.0)]])
    case = Case(CASE.architecture.from_json(b'{"inputs":[{"name":"x","shape":[4]}],"nodes":[],'
        b'"loss":{"op":"sse","attributes":{},"inputs":[-1]}}'), {}, {"x": numbers}, numbers)  # fmt: skip
    case.save(tmp_path / "case.npz")
    assert Case.load(tmp_path / "case.npz").inputs["x"].tobytes() == numbers.tobytes()


def test_the_bytes_are_those_of_another_process_at_another_time(tmp_path: Path) -> None:
    CASE.save(tmp_path / "case.npz")
    program = (
        "import sys, pathlib; from crosscheck.spec import Case\n"
        "sys.stdout.buffer.write(Case.load(pathlib.Path(sys.argv[1])).to_bytes())"
    )
    environment = {"PYTHONHASHSEED": "2", "TZ": "Asia/Tokyo"}
    command = [sys.executable, "-c", program, str(tmp_path / "case.npz")]
    found = subprocess.run(command, env=environment, capture_output=True, check=True)
    assert found.stdout == SAVED


def test_it_is_an_npz_that_numpy_alone_can_read() -> None:
    with np.load(io.BytesIO(SAVED), allow_pickle=False) as archive:
        assert sorted(archive.files) == ["header", "input:k", "input:x", "param:0.bias", "param:0.weight", "targets"]
        np.testing.assert_array_equal(archive["input:x"], CASE.inputs["x"])
        header = json.loads(archive["header"].tobytes())
    assert header["format"] == "crosscheck-case-1"
    assert header["architecture"] == json.loads(CASE.architecture.to_json())


def test_a_file_holds_the_bits_of_bfloat16_and_its_header_says_so() -> None:
    case = case_of("x[3] -> sse", dtype="bfloat16")
    with np.load(io.BytesIO(case.to_bytes()), allow_pickle=False) as archive:
        assert archive["input:x"].dtype == np.dtype("<u2")
        header = json.loads(archive["header"].tobytes())
        np.testing.assert_array_equal(archive["input:x"].view(case.inputs["x"].dtype), case.inputs["x"])
    assert header["dtype"] == "bfloat16"


@pytest.mark.parametrize(
    ("written", "claimed", "message"),
    [
        ("bfloat16", "float64", "case: input 'x' is uint16, must be an array of float64"),
        ("bfloat16", "float16", "case: input 'x' is uint16, must be an array of float16"),
        ("float16", "bfloat16", "case: input 'x' is float16, must be an array of bfloat16"),
        ("float32", "bfloat16", "case: input 'x' is float32, must be an array of bfloat16"),
    ],
)
def test_numbers_are_not_read_as_another_dtype_than_they_were_written_in(
    written: str, claimed: str, message: str
) -> None:
    content = members(case_of("x[3] -> sse", dtype=written).to_bytes())
    array = content["header.npy"].partition(b"\n")[2].replace(written.encode(), claimed.encode())
    header = io.BytesIO()
    np.lib.format.write_array(header, np.frombuffer(array, np.uint8))
    with pytest.raises(SpecError) as error:
        Case.from_bytes(zipped(content | {"header.npy": header.getvalue()}))
    assert str(error.value) == f"case: {message}"


class Trap:
    """Unpickling it makes a directory."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> tuple[object, ...]:
        return (os.mkdir, (str(self.path),))


@pytest.mark.parametrize("member", ["header.npy", "targets.npy", "param:0.weight.npy", "extra.npy", "extra"])
def test_a_pickle_is_refused_and_not_run(member: str, tmp_path: Path) -> None:
    trap = np.empty(1, object)
    trap[0] = Trap(tmp_path / "sprung")
    content = io.BytesIO()
    np.lib.format.write_array(content, trap, allow_pickle=True)
    hostile = zipped(members(SAVED) | {member: content.getvalue()})
    with pytest.raises(SpecError, match=r"is not an array of plain numbers as a case file holds it$"):
        Case.from_bytes(hostile)
    assert not (tmp_path / "sprung").exists()
    with np.load(io.BytesIO(hostile), allow_pickle=True) as archive:
        archive[member.removesuffix(".npy")]
    assert (tmp_path / "sprung").exists(), "the trap itself does not work"


def test_a_bare_pickle_is_refused_and_not_run(tmp_path: Path) -> None:
    with pytest.raises(SpecError, match="File is not a zip file"):
        Case.from_bytes(pickle.dumps(Trap(tmp_path / "sprung")))
    assert not (tmp_path / "sprung").exists()


def test_every_truncation_is_refused() -> None:
    for length in range(0, len(SAVED), 7):
        with pytest.raises(SpecError):
            Case.from_bytes(SAVED[:length])


@given(st.lists(st.tuples(st.integers(0, len(SAVED) - 1), st.integers(0, 255)), min_size=1, max_size=4))
def test_flipped_bytes_are_refused_or_harmless(flips: list[tuple[int, int]]) -> None:
    """Harmless: a time stamp, an attribute of the archive. The numbers are then those that were saved."""
    broken = bytearray(SAVED)
    for place, value in flips:
        broken[place] = value
    try:
        found = Case.from_bytes(bytes(broken))
    except SpecError:
        return
    assert found.key == CASE.key


@given(st.binary(max_size=200))
def test_garbage_is_refused(data: bytes) -> None:
    with pytest.raises(SpecError):
        Case.from_bytes(data)


@given(st.sampled_from(sorted(members(SAVED))), st.integers(0, 2000), st.binary(max_size=40))
def test_a_member_that_is_damaged_before_it_was_zipped(name: str, place: int, patch: bytes) -> None:
    """Here no checksum helps. What is still read is a valid case, or it is refused."""
    content = members(SAVED)
    damaged = content[name][:place] + patch + content[name][place + len(patch) :]
    try:
        found = Case.from_bytes(zipped(content | {name: damaged}))
    except SpecError:
        return
    assert Case.from_bytes(found.to_bytes()).key == found.key


def test_a_member_that_claims_to_be_huge_is_refused() -> None:
    for shape in ((10**15,), (10**30,), (-1,), (2**32, 2**32), (1,) * 90):
        content = io.BytesIO()
        np.lib.format.write_array_header_1_0(content, {"descr": "<f8", "fortran_order": False, "shape": shape})
        with pytest.raises(SpecError, match=r"^case, 'targets\.npy' "):
            Case.from_bytes(zipped(members(SAVED) | {"targets.npy": content.getvalue()}))


def test_an_encrypted_member_is_refused() -> None:
    locked = bytearray(zipped({"header.npy": b"abc"}))
    directory = locked.index(b"PK\x01\x02")
    locked[6] |= 1
    locked[directory + 8] |= 1
    with pytest.raises(SpecError, match="is encrypted"):
        Case.from_bytes(bytes(locked))
