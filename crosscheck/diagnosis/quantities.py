"""The quantities of a network that a forgotten or doubled factor may equal, by what they are called.

What is a property of the case explains more than a number that happens to equal it, so these are named before numbers.
"""

from __future__ import annotations

import math

import numpy as np

from crosscheck.spec.architecture import Architecture
from crosscheck.spec.op import Attributes, Shape
from crosscheck.spec.ops import OPS

Quantities = dict[str, float]
RECURRENT = ("rnn", "lstm", "gru")
ATTENTION = ("attention", "multi_head_attention")
# Attributes that nothing is multiplied by.
NO_FACTORS = ("eps", "min_val", "max_val")
# Whose rows are steps in time, or tokens.
OF_STEPS = (*RECURRENT, *ATTENTION)


def quantities(architecture: Architecture) -> Quantities:
    """Those of the output and the loss, then those of every node, with the name of its operation."""
    shape = architecture.shape_of(architecture.loss.inputs[0])
    found: Quantities = {}
    if shape:
        found["the number of outputs"] = float(shape[-1])
    if len(shape) > 1:
        found["the batch size"] = float(shape[0])
        found["the number of output elements"] = float(np.prod(shape))
    if len(shape) > 2:
        found["the number of samples"] = float(np.prod(shape[:-1]))
    found |= {f"1 / {name}": 1.0 / value for name, value in list(found.items())}
    scale = float(architecture.loss.attributes["scale"])
    found["the loss's scale"] = scale
    if scale:
        found["1 / the loss's scale"] = 1.0 / scale
    for node in architecture.nodes:
        found |= of_node(node.op, node.attributes, architecture.shape_of(node.inputs[0]))
    return found


def of_the_loss(architecture: Architecture) -> Quantities:
    """What the loss asked for multiplies the sum of its terms by, and which parts of that another may leave out."""
    terms, attributes = architecture.terms_shape, architecture.loss.attributes
    over = {"mean": float(np.prod(terms)), "batch_mean": float(terms[0]) if terms else 1.0}
    reduction = over.get(str(attributes["reduction"]), 1.0)
    scale = float(attributes["scale"])
    found = {"without its reduction": reduction}
    if scale:
        found |= {"without its scale": 1.0 / scale, "without its scale and reduction": reduction / scale}
    return {name: value for name, value in found.items() if value != 1.0}


def of_node(op: str, attributes: Attributes, shape: Shape) -> Quantities:
    """What multiplies or divides in the rules of this operation, given its attributes and its first input's shape."""
    found = {name: float(value) for name, value in attributes.items() if _is_a_factor(op, name)}
    if op == "dropout":
        found["(1 - p)"] = 1.0 - found["p"]
    if op in OF_STEPS and len(shape) > 1:
        found["number of steps"] = float(shape[-2])
    if op in ATTENTION:
        found["√(width of a head)"] = math.sqrt(shape[-1] / float(attributes.get("heads", 1)))
    # 0 and 1 are no factor that anybody would miss.
    found = {name: value for name, value in found.items() if value not in (0.0, 1.0)}
    named = {f"{op}'s {name}": value for name, value in found.items()}
    return named | {f"1 / {name}": 1.0 / value for name, value in named.items()}


def of_a_node(name: str) -> bool:
    """Whether this is the name of a quantity of a node: of one network many may equal a factor by chance."""
    return "'s " in name and "the loss's" not in name


def _is_a_factor(op: str, name: str) -> bool:
    """Numbers of which a rule has multiples: slopes, rates, groups and heads; not an eps, nor a place of a kink."""
    kind = next(attribute.type for attribute in OPS[op].attributes if attribute.name == name)
    return (kind == "float" and name not in NO_FACTORS) or name in ("groups", "heads")
