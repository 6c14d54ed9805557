"""One case run again, as text: who says what of every gradient, and the chain rule node by node."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from crosscheck.backprop import network
from crosscheck.diagnosis.slope import Slopes
from crosscheck.judge.compare import Status, TensorJudgement
from crosscheck.judge.forward import in_words
from crosscheck.judge.verdict import Judgement
from crosscheck.report.sections import findings, taylor, words
from crosscheck.spec.case import Case
from crosscheck.spec.record import EntryRecord
from crosscheck.spec.result import Array, Certified, Verdict

STATES = {
    Status.AGREE: "agree",
    Status.UNINFORMATIVE: "uninformative",
    Status.UNDECIDABLE: "undecidable",
    Status.OVERFLOW: "undecidable: overflow",
    Status.DISAGREE: "DISAGREE",
    Status.ORACLE_DISAGREES: "an oracle disagrees",
    Status.NOT_COMPARED: "not compared",
}
NO_SLOPES = Slopes()
# Numbers of one array that are printed; a larger one is summarised.
MOST_NUMBERS = 12


def render(
    case: Case,
    judgement: Judgement,
    subject: str,
    entries: tuple[EntryRecord, ...],
    message: str,
    slopes: Slopes = NO_SLOPES,
) -> str:
    """The text of a replay, ending with a newline. `slopes` are those of the failure, where it is one."""
    return "\n".join(_lines(case, judgement, subject, entries, message, slopes)) + "\n"


def _lines(
    case: Case, judgement: Judgement, subject: str, entries: tuple[EntryRecord, ...], message: str, slopes: Slopes
) -> Iterator[str]:
    yield f"case {case.key[:6]} · {case.architecture}"
    points = f"{case.n_points} point{'s' if case.n_points > 1 else ''}"
    witnesses = ", ".join(judgement.references) or "none"
    yield f"  subject {subject} · {case.dtype} · {points} · values {case.family} · witnesses {witnesses}"
    if judgement.certified is not None:
        yield f"  proved {_proof(judgement.certified)}"
    yield ""
    yield f"the chain rule, from the loss back (point {_point(judgement)}, by the built-in's textbook factors)"
    yield from _chain(case, judgement)
    yield ""
    yield "gradients"
    width = max([len(n) for n in judgement.tensors] or [0])
    for name, tensor in judgement.tensors.items():
        yield f"  {name:<{width}}  {_counts(tensor)}"
    for name in judgement.not_claimed:
        yield f"  {name}  not compared: the subject returned no gradient of it"
    for entry in entries:
        values = ", ".join(f"{party} {_value(v)}{_radius(entry, party)}" for party, v in entry.values.items())
        place = words.entry_name(entry.tensor, entry.index)
        off = f"off by {words.size(entry.error)}, bound {words.size(entry.bound)}"
        yield f"  {place} at point {entry.point}: {values}; {off}"
    said = taylor.sentence(slopes.taylor, slopes.own, slopes.missing, _in_question(judgement))
    if said:
        yield f"  Taylor remainder: {said}"
    yield ""
    yield f"{judgement.verdict.name}" + (f": {message}" if message else "")


def _in_question(judgement: Judgement) -> str | None:
    """Whose gradient the slope is taken with, where it is not the subject's."""
    witness = judgement.odd_one_out if judgement.verdict is Verdict.ORACLE_DISAGREES else None
    return findings.VOID if witness == words.TOLERANCE else witness


def _value(value: object) -> str:
    return "not asked" if value is None else f"{value:.17g}" if isinstance(value, float) else str(value)


def _radius(entry: EntryRecord, party: str) -> str:
    radius = findings.radius(entry, party)
    return f" {radius}" if radius else ""


def _proof(proof: Certified) -> str:
    """`1 of 2 points, in at most 212 bits, the hull of the one-sided derivatives at relu (node 1)`."""
    asked = int(np.count_nonzero(proof.bits))
    said = [f"{asked} of {words.count(proof.bits.size, 'point')}"]
    if asked:
        said.append(f"in at most {words.count(int(proof.bits.max()), 'bit')}")
    if proof.kinks:
        places = [f"{op} ({'the loss' if node < 0 else f'node {node}'})" for op, node in proof.kinks]
        said.append(f"the hull of the one-sided derivatives at {words.joined(places)}")
    return ", ".join(said)


def _point(judgement: Judgement) -> int:
    return judgement.suspects[0] if judgement.suspects else 0


def _counts(tensor: TensorJudgement) -> str:
    found = [f"{tensor.count(status)} {word}" for status, word in STATES.items() if tensor.count(status)]
    return ", ".join(found)


def _chain(case: Case, judgement: Judgement) -> Iterator[str]:
    """∂C/∂(output) of every node from the loss back, and what becomes of the node's parameters."""
    exact = case.take([_point(judgement)]).astype("float64")
    sound = network.gradients(exact, by_node=True)
    architecture = case.architecture
    yield f"  C = {architecture.loss.op} = {float(sound.loss[0]):.9g}"
    for i in reversed(range(len(architecture.nodes))):
        node = architecture.nodes[i]
        yield f"  node {i} {node.op}: ∂C/∂a = {_numbers(sound.by_node[i][0])}"
        for role, key in node.params.items():
            yield f"      ∂C/∂{role} = {_numbers(sound.by_param[key][0])}   {_mark(judgement, key)}"
    for name in architecture.float_inputs:
        yield f"  input {name}: ∂C/∂{name} = {_numbers(sound.by_input[name][0])}   {_mark(judgement, name)}"


def _mark(judgement: Judgement, name: str) -> str:
    tensor = judgement.tensors.get(name)
    if tensor is None:
        return "– not compared"
    if tensor.count(Status.DISAGREE):
        ratio = judgement.forward.ratio or 1.0 if judgement.forward is not None else 1.0
        said = _numbers(tensor.values["subject"][_point(judgement)] * ratio)
        of = "" if ratio == 1.0 else f" (of its own loss, {in_words(ratio)} × the one asked for)"
        return f"✗ the subject says {said}{of}"
    if tensor.count(Status.ORACLE_DISAGREES):
        return "! an oracle disagrees"
    return "✓" if tensor.count(Status.AGREE) else "? nothing informative"


def _numbers(array: Array) -> str:
    flat = np.asarray(array, np.float64).reshape(-1)
    if flat.size > MOST_NUMBERS:
        return f"{flat.size} numbers, largest {np.abs(flat).max():.6g}"
    return np.array2string(np.asarray(array), precision=6, separator=", ", max_line_width=10_000).replace("\n", "")
