"""Measures the constants of the tolerance model: the errors of NumPy, SciPy, PyTorch and JAX, in units of u.

    python tests/benchmarks/measure_constants.py [--points 60000] [--write]

Truth, and the points at which it is asked, are those of `exact.py`.

A number is the largest error seen on the sample: a lower bound of the largest there is. The constant of the
tolerance model is half of it, because the model's noise is uniform and accuses only beyond 16 σ.
"""

from __future__ import annotations

import argparse
import functools
import json
import platform
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import jax
import numpy as np
import scipy
import torch
from exact import (
    ACTIVATIONS,
    PRIMITIVES,
    SEED,
    TRUTH,
    Array,
    Exact,
    asked,
    away_from_kinks,
    gathered,
    points,
    truth,
    vector_truth,
)
from jax import enable_x64

from crosscheck.oracles.jax_grad.activations import ROWS as JAX
from crosscheck.oracles.jax_grad.evaluate import evaluate
from crosscheck.oracles.torch_autograd.activations import ROWS as TORCH
from crosscheck.tolerance.frameworks import DERIVATIVE_ERROR, VALUE_ERROR
from crosscheck.tolerance.rounding import ELEMENTARY, FORMATS

STORED = Path(__file__).with_name("constants.json")
UNIT = {"float64": 2.0**-53, "float32": 2.0**-24}
DEVIATES = 100.0  # relative error of g', in u, from which a region is listed

# Systematically wrong there, and listed among the deviations: no matter of rounding, so not in the constants.
APART: dict[tuple[str, str, str], Callable[[Array], Array]] = {
    ("torch", "softplus", "float64"): lambda z: z > 20.0,
    ("torch", "softplus", "float32"): lambda z: z > 20.0,
    ("torch", "hardsigmoid", "float64"): lambda z: np.abs(z) < 3.0,
}

# --- who is measured: each yields (route, g, g') -----------------------------------------------------------------


def by_torch(op: str, z: Array) -> Iterator[tuple[str, Array, Array]]:
    """Contiguous numbers go through the vectorised kernels, strided ones through the scalar loops."""
    name, attributes = asked(op)
    for route, tensor in (("scalar", torch.from_numpy(np.repeat(z, 2))[::2]), ("vector", torch.from_numpy(z))):
        x = tensor.detach().requires_grad_()
        g = TORCH[name](x, **attributes)
        yield route, g.detach().numpy(), torch.autograd.grad(g, x, torch.ones_like(g))[0].numpy()


def by_jax(op: str, z: Array) -> Iterator[tuple[str, Array, Array]]:
    """Eager, fused under jit, and primitive by primitive as our witness runs it."""
    name, attributes = asked(op)
    both = jax.vmap(jax.value_and_grad(functools.partial(JAX[name], **attributes)))
    with enable_x64(z.dtype == np.float64):
        program = jax.make_jaxpr(both)(z)
        runs = {"eager": both(z), "jit": jax.jit(both)(z), "witness": evaluate(program.jaxpr, program.consts, [z])}
    for route, (g, slope) in runs.items():
        yield route, np.asarray(g), np.asarray(slope)


WITNESSES = {"torch": by_torch, "jax": by_jax}

# --- measuring -------------------------------------------------------------------------------------------------


def worst(errors: Array, z: Array, counted: Array) -> dict[str, Any]:
    """The largest error among those that count, and where it is."""
    if not counted.any():
        return {"worst": 0.0, "at": None}
    i = int(np.argmax(np.where(counted, errors, -1.0)))
    return {"worst": significant(errors[i]), "at": significant(z[i], 9)}


def significant(number: Any, digits: int = 3) -> float:
    return float(f"{float(number):.{digits}g}")


def largest(found: list[dict[str, Any]]) -> dict[str, Any]:
    return max(reversed(found), key=lambda row: row["worst"])  # among equals the last, the usual route


def primitives(count: int) -> dict[str, Any]:
    """Relative errors of NumPy's and SciPy's functions, vectorised and strided; subnormal results left out."""
    table: dict[str, Any] = {}
    for name, (function, f, low, high) in PRIMITIVES.items():
        for dtype, unit in UNIT.items():
            x = points(dtype, count, low, high)
            exact = gathered(truth(f, v)[0] for v in x.tolist())
            with np.errstate(all="ignore"):
                results = {"scalar": function(np.repeat(x, 2)[::2]), "vector": function(x)}
            normal = exact.normal(dtype)
            found = [{**worst(exact.errors(y)[1] / unit, x, normal), "route": r} for r, y in results.items()]
            row = largest(found)
            table.setdefault(name, {})[dtype] = row | {
                "constant": significant(row["worst"] / 2),
                "points": int(normal.sum()),
                "left_out": int((~normal).sum()),
            }
    return table


def activation(op: str, dtype: str, count: int) -> dict[str, Any]:
    """One activation in one format, by both witnesses, and the regions in which their g' is off."""
    z, unit = away_from_kinks(op, points(dtype, count)), UNIT[dtype]
    pairs = [truth(ACTIVATIONS[op], v) for v in z.tolist()]
    g, slope = (gathered(column) for column in zip(*pairs, strict=True))
    sup = float(np.abs(slope.value).max())
    rows: dict[str, Any] = {"sup": significant(sup, 4), "deviations": []}
    for witness, run in WITNESSES.items():
        with np.errstate(all="ignore"):
            measured = list(run(op, z))
        counted = ~APART.get((witness, op, dtype), np.zeros_like)(z).astype(bool)
        rows[witness] = _summary(measured, z, counted, g, slope, sup, dtype)
        _, _, claimed = measured[-1]  # the last is the usual route
        for region in regions(z, slope, claimed, dtype):
            region["in_u_sup"] = significant(region["error"] / unit / sup)
            rows["deviations"].append({"witness": witness, "op": op, "dtype": dtype, **region})
    return rows


def _summary(
    measured: list[Any], z: Array, counted: Array, g: Exact, slope: Exact, sup: float, dtype: str
) -> dict[str, Any]:
    unit, found = UNIT[dtype], []
    tiny = ~slope.normal(dtype) & (np.abs(slope.value) >= float(np.finfo(dtype).smallest_subnormal))
    for route, a, da in measured:
        value, slopes = g.errors(a), slope.errors(da)
        found.append(
            {
                "slope": {**worst(slopes[0] / unit / sup, z, counted), "route": route},
                "slope_relative": {**worst(slopes[1] / unit, z, counted & slope.normal(dtype)), "route": route},
                "value": {**worst(value[0] / unit / (np.abs(g.value) + 1), z, counted), "route": route},
                "value_relative": {**worst(value[1] / unit, z, counted & g.normal(dtype)), "route": route},
                "flushed": [int((da[tiny] == 0).sum()), int(tiny.sum())],
            }
        )
    row = {key: largest([f[key] for f in found]) for key in found[0] if key != "flushed"}
    row["slope"]["routes"] = {f["slope"]["route"]: f["slope"]["worst"] for f in found}
    return row | {"constant": significant(row["slope"]["worst"] / 2), "flushed": found[-1]["flushed"]}


def regions(z: Array, slope: Exact, claimed: Array, dtype: str) -> Iterator[dict[str, Any]]:
    """Stretches of z in which the relative error of g' passes the limit; a gap of a quarter of max(1, |z|) ends one."""
    absolute, relative = slope.errors(claimed)
    bad = np.flatnonzero((relative > DEVIATES * UNIT[dtype]) & slope.normal(dtype))
    gaps = np.diff(z[bad].astype(np.float64)) > 0.25 * np.maximum(np.abs(z[bad][1:]), 1.0)
    for part in np.split(bad, np.flatnonzero(gaps) + 1):
        if len(part):
            i = part[np.argmax(absolute[part])]
            ends = {"from": significant(z[part[0]], 5), "to": significant(z[part[-1]], 5), "points": len(part)}
            sizes = {"error": significant(absolute[i]), "at": significant(z[i], 5)}
            sizes |= {"relative": significant(relative[part].max()), "got": significant(claimed[i], 5)}
            zero = np.abs(z[part[claimed[part] == 0]])
            sizes |= {
                "true": significant(slope.value[i], 5),
                "zero_from": significant(zero.min(), 5) if len(zero) else None,
            }
            yield ends | sizes


# --- vectors ---------------------------------------------------------------------------------------------------

VECTORS = {
    "softmax": (lambda t: torch.softmax(t, -1), lambda z: jax.nn.softmax(z, -1)),
    "log_softmax": (lambda t: torch.log_softmax(t, -1), lambda z: jax.nn.log_softmax(z, -1)),
    "logsumexp": (lambda t: torch.logsumexp(t, -1, keepdim=True), lambda z: jax.nn.logsumexp(z, -1, keepdims=True)),
}


def vectors(each: int = 30) -> dict[str, Any]:
    """Errors in u(|value| + 1); of softmax also relative, in u·value·(1 + max z - z)."""
    table: dict[str, Any] = {}
    for dtype in UNIT:
        rng = np.random.default_rng(SEED)
        for width, scale in ((w, s) for w in (3, 10, 64) for s in (1, 10, 100)):
            z = (scale * rng.standard_normal((each, width))).astype(dtype)
            exact = [vector_truth(row) for row in z.tolist()]
            for name, (torchs, jaxs) in VECTORS.items():
                numbers = gathered(v for row in exact for v in row[name])
                with enable_x64(dtype == "float64"):
                    results = {"torch": torchs(torch.from_numpy(z)).numpy(), "jax": np.asarray(jaxs(z))}
                for witness, y in results.items():
                    cell = table.setdefault(name, {}).setdefault(witness, {}).setdefault(dtype, {})
                    _widen(cell, f"scale_{scale}", numbers, y.ravel(), dtype)
                    if name == "softmax":
                        depth = 1.0 + (z.max(-1, keepdims=True).astype(np.float64) - z).ravel()
                        error = (numbers.errors(y.ravel())[1] / depth)[numbers.normal(dtype)].max() / UNIT[dtype]
                        cell["relative"] = max(significant(error), cell.get("relative", 0.0))
    return table


def _widen(cell: dict[str, float], key: str, numbers: Exact, y: Array, dtype: str) -> None:
    error = (numbers.errors(y)[0] / (np.abs(numbers.value) + 1)).max() / UNIT[dtype]
    cell[key] = max(significant(error), cell.get(key, 0.0))


# --- the page --------------------------------------------------------------------------------------------------


def measure(count: int) -> dict[str, Any]:
    torch.set_num_threads(1)
    names = {"numpy": np, "scipy": scipy, "torch": torch, "jax": jax}
    versions = {name: module.__version__ for name, module in names.items()} | {"python": platform.python_version()}
    versions["truth"] = TRUTH
    machine = f"{platform.machine()} {torch.backends.cpu.get_cpu_capability()}"
    rows = {op: {dtype: activation(op, dtype, count) for dtype in UNIT} for op in ACTIVATIONS}
    deviations = [d for row in rows.values() for cell in row.values() for d in cell.pop("deviations")]
    return {
        "versions": versions,
        "machine": machine,
        "seed": SEED,
        "points": count,
        "primitives": primitives(count),
        "activations": rows,
        "vectors": vectors(),
        "deviations": deviations,
    }


def page(found: dict[str, Any]) -> Iterator[str]:
    """The tables in words; `in use` is what the product has now, `<` marks what is below the measured half."""
    yield f"{'primitive':12}{'dtype':9}{'worst/u':>10}  {'at':>14}  {'half':>8}  {'in use':>8}  left out"
    for name, row in found["primitives"].items():
        for dtype, cell in row.items():
            function = PRIMITIVES[name][0]
            use = FORMATS[dtype].accuracy.get(function, 1.0) if function in ELEMENTARY else None
            yield _line(f"{name:12}{dtype:9}", cell, cell["constant"], use) + f"  {cell['left_out']} {cell['route']}"
    heads = f"{'slope':>10}  {'at':>14}  {'half':>8}  {'in use':>8}   g, g relative, g' relative"
    yield f"\n{'activation':12}{'dtype':9}{'who':6}{heads}"
    for name, row in found["activations"].items():
        for dtype, who in ((d, w) for d in row for w in WITNESSES):
            cell, constant = row[dtype][who], DERIVATIVE_ERROR.get(name)
            use = getattr(constant, who) * constant.sup / row[dtype]["sup"] if constant else 1.0
            rest = "  ".join(f"{cell[key]['worst']:.3g}" for key in ("value", "value_relative", "slope_relative"))
            flushed = "/".join(map(str, cell["flushed"]))
            line = _line(f"{name:12}{dtype:9}{who:6}", cell["slope"], cell["constant"], use)
            allowed = getattr(VALUE_ERROR[name], who) if name in VALUE_ERROR else 1.0
            over = "  g above its row" if cell["value"]["worst"] / 2 > allowed else ""
            yield f"{line}  {rest}  {cell['slope']['route']}, flushed {flushed}{over}"
    yield "\nvectors: u(|value| + 1) by scale; softmax also u·value·(1 + max z - z)"
    for name, row in found["vectors"].items():
        yield from (f"{name:12}{who:6}{dtype:9}{cell}" for who, by in row.items() for dtype, cell in by.items())
    yield "\nwhere g' is off by more than 100 u, relative (subnormal truth left out)"
    for d in found["deviations"]:
        yield " ".join(
            f"{key}={value}" if key in ("points", "relative", "in_u_sup") else str(value) for key, value in d.items()
        )


def _line(name: str, cell: dict[str, Any], half: float, use: float | None) -> str:
    now = f"{'unused':>8} " if use is None else f"{use:>8.3g}{'<' if use < half else ' '}"
    return f"{name}{cell['worst']:>10.4g}  {cell['at'] or 0.0:>14.8g}  {half:>8.3g}  {now}"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--points", type=int, default=60_000, help="points for each function and format")
    parser.add_argument("--write", action="store_true", help=f"store the result in {STORED.name}")
    options = parser.parse_args()
    found = measure(options.points)
    print("\n".join(page(found)))
    if options.write:
        STORED.write_text(json.dumps(found, indent=1, allow_nan=True) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
