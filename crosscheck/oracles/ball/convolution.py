"""Convolutions and pools as steps on the tape: every number of a window by its index, and products, sums, maxima.

All lists are in C order of (N, C, *size). A place outside the input is the index of a zero laid behind it.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from itertools import product

from flint import arb

from crosscheck.oracles.ball.branches import ONE, ZERO, Kink
from crosscheck.oracles.ball.tape import Composition, Place, Tape, Variable
from crosscheck.spec.op import Shape, sizes_of

Params = Mapping[str, Variable]
# Between nothing and everything.
ANY_PART = ZERO.union(ONE)


def flat(index: Sequence[int], shape: Sequence[int]) -> int | None:
    """The place in C order; None outside of the shape."""
    found = 0
    for i, n in zip(index, shape, strict=True):
        if not 0 <= i < n:
            return None
        found = found * n + i
    return found


def every(shape: Sequence[int]) -> Iterator[tuple[int, ...]]:
    return product(*map(range, shape))


def sizes(place: Place, *names: str) -> list[Shape]:
    axes = len(place.in_shapes[0]) - 2
    return [sizes_of(place.attributes[name], axes) for name in names]


def conv(tape: Tape, place: Place, xs: tuple[Variable, ...], params: Params) -> Variable:
    """Output place o sees input place o·stride + k·dilation - padding through the kernel's place k."""
    kernel, stride, padding, dilation = sizes(place, "kernel", "stride", "padding", "dilation")
    size, out = place.in_shapes[0][2:], place.out_shape[2:]
    sources = [
        [
            flat([o * s + k * d - p for o, k, s, d, p in zip(at, by, stride, dilation, padding, strict=True)], size)
            for by in every(kernel)
        ]
        for at in every(out)
    ]
    # weight (out, C/groups, *kernel): the rows of a group stand as they are wanted.
    rows = place.out_shape[1] // int(place.attributes["groups"])
    each = len(params["weight"]) // place.out_shape[1]
    order = [[(group * rows + row) * each + i for row in range(rows) for i in range(each)] for group in groups(place)]
    return _with_bias(tape, place, _products(tape, place, xs[0], params["weight"], sources, order), params)


def conv_transpose(tape: Tape, place: Place, xs: tuple[Variable, ...], params: Params) -> Variable:
    """Output place o is reached from input place i through the kernel's k where i·stride = o + padding - k·dilation."""
    kernel, stride, padding, dilation = sizes(place, "kernel", "stride", "padding", "dilation")
    size, out = place.in_shapes[0][2:], place.out_shape[2:]

    def source(at: Sequence[int], by: Sequence[int]) -> int | None:
        reached = [o + p - k * d for o, k, p, d in zip(at, by, padding, dilation, strict=True)]
        if any(r % s for r, s in zip(reached, stride, strict=True)):
            return None
        return flat([r // s for r, s in zip(reached, stride, strict=True)], size)

    sources = [[source(at, by) for by in every(kernel)] for at in every(out)]
    # weight (C, out/groups, *kernel): what belongs to one output channel is gathered from all C of its group.
    rows = place.out_shape[1] // int(place.attributes["groups"])
    channels, taps = place.in_shapes[0][1] // int(place.attributes["groups"]), math.prod(kernel)
    order = [
        [
            ((group * channels + c) * rows + row) * taps + k
            for row in range(rows)
            for c in range(channels)
            for k in range(taps)
        ]
        for group in groups(place)
    ]
    return _with_bias(tape, place, _products(tape, place, xs[0], params["weight"], sources, order), params)


def groups(place: Place) -> range:
    return range(int(place.attributes["groups"]))


def _products(
    tape: Tape,
    place: Place,
    x: Variable,
    weight: Variable,
    sources: Sequence[Sequence[int | None]],
    order: Sequence[Sequence[int]],
) -> Variable:
    """For each group the matrix of windows (sample and place, channel and tap) times its weights; in C order.

    `sources` are by output place and tap, within one channel; `order` is that of a group's weights, row by row.
    """
    (samples, channels, *size), each = place.in_shapes[0], len(sources)
    of_group, many = channels // len(order), math.prod(size)
    pool, made = Variable([ZERO]), []
    for group, wanted in enumerate(order):
        starts = [[(n * channels + group * of_group + c) * many for c in range(of_group)] for n in range(samples)]
        index = [
            len(x) if k is None else start + k
            for sample in starts
            for taps in sources
            for start in sample
            for k in taps
        ]
        inner = of_group * len(sources[0])
        made.append(tape.product(tape.gather(index, x, pool), tape.gather(wanted, weight), inner))
    rows = place.out_shape[1] // len(order)
    # A group's product is (sample and place, row): group · (samples · places · rows) + …
    return tape.gather(
        [
            ((o // rows * samples + n) * each + at) * rows + o % rows
            for n, o, at in every((samples, place.out_shape[1], each))
        ],
        *made,
    )


def _with_bias(tape: Tape, place: Place, z: Variable, params: Params) -> Variable:
    if "bias" not in params:
        return z
    (samples, out), each = place.out_shape[:2], math.prod(place.out_shape[2:])
    channels = [o for _ in range(samples) for o in range(out) for _ in range(each)]
    return tape.add(z, tape.gather(channels, params["bias"]))


def _windows(place: Place) -> list[list[int | None]]:
    """For each output the numbers that its window holds, in C order, None outside of the input."""
    kernel, stride, padding = sizes(place, "kernel", "stride", "padding")
    found = []
    for n, c, *at in every(place.out_shape):
        corner = [o * (s or k) - p for o, s, k, p in zip(at, stride, kernel, padding, strict=True)]
        inside = ([n, c, *(i + k for i, k in zip(corner, by, strict=True))] for by in every(kernel))
        found.append([flat(index, place.in_shapes[0]) for index in inside])
    return found


def max_pool(tape: Tape, place: Place, xs: tuple[Variable, ...], _params: Params) -> Variable:
    windows = [[i for i in window if i is not None] for window in _windows(place)]
    return largest(tape, xs[0], windows, place.widths)


def largest(
    tape: Tape, x: Variable, windows: Sequence[Sequence[int]], widths: Sequence[float] | None = None
) -> Variable:
    """The largest of each window; at a tie each of those that may be it has any part of the slope, from 0 to 1.

    `widths` says from how far a number below the largest still counts as one that ties with it. Of numbers that tie
    exactly the parts make 1 together: to each behind the first belongs a kink, on whose right side it has it all.
    """
    values, parts = [], []
    picks, kinks = tape.picks(), list[Kink]()
    for window in windows:
        top = max(window, key=lambda i: x.balls[i].mid())
        tied = [top] if len(window) == 1 else _tied(tape, x, top, window, widths)
        value = x.balls[top]
        for i in tied[1:]:
            value = value.max(x.balls[i])
        values.append(value)
        # One number out of each hull: one of them has it all, the first unless another is picked.
        numbered = enumerate(tied[1:], start=len(kinks))
        winner = next((i for number, i in numbered if picks is not None and picks(number)), top)
        kinks += [Kink(i, x.balls[i], ZERO, ONE) for i in tied[1:]]
        parts.append([(i, ONE if len(tied) == 1 else ANY_PART, ONE if i == winner else ZERO) for i in tied])
    if kinks:
        tape.kinks.append(tuple(kinks))
    return tape.combine(values, x, parts)


def _tied(tape: Tape, x: Variable, top: int, window: Sequence[int], widths: Sequence[float] | None) -> list[int]:
    """Those that may be the largest, `top` first."""
    tied = [top]
    for i in window:
        if i == top:
            continue
        below = x.balls[top] - x.balls[i]
        width = arb(widths[i]) + arb(widths[top]) if widths else ZERO
        if below > width:
            continue
        tied.append(i)
        tape.jumps = True
        tape.beside |= not below.is_zero()
        # No precision parts what is alike to the last bit, or surely within the width.
        tape.unsettled |= not (below.is_exact() or below.mid().is_zero() or abs(below) <= width)
    return tied


def avg_pool(tape: Tape, place: Place, xs: tuple[Variable, ...], _params: Params) -> Variable:
    windows = _windows(place)
    zero = len(xs[0])
    seen = tape.gather([zero if i is None else i for window in windows for i in window], xs[0], Variable([ZERO]))
    whole = bool(place.attributes["count_include_pad"])
    counts = [sum(1 for i in window if whole or i is not None) for window in windows]
    return tape.scale(tape.sums(seen, len(windows)), [ONE / n for n in counts])


def global_avg_pool(tape: Tape, place: Place, xs: tuple[Variable, ...], _params: Params) -> Variable:
    totals = tape.sums(xs[0], math.prod(place.out_shape))
    return tape.scale(totals, [ONE / math.prod(place.in_shapes[0][2:])] * len(totals))


# fmt: off
ROWS: dict[str, Composition] = {
    "conv1d":           conv,
    "conv2d":           conv,
    "conv_transpose2d": conv_transpose,
    "max_pool1d":       max_pool,
    "max_pool2d":       max_pool,
    "avg_pool1d":       avg_pool,
    "avg_pool2d":       avg_pool,
    "global_avg_pool":  global_avg_pool,
}
# fmt: on
