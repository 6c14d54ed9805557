"""A diagnosis: the first wrong factor, which bug it looks like, when it shows, and in which entries."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace

from crosscheck import mutants
from crosscheck.diagnosis import conditions, recognise
from crosscheck.diagnosis.extents import extents
from crosscheck.diagnosis.locate import CLEAR, Located, Step, locate
from crosscheck.diagnosis.named import Recognised
from crosscheck.diagnosis.seen import Seen, asked, variations
from crosscheck.diagnosis.walked import LOSS, uses
from crosscheck.judge.verdict import Judgement
from crosscheck.spec.allowed import Allowed
from crosscheck.spec.architecture import Architecture
from crosscheck.spec.case import Case
from crosscheck.spec.digits import apart
from crosscheck.spec.fault import Factor, Fault, Symptom
from crosscheck.spec.protocols import Certifier, Subject

Term = tuple[str, str, str]
BEHIND: tuple[Term, ...] = (("∇C", "first wrong", "what is done to the gradients behind the walk back"),)
# So many are told; what a reader thinks of first stands first.
MOST_RULED_OUT = 6
# So many distinct operations wrong by themselves, and none right: no bug, but no derivative.
EVERYWHERE = 3


@dataclass(frozen=True)
class Diagnosis:
    """What is known of a failure. `likely` are sentences, the likeliest first; `symptoms` in the same order.

    `bugs` are the names of known bugs that give exactly these gradients, `first` those of which the first sentence
    tells; `terms` the factors on the way from the loss
    to what is wrong, as the record holds them; `beside` the factors of other operations that are wrong by themselves.
    """

    located: Located | None = None
    likely: tuple[str, ...] = ()
    symptoms: tuple[Symptom, ...] = ()
    bugs: tuple[str, ...] = ()
    first: tuple[str, ...] = ()
    ruled_out: tuple[Symptom, ...] = ()
    condition: str | None = None
    extents: tuple[str, ...] = ()
    terms: tuple[Term, ...] = ()
    beside: tuple[str, ...] = ()
    seen: tuple[Seen, ...] = field(default=(), repr=False)

    def without(self, symptom: Symptom) -> Diagnosis:
        """The same without what it says of this symptom, which somebody else can say better."""
        kept = [(s, text) for s, text in zip(self.symptoms, self.likely, strict=False) if s is not symptom]
        return replace(
            self,
            symptoms=tuple(s for s, _ in kept),
            likely=tuple(text for _, text in kept) or self.likely[len(self.symptoms) :],
            ruled_out=tuple(s for s in self.ruled_out if s is not symptom),
        )

    def lines(self) -> Iterator[str]:
        """The diagnosis as the record holds it."""
        yield from self.likely
        if self.condition is not None:
            yield self.condition
        yield from self.extents
        if self.beside:
            yield f"wrong by itself too, where it was met: {', '.join(self.beside)}"
        if self.ruled_out:
            yield "ruled out: " + ", ".join(short(symptom) for symptom in self.ruled_out[:MOST_RULED_OUT])


def short(symptom: Symptom) -> str:
    """A symptom in a word or two."""
    return SHORT.get(symptom, symptom.name.lower().replace("_", " "))


# fmt: off
SHORT = {
    Symptom.NEGATED: "sign",                Symptom.MISSING: "left out",           Symptom.TRANSPOSED: "transpose",
    Symptom.NOT_SUMMED: "missing sum",      Symptom.MEAN: "mean for sum",          Symptom.UPSTREAM: "upstream ignored",
    Symptom.NO_SLOPE: "no derivative",      Symptom.SLOPE_AT_OUTPUT: "derivative at a",
    Symptom.SLOPE_TWICE: "derivative twice", Symptom.DIAGONAL: "diagonal only",    Symptom.MASK: "mask ignored",
    Symptom.TWICE: "counted twice",         Symptom.OVERWRITTEN: "overwritten",    Symptom.STALE: "stale values",
    Symptom.AXIS: "wrong axis",             Symptom.TERM: "dropped term",          Symptom.ONE_SIDE: "one side of zero",
    Symptom.OTHER_FUNCTION: "another function's derivative",                       Symptom.NAN: "not a number",
}
# fmt: on


def diagnose(
    case: Case,
    judgement: Judgement,
    others: Iterable[Case],
    subject: Subject,
    arbiter: Certifier,
    ops: Collection[str] | None,
) -> Diagnosis:
    """The diagnosis of a wrong backward from its smallest case, other cases that fail, and variations of it.

    `ops` are those of which the subject answers for any network, None where it answers for one alone: then there are
    no variations. The arbiter answers for this case.
    """
    met, located = list(others), locate(case, judgement, subject, arbiter, ops)
    everywhere = _wrong_everywhere(located)
    if everywhere is not None:
        return Diagnosis(likely=(everywhere,))
    seen = [asked(case, subject, arbiter)]
    fault = located.fault if located is not None else None
    if located is not None and located.fault.op is not None and ops is not None and located.node is not None:
        operation = case.architecture.nodes[located.node] if located.node >= 0 else case.architecture.loss
        seen += variations(operation.op, operation.attributes, ops, case.dtype, subject, arbiter)
    if len(seen) == 1:  # other cases may hold other bugs: networks of the one operation hold its own alone
        seen += [asked(other, subject, arbiter) for other in met if not arbiter.gaps(other.architecture)]
    places = _places(located, one_network=ops is None)
    ops_seen = dict.fromkeys(op for s in seen for op in s.case.architecture.ops)
    known = recognise.recognise(seen, places, mutants.known(ops_seen))
    # The smallest case holds one operation alone: that others are wrong too shows where it was met.
    found = [_located(other, subject, arbiter, ops) for other in met if not arbiter.gaps(other.architecture)]
    if not known.likely:
        everywhere = recognise.at_random(seen) or next(filter(None, map(_wrong_everywhere, found)), None)
    located = _told_apart(located, known.faults)
    if ops is None and _is_the_penaltys(case, located, known):
        located = Located(None, Fault(None, Factor.PENALTY), "off by what a penalty adds")
    terms = tuple(_terms(case.architecture, located))
    if known.likely and known.likely[0].behind and _is_behind(seen, met, subject, arbiter):
        located, terms = None, BEHIND
    likely = [named.text for named in known.likely]
    return Diagnosis(
        located=located,
        likely=tuple(likely) or (everywhere or _nothing(known.tried, places),),
        symptoms=tuple(named.symptom for named in known.likely),
        bugs=known.bugs,
        first=known.likely[0].bugs if known.likely else (),
        ruled_out=known.ruled_out,
        condition=conditions.condition(seen, fault, lambda other: _further(other, seen, subject, arbiter, ops)),
        extents=tuple(extents(seen)),
        terms=terms,
        beside=tuple(_wrong_beside(located, found)),
        seen=tuple(seen),
    )


def _further(
    case: Case, seen: Sequence[Seen], subject: Subject, arbiter: Certifier, ops: Collection[str] | None
) -> Seen | None:
    """The answer to one more case, of a network that was seen or that the subject answers for; None of others."""
    network = case.architecture
    allowed = ops is not None and Allowed.of(ops).allows(network) and not arbiter.gaps(network)
    known = any(s.case.architecture == network for s in seen)
    return asked(case, subject, arbiter) if allowed or known else None


def _is_behind(seen: Sequence[Seen], others: Iterable[Case], subject: Subject, arbiter: Certifier) -> bool:
    """Whether it is seen behind a node too: where networks of a loss alone fail, the slope of that may be clipped.

    Nobody who clips gradients does so to an input's alone: then it is done in the way back to it.
    """
    behind_nodes = [s for s in seen if s.failed and s.case.architecture.param_shapes]
    if behind_nodes:
        return any(t.wrong.any() for s in behind_nodes for t in s.tensors.values() if t.name in s.case.params)
    if any(s.failed and s.case.architecture.nodes for s in seen):
        return True
    deeper = [other for other in others if other.architecture.nodes and not arbiter.gaps(other.architecture)]
    failing = [s for s in (asked(other, subject, arbiter) for other in deeper) if s.failed]
    return not failing or any(recognise.is_behind([s]) for s in failing)


def _places(located: Located | None, *, one_network: bool) -> list[tuple[int | None, Fault]]:
    """The factors that may be the wrong one; with their nodes where code may be wrong in one node of an op alone."""
    if located is None:
        return []
    found = [(located.node, located.fault), *((located.node, f) for f in located.with_it), *located.others]
    return [(node if one_network else None, fault) for node, fault in found]


def _is_the_penaltys(case: Case, located: Located | None, known: Recognised) -> bool:
    """Whether what is wrong with a weight is what a penalty adds: one network cannot be asked for without it."""
    attributes = case.architecture.loss.attributes
    of_param = located is not None and located.fault.factor is Factor.PARAM
    penalised = any(attributes[name] for name in ("l1", "l2"))
    return of_param and penalised and bool(known.likely) and known.likely[0].symptom is Symptom.PENALTY


def _told_apart(located: Located | None, faults: Collection[Fault]) -> Located | None:
    """Where several factors may be the wrong one, and the known bugs that fit are all of one: that one."""
    if located is None or not located.others:
        return located
    candidates = ((located.node, located.fault), *located.others)
    fits = [(node, own) for node, own in candidates if any(fault.covers(own) for fault in faults)]
    if len(fits) != 1:
        return located
    ((node, own),) = fits
    return replace(located, node=node, fault=own, others=())


def _nothing(tried: int, places: Sequence[tuple[int | None, Fault]]) -> str:
    met = dict.fromkeys(f"{fault.op} {fault.factor.value}" for _, fault in places if fault.op is not None)
    where = f" of {' or '.join(met)}" if met else ""
    return f"unknown: neither a pattern nor one of {tried} known bugs{where} gives these gradients"


def _wrong_everywhere(located: Located | None) -> str | None:
    """Several operations, each wrong by itself, and none right."""
    steps = located.steps if located is not None else ()
    wrong = {step.fault.op for step in steps if step.state == "wrong"}
    if len(wrong) < EVERYWHERE or any(step.state == "right" for step in steps):
        return None
    named = ", ".join(sorted(op for op in wrong if op is not None))
    return f"wrong everywhere: each of {named} is wrong by itself, so no single term of the chain rule is to blame"


def _located(case: Case, subject: Subject, arbiter: Certifier, ops: Collection[str] | None) -> Located | None:
    return locate(case, asked(case, subject, arbiter).judgement, subject, arbiter, ops)


def _wrong_beside(located: Located | None, found: Sequence[Located | None]) -> Iterator[str]:
    """Factors of other operations that are wrong with the right values from above: a bug of their own, each."""
    if located is None or located.fault.op is None:
        return
    steps = [step for other in found if other is not None for step in other.steps]
    wrong = [step.fault for step in steps if step.state == "wrong" and step.worst >= CLEAR]
    by_op: dict[str, str] = {}
    for fault in wrong:
        if fault.op is not None and fault.op != located.fault.op:
            by_op.setdefault(fault.op, f"{fault.factor.value} of {fault.op}")
    yield from by_op.values()


def _terms(architecture: Architecture, located: Located | None) -> Iterator[Term]:
    """(symbol, state, detail) of the factors from the loss to the first wrong one, and of what comes behind it."""
    if located is None:
        return
    path = _path(architecture, located.node)
    shown = [s for s in located.steps if s.node in path and _is_on_the_way(s, located)]
    met = False
    for step in shown:
        if _is(step, located):
            met = True
            yield symbol(architecture, step), "first wrong", _detail(step)
        elif step.state == "right" or not met:
            yield symbol(architecture, step), "right" if step.state == "right" else "unknown", ""
    if not met:
        step = Step(located.node, located.fault, "wrong")
        yield (
            symbol(architecture, step),
            "one of these" if located.others else "first wrong",
            _beside(architecture, located),
        )
    yield from _behind(architecture, located)


def _beside(architecture: Architecture, located: Located) -> str:
    """What may be wrong in its place, or is wrong with it."""
    others = [symbol(architecture, Step(n, f, "wrong")) for n, f in located.others]
    with_it = [symbol(architecture, Step(located.node, f, "wrong")) for f in located.with_it]
    return ", ".join([f"and {text}" for text in with_it] + [f"or {text}" for text in others])


def _is_on_the_way(step: Step, located: Located) -> bool:
    """A parameter's factor is where it is wrong; beside it no other of its node."""
    if _is(step, located):
        return True
    beside = located.fault.factor is Factor.PARAM and step.node == located.node
    return step.fault.factor is not Factor.PARAM and not beside


def _is(step: Step, located: Located) -> bool:
    return (step.node, step.fault) == (located.node, located.fault)


def _detail(step: Step) -> str:
    if step.claimed is None or step.certified is None:
        return ""
    shown = apart((step.claimed, step.certified))
    at = f" at [{','.join(map(str, step.index))}]" if step.index else ""
    return f"first wrong{at}: {step.claimed:.{shown}g}, certified {step.certified:.{shown}g}"


def _behind(architecture: Architecture, located: Located) -> Iterator[Term]:
    """The parameter's own factor, where what is wrong stands right behind its node: ∂z/∂w is not to blame."""
    if located.fault.factor not in (Factor.SLOPE, Factor.LOSS, Factor.INPUT) or located.node is None:
        return
    inputs = architecture.loss.inputs if located.node == LOSS else architecture.nodes[located.node].inputs
    link = inputs[0]
    if link < 0 or not architecture.nodes[link].params:
        return
    role = next(iter(architecture.nodes[link].params))
    if (link, Fault(architecture.nodes[link].op, Factor.PARAM, role)) in located.others:
        return  # that has been said
    own = [s for s in located.steps if s.node == link and s.fault.factor is Factor.PARAM]
    states = [s.state for s in own if s.fault.part in ("", None, role)]
    state = "right" if "right" in states and "wrong" not in states else "unknown"
    yield f"∂z/∂{'w' if role == 'weight' else role}", state, ""


def _path(architecture: Architecture, node: int | None) -> tuple[int | None, ...]:
    """The nodes from the loss back to this one, along the first use of each."""
    found: list[int | None] = [node]
    while node is not None and node != LOSS:
        users = uses(architecture, node)
        if not users:
            break
        node = users[0][0]
        found.append(node)
    return tuple(found)


def symbol(architecture: Architecture, step: Step) -> str:
    """`∂a/∂z`, `∂z/∂w`, `∂z/∂a`; with its place where the network has more than one of the kind."""
    fault = step.fault
    if fault.factor is Factor.PARAM:
        letter = {"weight": "w", "bias": "b"}.get(fault.part, fault.part)
        text = f"∂z/∂{letter}"
    else:
        text = fault.factor.value
        if step.node is not None and 0 <= step.node < len(architecture.nodes):
            inputs = architecture.nodes[step.node].inputs
            text += f" for input {fault.part}" if len(inputs) > 1 and fault.part else ""
    if step.node is None or step.node == LOSS or len(architecture.nodes) < 3:
        return text
    place = architecture.nodes[step.node].op if 0 <= step.node < len(architecture.nodes) else "input"
    return f"{text} of node {step.node} ({place})"


def first_failing(cases: Sequence[Case], most: int) -> list[Case]:
    """The smaller ones of the cases that fail, so that a diagnosis does not wait for the largest."""
    return sorted(cases, key=lambda case: sum(a.size for a in case.params.values()))[:most]
