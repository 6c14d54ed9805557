"""`[tool.crosscheck]` of pyproject.toml: flag > environment > pyproject > profile's default."""

from __future__ import annotations

import tomllib
from pathlib import Path
from typing import Any

import click

# Keys as the options are written, with the option's own name and the type that TOML must give.
KEYS: dict[str, tuple[str, tuple[type, ...]]] = {
    "subject": ("subject", (str,)),
    "profile": ("profile", (str,)),
    "oracles": ("oracles", (str, list)),
    "certify": ("certify", (str,)),
    "dtype": ("dtype", (str, list)),
    "ops": ("ops", (str, list)),
    "architecture": ("architecture", (str,)),
    "max-examples": ("max_examples", (int,)),
    "points": ("points", (int,)),
    "time-budget": ("time_budget", (int, float)),
    "seed": ("seed", (int,)),
    "report": ("reports", (list,)),
    "fail-on": ("fail_on", (list,)),
}


def read(path: Path) -> dict[str, Any]:
    """The table's options by their Python names; {} where there is no table. Raises click.UsageError."""
    if not path.is_file():
        return {}
    try:
        tools = tomllib.loads(path.read_text(encoding="utf-8")).get("tool", {})
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise click.UsageError(f"{path}: {error}") from None
    if not isinstance(tools, dict):
        raise click.UsageError(f"{path}: tool must be a table")
    table = tools.get("crosscheck", {})
    if not isinstance(table, dict):
        raise click.UsageError(f"{path}: tool.crosscheck must be a table")
    result = {}
    for key, value in table.items():
        if key not in KEYS:
            raise click.UsageError(f"{path}, [tool.crosscheck]: unknown key {key!r}; the keys are {', '.join(KEYS)}")
        name, types = KEYS[key]
        if not isinstance(value, types) or isinstance(value, bool):
            wanted = " or ".join(t.__name__ for t in types)
            raise click.UsageError(f"{path}, [tool.crosscheck]: {key} is {value!r}, must be of type {wanted}")
        for item in value if isinstance(value, list) else ():
            if not isinstance(item, str):
                raise click.UsageError(f"{path}, [tool.crosscheck]: {key} holds {item!r}, must hold texts")
        result[name] = value
    return result


def configured(ctx: click.Context, options: dict[str, Any]) -> dict[str, Any]:
    """The options with the file's values where neither a flag nor the environment gave one."""
    found = read(Path("pyproject.toml"))
    default = (click.core.ParameterSource.DEFAULT, click.core.ParameterSource.DEFAULT_MAP)
    params = {p.name: p for p in ctx.command.params}
    result = dict(options)
    for name, value in found.items():
        if ctx.get_parameter_source(name) not in default:
            continue
        if isinstance(value, list):
            result[name] = tuple(value) if name in ("reports", "fail_on") else value
        else:
            result[name] = params[name].type_cast_value(ctx, value)
    return result
