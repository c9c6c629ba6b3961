"""``uve ARGS`` is ``uv ARGS`` with the environment that the project's env file names.

Hot: imports only what a bare interpreter has already loaded.
"""

import os
import sys

from prime_uve.core import marker
from prime_uve.core.command_line import ACCOUNT, CommandLine
from prime_uve.core.env_file import KEY, NAME, granted, load, trusted_environment
from prime_uve.core.lookup import is_registered
from prime_uve.core.paths import home, portable, quoted, working_directory
from prime_uve.core.project import find_env_root, find_project_root, no_environment
from prime_uve.core.uv import find_uv
from prime_uve.errors import INTERRUPTED, CacheError, PrimeUveError, ProjectError, UvNotFoundError
from prime_uve.stderr import tell

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence


# What Python sets LC_CTYPE to where the locale is C (PEP 538).
COERCED = frozenset(("C.UTF-8", "C.utf8", "UTF-8"))


def main(argv: "Sequence[str] | None" = None) -> int:
    """Run uv with `argv` (by default ``sys.argv[1:]``) in place of this process; return an exit code if that fails.

    The exit code is 2 where uv was not run, 130 where that was interrupted; on Windows, where a process cannot be
    replaced, it is uv's own.
    """
    args = sys.argv[1:] if argv is None else list(argv)
    try:
        environ = prepare(args, inherited())
        return execute(find_uv(os.environ), args, environ)
    except PrimeUveError as error:
        tell(f"uve: {error}")
        return error.exit_code
    except KeyboardInterrupt:
        tell("uve: interrupted; uv was not run")
        return INTERRUPTED


def inherited() -> dict[str, str]:
    """Return the variables that this process was given: without what Python itself has added.

    Only Linux tells what ``LC_CTYPE`` was before; elsewhere it stays.
    """
    result = dict(os.environ)
    if result.get("LC_CTYPE") in COERCED and sys.platform != "win32":
        try:
            with open("/proc/self/environ", "rb") as stream:
                given = stream.read().split(b"\0")
        except OSError:
            return result
        before = [entry for entry in given if entry.startswith(b"LC_CTYPE=")]
        del result["LC_CTYPE"]
        if before:
            result["LC_CTYPE"] = os.fsdecode(before[0].removeprefix(b"LC_CTYPE="))
    return result


def prepare(args: "Sequence[str]", environ: "Mapping[str, str]") -> dict[str, str]:
    """Return the variables that uv is to be run with for `args`: `environ`, and what the env files add.

    Warns on stderr where another environment was set; registers the project where it is not registered. For ``uv venv``
    without a path it goes to the project's folder.

    Raises:
        ProjectError: the command needs an environment and no env file names one, or it is another project's.
        EnvFileError: an env file cannot be used.
    """
    line = CommandLine(args)
    result = dict(environ)
    if sys.platform == "win32":
        result.setdefault("HOME", home())
    if line.command in ACCOUNT:
        return result
    root = _find_root(line, environ)
    reading = load(root, result) if root is not None else None
    environment = trusted_environment(reading) if reading is not None else None
    if reading is not None:
        result.update({name: value for name, value in granted(reading).items() if line.takes(name)})
    if root is None or environment is None:
        if line.needs_project:
            raise no_environment(_start(line, environ), root)
        return result
    set_before = environ.get(KEY)
    if set_before is not None and set_before != environment:
        tell(f"uve: {KEY} was {set_before!r}; the {NAME} of {root!r} goes before it")
    if line.needs_environment and not marker.is_environment(environment):
        raise ProjectError(
            f"the environment {environment!r} does not exist yet; make it: uve sync --project {quoted(root)}"
        )
    if line.makes_default_environment:
        _go_where_uv_makes_it(_start(line, environ), root, environment)
    _note_use(root, environment)
    result[KEY] = result["VIRTUAL_ENV"] = environment
    return result


def _find_root(line: CommandLine, environ: "Mapping[str, str]") -> str | None:
    """Return the folder whose env file counts; what needs none runs in a folder that is gone or not set up, too."""
    try:
        return find_env_root(_start(line, environ))
    except PrimeUveError:
        if line.needs_project:
            raise
        return None


def _start(line: CommandLine, environ: "Mapping[str, str]") -> str:
    """Return the folder from which uv would look for a project."""
    directory = (
        line.options.get("--directory") or environ.get("UV_WORKING_DIR") or environ.get("UV_WORKING_DIRECTORY") or ""
    )
    project = line.options.get("--project") or environ.get("UV_PROJECT") or ""
    return os.path.join(working_directory(), directory, project)


def _go_where_uv_makes_it(start: str, root: str, environment: str) -> None:
    """Go from `start` to the project `root`: only there ``uv venv`` makes its environment, elsewhere a ``.venv``.

    Raises:
        ProjectError: uv would make a ``.venv`` all the same: it is told to start elsewhere, or takes `root` for a part
            of another project.
    """
    start = os.path.realpath(start)
    if find_project_root(root) != root or start not in (root, os.path.realpath(working_directory())):
        raise ProjectError(f"uv would make a .venv here; name the environment: uve venv {quoted(environment)}")
    if start != root:
        os.chdir(root)


def _note_use(root: str, environment: str) -> None:
    """Note in the environment that it is used, and register the project; the registry's troubles never stop uv.

    Raises:
        ProjectError: the environment is another living project's.
    """
    try:
        if not is_registered(root, portable(environment)):
            _register(root, portable(environment))
        elif not marker.touch(environment):
            marker.mark(environment, root)
    except CacheError as error:
        tell(f"uve: not registered: {error}")


def _register(root: str, venv_path: str) -> None:
    """Register the project, and tell what came of it.

    A change of the file is taken over unless it is still to be committed: then it is for the commit check to ask.

    Raises:
        ProjectError: the environment is another living project's.
        CacheError: the registry cannot be read or written.
    """
    from pathlib import Path

    from prime_uve.core import git
    from prime_uve.core.cache import Cache
    from prime_uve.core.kinship import is_same_project
    from prime_uve.core.registration import living_claims, register

    cache = Cache()
    for other in living_claims(cache, Path(root), venv_path):
        if not is_same_project(root, other):
            raise ProjectError(
                f"the environment {venv_path!r}, which {root!r} names, belongs to another project, {other!r}; "
                f"give this one its own: prime-uve init {quoted(root)}"
            )
    registration = register(cache, Path(root), venv_path, accept=not git.is_edited(root, NAME))
    if registration.message:
        tell(f"uve: {registration.message}")


def execute(uv: str, args: "Sequence[str]", environ: "dict[str, str]") -> int:
    """Replace this process by `uv`; on Windows run it as a child and return its exit code.

    Raises:
        UvNotFoundError: `uv` cannot be started.
        PrimeUveError: the locale is one that cannot give back every byte that it has read.
    """
    try:
        if sys.platform == "win32":
            from prime_uve.core import child

            return child.run([uv, *args], environ)
        # The module behind `signal`, which would import enum. Python ignores these two for itself, and exec would hand
        # that on to uv.
        import _signal

        _signal.signal(_signal.SIGPIPE, _signal.SIG_DFL)
        _signal.signal(_signal.SIGXFSZ, _signal.SIG_DFL)
        return os.execve(uv, [uv, *args], environ)
    except UnicodeEncodeError as error:
        raise PrimeUveError(
            "an argument or a variable has bytes that this locale does not know; use another: export LC_ALL=C.UTF-8"
        ) from error
    except OSError as error:
        raise UvNotFoundError(
            f"cannot run {uv!r}: {error.strerror}; install uv anew: pip install 'prime-uve[uv]'"
        ) from error
