"""The command group, and the one place where an expected failure becomes a sentence and an exit code."""

from collections.abc import Sequence
from importlib import import_module

import click

from prime_uve.cli.output import warn
from prime_uve.errors import INTERRUPTED, PrimeUveError

COMMANDS = ("check", "doctor", "hook", "init", "keep", "list", "prune", "register", "repair", "unkeep", "unregister")


class LazyGroup(click.Group):
    """Imports the module of a command when that command is asked for."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Return the names of all commands."""
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Return the command `cmd_name`, ``None`` if there is none."""
        if cmd_name not in COMMANDS:
            return None
        command = import_module(f"prime_uve.cli.{cmd_name}").command
        return command if isinstance(command, click.Command) else None


def _print_version(ctx: click.Context, _parameter: click.Parameter, value: bool) -> None:
    if value and not ctx.resilient_parsing:
        from importlib.metadata import version

        click.echo(f"prime-uve {version('prime-uve')}")
        ctx.exit()


@click.group(cls=LazyGroup, context_settings={"help_option_names": ["-h", "--help"]})
@click.option(
    "--version", is_flag=True, is_eager=True, expose_value=False, callback=_print_version, help="Show the version."
)
def cli() -> None:
    """Keep uv's environments outside the project: named in .env.uve, registered, checked on each commit."""


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command and return its exit code.

    Args:
        argv: the words of the command, by default ``sys.argv[1:]``.

    Returns:
        0 done; 1 a negative verdict or an expected failure; 2 usage, refusal, or the system failed; 130 interrupted.
    """
    try:
        code = cli.main(args=None if argv is None else list(argv), prog_name="prime-uve", standalone_mode=False)
    except click.ClickException as error:
        error.show()
        return error.exit_code
    except (click.Abort, KeyboardInterrupt):
        warn("interrupted; nothing more was done")
        return INTERRUPTED
    except PrimeUveError as error:
        warn(str(error))
        return error.exit_code
    return code if isinstance(code, int) else 0
