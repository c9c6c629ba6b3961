"""What several commands take from the command line."""

import os

import click

from prime_uve.core.cache import Cache
from prime_uve.core.deadline import LOOK_SECONDS
from prime_uve.core.env_file import trusted_reading
from prime_uve.core.paths import working_directory
from prime_uve.core.project import find_env_root, no_environment

json_option = click.option("--json", "as_json", is_flag=True, help="Print one JSON document.")
timeout_option = click.option(
    "--timeout",
    type=click.FloatRange(min=0, min_open=True),
    default=LOOK_SECONDS,
    show_default=True,
    metavar="SECONDS",
    help="How long to wait for a disk that does not answer.",
)


class _NamedPath(click.Path):
    """A path, not looked at: what lies there may hang, and whether it can be read is for those to say who read it."""

    def convert(
        self,
        value: str | os.PathLike[str],
        param: click.Parameter | None,
        ctx: click.Context | None,
    ) -> str | bytes | os.PathLike[str]:
        return self.coerce_path_result(value)


PATH = _NamedPath()
# What is unregistered may be gone; anything else has to be there.
any_path_argument = click.argument("path", default=".", type=PATH, callback=lambda _c, _p, it: absolute(it))
path_argument = click.argument("path", default=".", type=PATH, callback=lambda _c, _p, it: existing(it))


def absolute(path: str) -> str:
    """Return `path` seen from the working directory.

    Raises:
        PrimeUveError: that is gone.
        click.BadParameter: `path` is empty.
    """
    if not path:
        raise click.BadParameter("an empty path is no project")
    return os.path.join(working_directory(), path).removesuffix(f"{os.sep}.") or os.sep


def existing(path: str) -> str:
    """Return `path` seen from the working directory.

    Raises:
        PrimeUveError: the working directory is gone.
        click.BadParameter: there is nothing of that name.
    """
    seen = absolute(path)
    if not os.path.lexists(seen):
        raise click.BadParameter(f"{seen!r} does not exist")
    return seen


def open_registry() -> Cache:
    """Return the registry of this account."""
    return Cache()


def require_environment(path: str) -> tuple[str, str]:
    """Return the project that governs `path` and the environment that its env files name.

    Raises:
        ProjectError: there is no env file, or none that names an environment.
        EnvFileError: an env file cannot be used.
    """
    root = find_env_root(path)
    found = trusted_reading(root) if root is not None else None
    if root is None or found is None:
        raise no_environment(path, root)
    return root, found[1]
