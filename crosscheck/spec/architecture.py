"""An architecture: a directed acyclic graph of operations on named inputs, ending in one loss."""

from __future__ import annotations

import hashlib
import re
from functools import cached_property
from typing import Literal

import msgspec

from crosscheck.spec.errors import SpecError
from crosscheck.spec.frozen import FrozenDict
from crosscheck.spec.op import LARGEST_SIZE, Shape, Slot, Value
from crosscheck.spec.ops import op_named

NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*\Z")
KEY = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.]*\Z")


# From one operation to another.
Edge = tuple[str, str]


class Input(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A named input of the architecture. `float` means the case's own dtype.

    No size is 0, and no op makes an axis of 0: nothing could be compared of an empty array. It is refused, where the
    frameworks go on with empty arrays, sums that are 0 and means that are NaN.
    """

    name: str
    shape: tuple[int, ...]
    dtype: Literal["float", "int64", "bool"] = "float"


class Node(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One operation in topological order.

    `inputs` are indices of earlier nodes; -1, -2, … count the architecture's inputs. `params` maps a
    role (`weight`) to a key (`"0.weight"`), so that two nodes can share one parameter.
    """

    op: str
    attributes: dict[str, Value]
    inputs: tuple[int, ...]
    params: dict[str, str]

    def __post_init__(self) -> None:
        msgspec.structs.force_setattr(self, "attributes", FrozenDict(self.attributes))
        msgspec.structs.force_setattr(self, "params", FrozenDict(self.params))


class Loss(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The loss, on the output of the nodes (or inputs) it names."""

    op: str
    attributes: dict[str, Value]
    inputs: tuple[int, ...]

    def __post_init__(self) -> None:
        msgspec.structs.force_setattr(self, "attributes", FrozenDict(self.attributes))


class Architecture(msgspec.Struct, frozen=True, forbid_unknown_fields=True, dict=True):
    """Inputs, nodes in topological order, and a loss. Checked whole when it is made.

    Attributes are completed with the spec's own defaults, so that they always travel explicitly.
    Raises SpecError naming the node, the value and the rule.
    """

    inputs: tuple[Input, ...]
    nodes: tuple[Node, ...]
    loss: Loss

    def __post_init__(self) -> None:
        _check_inputs(self.inputs)
        nodes = tuple(_completed(node, i, len(self.inputs)) for i, node in enumerate(self.nodes))
        msgspec.structs.force_setattr(self, "nodes", nodes)
        _check_keys(self.nodes, {i.name for i in self.inputs})
        op = op_named(self.loss.op, "loss")
        if op.kind != "loss":
            raise SpecError(f"loss: {op.name} is of kind {op.kind}, not a loss")
        _check_arity(self.loss.inputs, op.arity, f"loss ({op.name})")
        _check_links(self.loss.inputs, len(self.nodes), len(self.inputs), f"loss ({op.name})")
        _check_slots(self)
        attributes = op.complete(self.loss.attributes, "loss")
        loss = Loss(op=op.name, attributes=attributes, inputs=self.loss.inputs)
        msgspec.structs.force_setattr(self, "loss", loss)
        _ = (
            self.node_shapes,
            self.param_shapes,
            self.target_shape,
            self.weights_shape,
        )  # every shape rule is asked once, now

    def shape_of(self, link: int) -> Shape:
        """Shape of node `link`, or of input -link - 1 where it is negative, without leading axes."""
        return self.node_shapes[link] if link >= 0 else self.inputs[-link - 1].shape

    def shapes_of(self, links: tuple[int, ...]) -> tuple[Shape, ...]:
        return tuple(self.shape_of(link) for link in links)

    def slots(self, index: int) -> tuple[Slot, ...]:
        """What each input of a node is."""
        return self._slots[index]

    @cached_property
    def _slots(self) -> tuple[tuple[Slot, ...], ...]:
        return tuple(
            op_named(node.op, f"node {i}").slots(node.attributes, len(node.inputs)) for i, node in enumerate(self.nodes)
        )

    def kinked_shape(self, index: int) -> Shape:
        """Shape of the numbers at which a node has kinks: those of its first input, or inside it."""
        node = self.nodes[index]
        inside = op_named(node.op, f"node {index}").inside
        shapes = self.shapes_of(node.inputs)
        return shapes[0] if inside is None else inside(node.attributes, shapes)

    def slots_of(self, name: str) -> tuple[Slot, ...]:
        """As what each use takes an input of the architecture; the loss takes numbers."""
        link = -[i.name for i in self.inputs].index(name) - 1
        uses = [(node.inputs, self.slots(i)) for i, node in enumerate(self.nodes) if link in node.inputs]
        loss = op_named(self.loss.op, "loss").slots(self.loss.attributes, len(self.loss.inputs))
        return tuple(
            slot
            for links, slots in (*uses, (self.loss.inputs, loss))
            for used, slot in zip(links, slots, strict=True)
            if used == link
        )

    @cached_property
    def node_shapes(self) -> tuple[Shape, ...]:
        """Shape of each node's output, without leading axes."""
        shapes: list[Shape] = []
        for i, node in enumerate(self.nodes):
            place = f"node {i} ({node.op})"
            given = tuple(shapes[k] if k >= 0 else self.inputs[-k - 1].shape for k in node.inputs)
            try:
                shapes.append(op_named(node.op, place).out_shape(node.attributes, given))
            except SpecError as error:
                raise SpecError(f"{place}: {error}") from None
        return tuple(shapes)

    @cached_property
    def in_shapes(self) -> tuple[tuple[Shape, ...], ...]:
        """Shapes of what each node is given, without leading axes."""
        return tuple(self.shapes_of(node.inputs) for node in self.nodes)

    @cached_property
    def param_shapes(self) -> FrozenDict[Shape]:
        """Shape of each parameter, by key, in order of first use."""
        result: dict[str, Shape] = {}
        for i, node in enumerate(self.nodes):
            place = f"node {i} ({node.op})"
            needed = op_named(node.op, place).params(node.attributes, self.shapes_of(node.inputs))
            if set(needed) != set(node.params):
                raise SpecError(f"{place}: params names {sorted(node.params)}, but {node.op} has {sorted(needed)}")
            for role, shape in needed.items():
                key = node.params[role]
                if result.setdefault(key, shape) != shape:
                    raise SpecError(
                        f"{place}: {role} is shared as {key!r} of shape {result[key]}, but this node needs {shape}"
                    )
        return FrozenDict(result)

    @cached_property
    def target_shape(self) -> Shape:
        """Shape of the targets of one point."""
        try:
            return op_named(self.loss.op, "loss").out_shape(self.loss.attributes, self.shapes_of(self.loss.inputs))
        except SpecError as error:
            raise SpecError(f"loss ({self.loss.op}): {error}") from None

    @cached_property
    def weights_shape(self) -> Shape | None:
        """Shape (n,) of the weights of the samples of one point; None where the loss takes none.

        A sample is an element of the first axis of what the loss sums. Raises SpecError where it has no axis.
        """
        if not self.loss.attributes.get("weighted"):
            return None
        terms = self.terms_shape
        if not terms:
            raise SpecError(f"loss ({self.loss.op}): weighted=true, but it is a single number: there are no samples")
        return terms[:1]

    @cached_property
    def terms_shape(self) -> Shape:
        """Shape of the numbers that the loss sums: that of its input, without the axis that it consumes."""
        shape = self.shape_of(self.loss.inputs[0])
        return shape[:-1] if op_named(self.loss.op, "loss").per_sample else shape

    @cached_property
    def penalised(self) -> tuple[str, ...]:
        """Keys of the parameters that the penalties l1 and l2 of the loss count: weights, no biases; each once."""
        keys = [key for node in self.nodes for role, key in node.params.items() if role.startswith("weight")]
        return tuple(dict.fromkeys(keys))

    @property
    def target_dtype(self) -> Literal["float", "int64"]:
        """`int64` where the targets are class indices, else the case's own dtype."""
        return "int64" if self.loss.attributes.get("targets") == "classes" else "float"

    @property
    def float_inputs(self) -> tuple[str, ...]:
        """Names of the inputs that have a gradient."""
        return tuple(i.name for i in self.inputs if i.dtype == "float")

    @cached_property
    def ops(self) -> tuple[str, ...]:
        """Names of all operations used, the loss last, each once."""
        return tuple(dict.fromkeys([*(n.op for n in self.nodes), self.loss.op]))

    @cached_property
    def edges(self) -> tuple[Edge, ...]:
        """(operation, operation) for every link from a node to another, or to the loss."""
        within = [(self.nodes[k].op, node.op) for node in self.nodes for k in node.inputs if k >= 0]
        return (*within, *((self.nodes[k].op, self.loss.op) for k in self.loss.inputs if k >= 0))

    def to_json(self) -> bytes:
        """Canonical JSON: sorted keys, shortest exact floats, no spaces."""
        return msgspec.json.encode(self, order="sorted")

    @classmethod
    def from_json(cls, data: bytes | str) -> Architecture:
        """Exact inverse of `to_json`; raises SpecError for anything malformed."""
        try:
            return msgspec.json.decode(data, type=cls)
        except (msgspec.DecodeError, UnicodeError) as error:
            raise SpecError(f"architecture JSON: {error}") from None

    @cached_property
    def key(self) -> str:
        """A hash of the content, 64 hexadecimal digits."""
        return hashlib.sha256(self.to_json()).hexdigest()

    def __hash__(self) -> int:
        return hash((self.inputs, self.nodes, self.loss))

    def __str__(self) -> str:
        from crosscheck.spec.notation import to_text

        return to_text(self)


def _check_inputs(inputs: tuple[Input, ...]) -> None:
    if not inputs:
        raise SpecError("an architecture needs at least one input, such as x[3,4]")
    names = [i.name for i in inputs]
    for item in inputs:
        if not NAME.match(item.name):
            raise SpecError(f"input {item.name!r}: a name is letters, digits and _, not starting with a digit")
        if names.count(item.name) > 1:
            raise SpecError(f"input {item.name!r} is declared twice")
        for size in item.shape:
            if not 1 <= size <= LARGEST_SIZE:
                raise SpecError(f"input {item.name}: a size is a whole number from 1 to {LARGEST_SIZE:,}, not {size}")


def _check_slots(architecture: Architecture) -> None:
    """Indices and masks come from an input of that dtype."""
    for i, node in enumerate(architecture.nodes):
        for link, slot in zip(node.inputs, architecture.slots(i), strict=True):
            if slot.dtype == "float":
                continue
            if link >= 0:
                raise SpecError(f"node {i} ({node.op}): takes {slot.dtype} from an input, but node {link} is numbers")
            given = architecture.inputs[-link - 1]
            if given.dtype != slot.dtype:
                raise SpecError(
                    f"node {i} ({node.op}): takes {slot.dtype}, but input {given.name} is {given.dtype}; "
                    f"declare it as {given.name}[{','.join(map(str, given.shape))}]:{slot.dtype}"
                )


def _check_keys(nodes: tuple[Node, ...], inputs: set[str]) -> None:
    for i, node in enumerate(nodes):
        for role, key in node.params.items():
            if not KEY.match(key):
                raise SpecError(f"node {i} ({node.op}): {role} has the key {key!r}; a key is letters, digits, _ and .")
            if key in inputs:
                raise SpecError(f"node {i} ({node.op}): {role} has the key {key!r}, which is the name of an input")


def _check_arity(inputs: tuple[int, ...], arity: tuple[int, int], place: str) -> None:
    least, most = arity
    if not least <= len(inputs) <= most:
        wanted = f"{least}" if least == most else f"{least} to {most}"
        raise SpecError(f"{place}: has {len(inputs)} input{'s' * (len(inputs) != 1)}, needs {wanted}")


def _check_links(links: tuple[int, ...], before: int, inputs: int, place: str) -> None:
    for link in links:
        if not -inputs <= link < before:
            earlier = f"an earlier node (0 to {before - 1}) or " if before else ""
            raise SpecError(f"{place}: input {link} is not {earlier}an input (-1 to {-inputs})")


def _completed(node: Node, index: int, inputs: int) -> Node:
    place = f"node {index}"
    op = op_named(node.op, place)
    if op.kind == "loss":
        raise SpecError(f"{place}: {op.name} is a loss; a loss stands last")
    place = f"node {index} ({op.name})"
    _check_arity(node.inputs, op.arity, place)
    _check_links(node.inputs, index, inputs, place)
    attributes = op.complete(node.attributes, f"node {index}")
    # In the order of the op, whatever the order of what was read: a saved case has its keys sorted.
    given = node.params
    params = {role: given[role] for role in op.roles(attributes) if role in given} | given
    return Node(op=op.name, attributes=attributes, inputs=node.inputs, params=params)
