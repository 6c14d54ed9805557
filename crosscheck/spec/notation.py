"""The text notation of an architecture, read and printed.

    x[3,4] -> dense(8) -> h: tanh -> dense(8) -> add(h) -> dense(2) -> softmax_cross_entropy

A step continues the chain; `label:` names its output, `;` starts another chain from an input or a label, an op of
several inputs names the further ones before its attributes. A second declaration (`u[3,2]`, `ids[3]:int64`) adds an
input.
`dense(8, weight=@0.weight)` shares a parameter by its key. Attributes at the spec's defaults are left
out when printed; the nodes keep their order, so that reading what was printed gives the same architecture.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Literal, cast

from crosscheck.spec.architecture import NAME, Architecture, Input, Loss, Node
from crosscheck.spec.errors import SpecError
from crosscheck.spec.op import LARGEST_SIZE, Op, Shape, Value
from crosscheck.spec.ops import op_named

_INPUT = re.compile(r"(?P<name>\w+)\s*\[(?P<dims>[^\]]*)\]\s*(:\s*(?P<dtype>\w+))?\Z")
_STEP = re.compile(r"((?P<label>\w+)\s*:\s*)?(?P<op>[A-Za-z_]\w*)\s*(\((?P<args>[^()]*)\))?\Z")
_STAR = re.compile(r"(?<=[\[(,=])\s*\*\s*(?=[\]),])")


def parse(text: str) -> Architecture:
    """Read an architecture; raises SpecError naming the piece of text, its place and the rule."""
    if not isinstance(text, str):
        raise SpecError(f"an architecture's text is a str, not {type(text).__name__}")
    reader = _Reader()
    chains = text.replace("→", "->").split(";")
    for number, chain in enumerate(chains):
        reader.chain(chain, last=number == len(chains) - 1)
    return reader.finish()


@dataclass(frozen=True)
class Template:
    """A text with `*` in place of sizes that are to be drawn."""

    pieces: tuple[str, ...]

    @property
    def stars(self) -> int:
        return len(self.pieces) - 1

    def fill(self, sizes: Sequence[int]) -> Architecture:
        """The architecture with the stars replaced in order; raises SpecError when they do not fit."""
        if len(sizes) != self.stars:
            raise SpecError(f"the template has {self.stars} stars, but {len(sizes)} sizes were given")
        filled = self.pieces[0] + "".join(f"{s}{p}" for s, p in zip(sizes, self.pieces[1:], strict=True))
        return parse(filled)


def template(text: str) -> Template:
    """Read a text that may hold `*`; raises SpecError for whatever would be wrong at every size."""
    if not isinstance(text, str):
        raise SpecError(f"an architecture's text is a str, not {type(text).__name__}")
    result = Template(tuple(_STAR.split(text)))
    if any("*" in piece for piece in result.pieces):
        raise SpecError(f"{text!r}: * stands for one size, as in x[*,4] or dense(*)")
    result.fill([1] * result.stars)
    return result


@dataclass
class _Reader:
    inputs: list[Input] = field(default_factory=list)
    nodes: list[Node] = field(default_factory=list)
    loss: Loss | None = None
    names: dict[str, int] = field(default_factory=dict)

    def chain(self, text: str, *, last: bool) -> None:
        start, *steps = (piece.strip() for piece in text.split("->"))
        link = self.start(start)
        for number, step in enumerate(steps):
            link = self.step(step, link, may_end=last and number == len(steps) - 1)

    def start(self, text: str) -> int:
        if declared := _INPUT.match(text):
            return self.declare(declared, text)
        if text in self.names:
            return self.names[text]
        raise SpecError(f"{text!r}: a chain starts with an input such as x[3,4] or with a label that stands before it")

    def declare(self, found: re.Match[str], text: str) -> int:
        name, dtype = found["name"], found["dtype"] or "float"
        if dtype not in ("float", "int64", "bool"):
            raise SpecError(f"{text!r}: an input's dtype is float, int64 or bool, not {dtype!r}")
        dims = [d.strip() for d in found["dims"].split(",")] if found["dims"].strip() else []
        shape: Shape = tuple(_size(d, text) for d in dims)
        self.name(name, -len(self.inputs) - 1, text)
        self.inputs.append(Input(name, shape, cast("Literal['float', 'int64', 'bool']", dtype)))
        return -len(self.inputs)

    def name(self, name: str, link: int, text: str) -> None:
        if not NAME.match(name):
            raise SpecError(f"{text!r}: a name is letters, digits and _, not starting with a digit")
        if name in self.names:
            raise SpecError(f"{text!r}: the name {name!r} is taken")
        self.names[name] = link

    def step(self, text: str, link: int, *, may_end: bool) -> int:
        found = _STEP.match(text)
        if not found:
            raise SpecError(f"{text!r} is not a step; a step is an operation such as tanh or dense(8)")
        place = f"node {len(self.nodes)}"
        op = op_named(found["op"], f"{text!r}")
        attributes, links, params = self.arguments(op, found["args"] or "", f"{text!r}")
        if op.kind == "loss":
            if not may_end:
                raise SpecError(f"{text!r}: {op.name} is a loss; a loss stands last")
            self.loss = Loss(op.name, attributes, (link, *links))
            return link
        for role in op.roles(attributes):
            params.setdefault(role, f"{len(self.nodes)}.{role}")
        unknown = set(params) - set(op.roles(attributes))
        if unknown:
            raise SpecError(f"{place}: {op.name} has no parameter {sorted(unknown)[0]!r}")
        self.nodes.append(Node(op.name, attributes, (link, *links), params))
        if found["label"]:
            self.name(found["label"], len(self.nodes) - 1, text)
        return len(self.nodes) - 1

    def arguments(self, op: Op, text: str, place: str) -> tuple[dict[str, Value], list[int], dict[str, str]]:
        attributes: dict[str, Value] = {}
        links: list[int] = []
        params: dict[str, str] = {}
        order = [a.name for a in op.attributes]
        for argument in (a.strip() for a in text.split(",")) if text.strip() else ():
            key, equals, value = (part.strip() for part in argument.partition("="))
            if not equals and op.arity[1] > 1 and (argument in self.names or op.kind == "merge"):
                if argument not in self.names:
                    raise SpecError(f"{place}: {argument!r} names no input and no label that stands before it")
                links.append(self.names[argument])
            elif not equals:
                if params or list(attributes) != order[: len(attributes)]:
                    raise SpecError(f"{place}: {argument!r} stands after a named argument and needs a name too")
                if len(attributes) == len(order):
                    has = ", ".join(order) if order else "no attributes"
                    raise SpecError(f"{place}: {argument!r} is one too many; {op.name} has {has}")
                attributes[order[len(attributes)]] = _value(argument)
            elif key in (params if value.startswith("@") else attributes):
                raise SpecError(f"{place}: {key} is given twice")
            elif value.startswith("@"):
                params[key] = value[1:]
            else:
                attributes[key] = _value(value)
        return op.complete(attributes, place), links, params

    def finish(self) -> Architecture:
        if self.loss is None:
            raise SpecError("the architecture has no loss: end it with one, such as -> sse or -> cotangent")
        return Architecture(tuple(self.inputs), tuple(self.nodes), self.loss)


def _size(text: str, place: str) -> int:
    if not (text.isascii() and text.isdecimal()) or len(text) > len(str(LARGEST_SIZE)):
        raise SpecError(f"{place!r}: a size is a whole number from 1 to {LARGEST_SIZE:,}, not {text!r}")
    return int(text)


def _value(text: str) -> Value:
    if text in ("true", "false"):
        return text == "true"
    for kind in (int, float):
        try:
            return kind(text)
        except ValueError:
            continue
    return text


def to_text(architecture: Architecture) -> str:
    """The text notation; `parse` of it gives an equal architecture."""
    labels = _labels(architecture)
    declared = [_declaration(i) for i in architecture.inputs]
    chains = [declared[0]] if len(declared) == 1 else [*declared, architecture.inputs[0].name]
    previous = -1
    for i, node in enumerate(architecture.nodes):
        if node.inputs[0] != previous:
            chains.append(labels[node.inputs[0]])
        label = f"{labels[i]}: " if i in labels else ""
        chains[-1] += f" -> {label}{_call(node, i, labels)}"
        previous = i
    if architecture.loss.inputs[0] != previous:
        chains.append(labels[architecture.loss.inputs[0]])
    chains[-1] += f" -> {_call(architecture.loss, None, labels)}"
    return "; ".join(_without_empty_start(chains, architecture))


def _without_empty_start(chains: list[str], architecture: Architecture) -> list[str]:
    """Drop the bare name that starts no step (the first node may stand on another input)."""
    names = {i.name for i in architecture.inputs}
    return [c for c in chains if c not in names]


def _labels(architecture: Architecture) -> dict[int, str]:
    """A name for each link that does not simply continue the chain."""
    labels = {-k - 1: item.name for k, item in enumerate(architecture.inputs)}
    taken = set(labels.values())
    previous = -1
    links: list[int] = []
    for i, node in enumerate(architecture.nodes):
        links += [k for n, k in enumerate(node.inputs) if n > 0 or k != previous]
        previous = i
    links += [k for k in architecture.loss.inputs if k != previous]
    for link in links:
        if link not in labels:
            name = f"h{link}"
            while name in taken:
                name += "_"
            labels[link] = name
            taken.add(name)
    return labels


def _declaration(item: Input) -> str:
    suffix = "" if item.dtype == "float" else f":{item.dtype}"
    return f"{item.name}[{','.join(map(str, item.shape))}]{suffix}"


def _call(item: Node | Loss, index: int | None, labels: dict[int, str]) -> str:
    op = op_named(item.op, "printing")
    arguments = [labels[k] for k in item.inputs[1:]]
    for attribute in op.attributes:
        value = item.attributes[attribute.name]
        if attribute.default is None:
            arguments.append(_print(value))
        elif value != attribute.default:
            arguments.append(f"{attribute.name}={_print(value)}")
    if isinstance(item, Node):
        arguments += [f"{r}=@{k}" for r, k in item.params.items() if k != f"{index}.{r}"]
    return item.op + (f"({', '.join(arguments)})" if arguments else "")


def _print(value: Value) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    return repr(value) if isinstance(value, float) else str(value)
