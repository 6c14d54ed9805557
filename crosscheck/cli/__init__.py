"""The command line: one file a command, parsing only; commands are imported when they are asked for."""

from __future__ import annotations

import importlib
import sys
import traceback
from collections.abc import Sequence
from typing import NoReturn

import click

COMMANDS = {
    "run": "run",
    "replay": "replay",
    "explain": "explain",
    "doctor": "doctor",
    "gate": "gate",
    "accuracy": "accuracy",
    "selftest": "selftest",
}
INTERRUPTED, CRASHED, USAGE = 2, 3, 4


class Lazy(click.Group):
    """A group whose commands live in modules of their own name."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in COMMANDS:
            return None
        module = importlib.import_module(f"crosscheck.cli.{COMMANDS[cmd_name]}")
        command: click.Command = getattr(module, cmd_name)
        return command


def _version() -> str:
    from crosscheck import __version__

    return __version__


@click.group(cls=Lazy, context_settings={"help_option_names": ["-h", "--help"], "auto_envvar_prefix": "CROSSCHECK"})
@click.version_option(_version(), prog_name="crosscheck")
def group() -> None:
    """Verify hand-written backpropagation against PyTorch, JAX and finite differences.

    Exit codes: 0 agree · 1 disagree · 2 interrupted · 3 internal error or an oracle crashed · 4 usage ·
    5 nothing verified · 6 gate not met.
    """


def main(args: Sequence[str] | None = None) -> NoReturn:
    """Run the command line and exit with the codes of the interface."""
    sys.exit(run_group(args))


def run_group(args: Sequence[str] | None = None) -> int:
    """The exit code of a command line; click's own code for usage, 2, becomes 4."""
    from crosscheck.spec.errors import OracleCrashed, SpecError, UsageError

    try:
        code = group.main(args=args, prog_name="crosscheck", standalone_mode=False)
    except click.exceptions.Exit as stop:
        code = stop.exit_code
    except click.Abort:
        return _fail("interrupted", INTERRUPTED)
    except click.ClickException as error:
        error.show()
        return _reason(USAGE)
    except (SpecError, UsageError) as error:
        return _fail(str(error), USAGE)
    except OracleCrashed as error:
        return _fail(str(error), CRASHED)
    except KeyboardInterrupt:
        return _fail("interrupted", INTERRUPTED)
    except SystemExit:
        # Whoever read our output has gone: click ends that with 1, which is a verdict here. There is nobody to tell.
        return CRASHED
    except MemoryError:
        return _fail("there is not enough memory for networks of this size: fewer --points, or smaller layers", USAGE)
    except Exception:  # noqa: BLE001  what is not foreseen is our own fault, and must not look like a verdict
        traceback.print_exc()
        return _fail("this is an error of crosscheck itself, not of the subject; please report it", CRASHED)
    return int(code or 0)


REASONS = {
    INTERRUPTED: "interrupted",
    CRASHED: "internal error or an oracle crashed",
    USAGE: "usage or configuration",
}


def _fail(text: str, code: int) -> int:
    click.echo(f"crosscheck: {text}", err=True)
    return _reason(code)


def _reason(code: int) -> int:
    click.echo(f"exit {code}: {REASONS[code]}", err=True)
    return code
