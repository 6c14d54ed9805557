"""Whether a network can show anything: of some every gradient is 0, or next to it, whatever the numbers.

A norm takes the mean and the size out of what it is given. Of one number nothing is left then, and of two the signs
alone: its gradient is 0, or as small as eps, and so is that of all that comes before it. Its own bias still shows, and
so does what stands behind it. A softmax over one number is 1, and a loss of one class is 0.
"""

from __future__ import annotations

import math

from crosscheck.spec.architecture import Architecture, Loss, Node
from crosscheck.spec.op import Shape
from crosscheck.strategies.planning import OF_CLASSES

NORMS = ("batch_norm", "layer_norm", "group_norm", "rms_norm")


def of_one_class(loss: Loss, shape: Shape) -> bool:
    """Whether it is a loss of classes on an output of this shape, which has but one."""
    return loss.op in OF_CLASSES and shape[-1:] in ((), (1,))


def penalised(architecture: Architecture) -> bool:
    """Whether the loss adds something for a weight: that shows, whatever the output does."""
    return bool(architecture.penalised) and any(architecture.loss.attributes[name] for name in ("l1", "l2"))


def shows(architecture: Architecture) -> bool:
    """Whether the gradient of some parameter or input may be told from 0, its penalty aside."""
    loss, reached = architecture.loss, set[int]()
    if not of_one_class(loss, architecture.shape_of(loss.inputs[0])):
        reached |= set(loss.inputs)
    for i in reversed(range(len(architecture.nodes))):
        if i not in reached:
            continue
        node = architecture.nodes[i]
        flat = is_flat(node, architecture.in_shapes[i][0])
        if node.params.keys() - ({"weight"} if flat else set()):
            return True
        if not flat:
            reached |= set(node.inputs)
    return any(link < 0 and architecture.inputs[-link - 1].dtype == "float" for link in reached)


def is_flat(node: Node, shape: Shape) -> bool:
    """Whether the output of a node hardly changes with its input, which has this shape."""
    if node.op in ("softmax", "log_softmax"):
        return shape[int(node.attributes["axis"])] == 1
    if node.op not in NORMS or node.attributes.get("mode") == "evaluation":
        return False
    left = math.prod(_group(node, shape)) - (node.op != "rms_norm")
    return left < 2


def _group(node: Node, shape: Shape) -> Shape:
    """The sizes of what one mean is taken over."""
    if node.op == "batch_norm":
        return shape[:1] + shape[2:]
    if node.op == "layer_norm":
        return shape[-int(node.attributes["axes"]) :]
    if node.op == "group_norm":
        return (shape[1] // int(node.attributes["groups"]), *shape[2:])
    return shape[-1:]
