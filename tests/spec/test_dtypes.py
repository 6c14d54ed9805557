"""The dtypes of a case: bfloat16 is one that NumPy does not bring, and does not take for a float."""

from __future__ import annotations

import subprocess
import sys

import numpy as np
import pytest
from builders import case_of

from crosscheck.spec import Case, SpecError
from crosscheck.spec.dtypes import DTYPES, HALF, as_read, as_stored, dtype_named, is_floating

WITHOUT = "import sys; sys.modules['ml_dtypes'] = None\n"
MISSING = (
    "here: bfloat16 is no dtype of NumPy's own and needs the package ml_dtypes, which cannot be imported here (import "
    "of ml_dtypes halted; None in sys.modules); install it with pip install 'crosscheck[half]'"
)


@pytest.mark.parametrize("name", DTYPES)
def test_every_dtype_is_one_of_floats_and_knows_its_name(name: str) -> None:
    dtype = dtype_named(name, "here")
    assert dtype.name == name
    assert is_floating(dtype)
    assert (dtype.itemsize == 2) == (name in HALF)


@pytest.mark.parametrize("other", [np.dtype(np.int64), np.dtype(bool), np.dtype("V2"), np.dtype("<u2"), np.dtype("O")])
def test_other_dtypes_are_none_of_floats(other: np.dtype) -> None:
    assert not is_floating(other)


def test_another_name_is_refused_with_those_there_are() -> None:
    with pytest.raises(SpecError) as error:
        dtype_named("float8", "here")
    assert str(error.value) == "here: dtype is 'float8', must be one of float64, float32, float16, bfloat16"


def test_without_ml_dtypes_bfloat16_is_refused_and_the_others_are_there(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "ml_dtypes", None)
    with pytest.raises(SpecError) as error:
        dtype_named("bfloat16", "here")
    assert str(error.value) == MISSING
    assert [dtype_named(name, "here").name for name in DTYPES[:3]] == list(DTYPES[:3])


def test_the_other_dtypes_never_import_ml_dtypes() -> None:
    program = WITHOUT + (
        "import numpy as np\n"
        "from crosscheck.spec import Case, parse\n"
        "x = np.ones((1, 2), np.float16)\n"
        "case = Case(parse('x[2] -> sse'), {}, {'x': x}, x, 'float16')\n"
        "assert Case.from_bytes(case.to_bytes()).astype('float32').astype('float64').n_points == 1"
    )
    subprocess.run([sys.executable, "-c", program], check=True)


def test_a_file_in_bfloat16_is_refused_without_ml_dtypes() -> None:
    program = WITHOUT + (
        "from crosscheck.spec import Case, SpecError\n"
        "try: Case.from_bytes(sys.stdin.buffer.read())\n"
        "except SpecError as error: print(error)"
    )
    data = case_of("x[2] -> sse", dtype="bfloat16").to_bytes()
    found = subprocess.run([sys.executable, "-c", program], input=data, capture_output=True, check=True)
    assert found.stdout.decode().startswith("case: bfloat16 is no dtype of NumPy's own and needs the package ml_dtypes")


def test_bits_go_to_a_file_and_come_back() -> None:
    numbers = np.array([1.0, -0.0, 3.0], dtype_named("bfloat16", "here"))
    assert as_stored(numbers).tolist() == [0x3F80, 0x8000, 0x4040]
    assert as_read(as_stored(numbers), "bfloat16", "here").tobytes() == numbers.tobytes()
    assert as_read(as_stored(numbers), "bfloat16", "here").dtype == numbers.dtype


@pytest.mark.parametrize("dtype", HALF)
def test_a_16_bit_case_is_exact_in_float64_and_back(dtype: str) -> None:
    case = case_of("x[3,4] -> dense(5) -> softmax_cross_entropy", dtype=dtype, points=3)
    back = case.astype("float64").astype(dtype)
    assert back.key == case.key
    assert case.astype("float64").key != case.key
    assert case.targets.dtype == np.int64


@pytest.mark.parametrize("bits", [0x7F80, 0xFF80, 0x7FC0, 0x7F81, 0xFFFF])
def test_no_bits_of_infinity_or_nan_make_a_case(bits: int) -> None:
    case = case_of("x[1] -> sse", dtype="bfloat16")
    x = np.array([[bits]], np.uint16).view(case.targets.dtype)
    with pytest.raises(SpecError, match="holds NaN or infinity"):
        Case(case.architecture, {}, {"x": x}, x, "bfloat16")


def test_numbers_that_are_too_large_for_float16_are_refused() -> None:
    x = np.full((1, 2), 1e5)
    case = Case(case_of("x[2] -> sse").architecture, {}, {"x": x}, x)
    with pytest.raises(SpecError, match=r"^case: input 'x' holds NaN or infinity; the numbers of a case are finite$"):
        case.astype("float16")
    assert float(case.astype("bfloat16").inputs["x"][0, 0]) == 99840.0
