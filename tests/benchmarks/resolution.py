"""How small an error would certainly have been seen: the resolution of entries on networks of up to five layers of 16.

    python tests/benchmarks/resolution.py                  # 120 networks in each dtype, a minute
    python tests/benchmarks/resolution.py --networks 400

Against certified truth, for the hand-written backprop and beside it for PyTorch and JAX as subjects in the same dtype.
`everyday` are the families of values with which people train and test (initialised, normal, small); `all` are all that
are drawn, overflow, saturation and kinks included. Asked of the hand-written backprop on `everyday` networks: median
1e-13 and 95th percentile 1e-11 in float64, 1e-4 and 1e-2 in float32. Exit 1 where that is missed.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))

import numpy as np
from networks import CURVED, LOSSES, plain, residual

from crosscheck.checking import Witnesses, check
from crosscheck.oracles.ball import Ball
from crosscheck.spec.notation import parse
from crosscheck.strategies.values import FAMILIES, make_case
from crosscheck.subjects.named import subject_named

EVERYDAY = ("initialised", "normal", "small")
ACTIVATIONS = (*CURVED, "leaky_relu", "hardtanh", "hardsigmoid", "softmax", "log_softmax")
POINTS = 4
ASKED = {"float64": (1e-13, 1e-11), "float32": (1e-4, 1e-2)}


def network(generator: np.random.Generator) -> str:
    act, loss = str(generator.choice(ACTIVATIONS)), str(generator.choice(LOSSES))
    # A residual block has two layers, and one comes before the first block.
    return (
        residual(int(generator.integers(1, 3)), act, loss)
        if generator.random() < 0.4
        else plain(int(generator.integers(1, 6)), act, loss)
    )


def resolutions(subject: str, dtype: str, families: tuple[str, ...], networks: int, seed: int) -> np.ndarray:
    """Of every entry that has one; infinite where nothing could have been seen."""
    generator = np.random.default_rng(seed)
    found = []
    for index in range(networks):
        family = families[index % len(families)]
        case = make_case(parse(network(generator)), family=family, seed=seed + index, points=POINTS, dtype=dtype)
        with np.errstate(all="ignore"):
            judgement = check(case, subject_named(subject), Witnesses((Ball(),), differences=False))
        found += [tensor.resolution.ravel() for tensor in judgement.tensors.values()]
    return np.concatenate(found)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--networks", type=int, default=120)
    parser.add_argument("--seed", type=int, default=7)
    options = parser.parse_args()
    missed = False
    print("subject   dtype     values      entries      median   95 %     unseen")
    for dtype, (median, p95) in ASKED.items():
        for subject in ("builtin", "torch", "jax"):
            for name, families in (("everyday", EVERYDAY), ("all", tuple(FAMILIES))):
                found = resolutions(subject, dtype, families, options.networks, options.seed)
                middle, most = np.quantile(found, [0.5, 0.95])
                unseen = np.mean(~np.isfinite(found))
                print(f"{subject:<9} {dtype:<9} {name:<9} {found.size:>9,}    {middle:8.1e} {most:8.1e} {unseen:8.2%}")
                missed |= subject == "builtin" and name == "everyday" and not (middle <= median and most <= p95)
    return int(missed)


if __name__ == "__main__":
    sys.exit(main())
