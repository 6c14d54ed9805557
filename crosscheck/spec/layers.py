"""Layers: operations with parameters of their own."""

from __future__ import annotations

from crosscheck.spec.attention import ATTENTION
from crosscheck.spec.convolution import CONVOLUTIONS
from crosscheck.spec.errors import SpecError
from crosscheck.spec.moves import MOVES
from crosscheck.spec.normalisation import NORMALISATIONS
from crosscheck.spec.op import LARGEST_SIZE, Attribute, Attributes, Op, Shape
from crosscheck.spec.pooling import POOLS
from crosscheck.spec.recurrent import RECURRENT
from crosscheck.spec.selection import SELECTIONS
from crosscheck.spec.vectors import VECTORS


def _dense_shape(attributes: Attributes, shapes: tuple[Shape, ...]) -> Shape:
    if not shapes[0]:
        raise SpecError("dense needs an input of shape (…, in), but its input is a scalar")
    return (*shapes[0][:-1], int(attributes["out"]))


def weight_and_bias(attributes: Attributes) -> tuple[str, ...]:
    return ("weight", "bias") if attributes["bias"] else ("weight",)


def _dense_params(attributes: Attributes, shapes: tuple[Shape, ...]) -> dict[str, Shape]:
    out = int(attributes["out"])
    params: dict[str, Shape] = {"weight": (out, shapes[0][-1])}
    if attributes["bias"]:
        params["bias"] = (out,)
    return params


LAYERS: tuple[Op, ...] = (
    Op(
        name="dense",
        kind="layer",
        attributes=(
            Attribute(name="out", type="int", above=0, at_most=LARGEST_SIZE),
            Attribute(name="bias", type="bool", default=True),
        ),
        out_shape=_dense_shape,
        roles=weight_and_bias,
        params=_dense_params,
        summary="z = a Wᵀ + b on the last axis; weight (out, in), bias (out,)",
    ),
    *CONVOLUTIONS,
    *POOLS,
    *MOVES,
    *VECTORS,
    *RECURRENT,
    *ATTENTION,
    *NORMALISATIONS,
    *SELECTIONS,
)
