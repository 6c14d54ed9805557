"""A finding as a test of its own: a file that pytest runs, with the numbers of the smallest case in it."""

from __future__ import annotations

import textwrap
from collections.abc import Iterator, Mapping

import numpy as np

from crosscheck.report.sections import findings, words
from crosscheck.spec.case import Case
from crosscheck.spec.record import Finding, Run
from crosscheck.spec.result import Array

# A case of more numbers is read from the file beside the test.
MOST_NUMBERS = 200
WIDTH = 110


def name_of(finding: Finding) -> str:
    """`test_5f1c9a.py`."""
    return f"test_{_identifier(finding.id)}.py"


def text(finding: Finding, run: Run, case: Case) -> str:
    """The source of the test. It fails as long as the finding stands, and passes once it is mended."""
    subject = finding.odd_one_out if findings.is_oracles(finding) else run.subject
    lines = [
        *_docstring(finding, run),
        "",
        *(["from pathlib import Path", ""] if not _is_short(case) else []),
        *(["import numpy as np", ""] if _is_short(case) else []),
        "import crosscheck",
        "",
        f"SUBJECT = {subject!r}",
        "",
        "",
        f"def test_{_identifier(finding.id)}() -> None:",
        *(_spelled_out(case) if _is_short(case) else _loaded(finding)),
        f"    crosscheck.check_case(SUBJECT, case{_of_tensor(finding)})",
    ]
    return "\n".join(lines) + "\n"


def _of_tensor(finding: Finding) -> str:
    """Which gradient it is about: at a kink nothing else would be verified of a subject that is right."""
    told = finding.verdict == "DISAGREES" and finding.tensor not in (None, "loss")
    return f", tensor={finding.tensor!r}" if told else ""


def _identifier(identity: str) -> str:
    return "".join(letter if letter.isalnum() else "_" for letter in identity)


def _docstring(finding: Finding, run: Run) -> Iterator[str]:
    """What was found, in words that end no docstring."""
    found = f"{findings.title(finding)}: {finding.verdict}, on {finding.architecture}."
    said = [found, *finding.diagnosis, f"Found by crosscheck {run.version}, subject {run.subject}, seed {run.seed}."]
    paragraphs = [textwrap.wrap(words.printable(part), WIDTH) for part in said]
    lines = [line.replace("\\", "/").replace('"""', "'''") for part in paragraphs for line in part]
    yield f'"""{lines[0]}'
    yield ""
    yield from lines[1:]
    yield '"""'


def _is_short(case: Case) -> bool:
    arrays = [*case.params.values(), *case.inputs.values(), case.targets]
    return sum(a.size for a in arrays) <= MOST_NUMBERS and case.dtype in ("float64", "float32", "float16")


def _loaded(finding: Finding) -> Iterator[str]:
    yield f'    case = crosscheck.Case.load(Path(__file__).with_name("{finding.id}.npz"))'


def _spelled_out(case: Case) -> Iterator[str]:
    yield "    case = crosscheck.Case("
    yield f"        architecture=crosscheck.parse({str(case.architecture)!r}),"
    yield from _group("params", case.params)
    yield from _group("inputs", case.inputs)
    yield f"        targets={_array(case.targets)},"
    if case.dtype != "float64":
        yield f"        dtype={case.dtype!r},"
    if case.weights is not None:
        yield f"        weights={_array(case.weights)},"
    if case.order != "C":
        yield f"        order={case.order!r},"
    yield "    )"


def _group(name: str, arrays: Mapping[str, Array]) -> Iterator[str]:
    if not arrays:
        yield f"        {name}={{}},"
        return
    yield f"        {name}={{"
    yield from (f"            {key!r}: {_array(array)}," for key, array in arrays.items())
    yield "        },"


def _array(array: Array) -> str:
    """As Python reads it back to the last bit: floats by their shortest digits, with the dtype and the shape."""
    values = array.astype(np.float64).tolist() if array.dtype.kind == "f" else array.tolist()
    if array.size == 0:
        return f"np.zeros({array.shape}, dtype={str(array.dtype)!r})"
    return f"np.array({values!r}, dtype={str(array.dtype)!r})"
