"""``uve ARGS`` is ``uv ARGS`` with the environment that the project's env file names.

Hot: imports only what a bare interpreter has already loaded.
"""

import os
import sys

from prime_uve.core import marker
from prime_uve.core.env_file import KEY, NAME, granted, load, trusted_environment
from prime_uve.core.lookup import is_registered
from prime_uve.core.paths import home, portable, quoted, working_directory
from prime_uve.core.project import find_env_root
from prime_uve.core.uv import find_uv
from prime_uve.errors import INTERRUPTED, PrimeUveError, ProjectError, UvNotFoundError
from prime_uve.stderr import tell

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

# What touches no project, and so runs without an env file.
PROJECTLESS = frozenset(("auth", "cache", "help", "init", "python", "self", "tool"))

# The options of uv 0.13 that take a value as the next word, before a command and before the program of `uv run`.
VALUE_OPTIONS = frozenset(
    """
    --allow-insecure-host --build-constraints --cache-dir --color --config-file --config-setting
    --config-settings-package --constraints --default-index --directory --env-file --exclude-newer
    --exclude-newer-package --extra --extra-index-url --find-links --fork-strategy --from --group --index
    --index-strategy --index-url --keyring-provider --link-mode --no-binary-package --no-build-isolation-package
    --no-build-package --no-editable-package --no-extra --no-group --no-sources-package --only-group --overrides
    --package --prerelease --prerelease-package --project --python --python-platform --refresh-package
    --reinstall-package --resolution --torch-backend --upgrade-group --upgrade-package --with --with-editable
    --with-requirements -C -P -b -c -f -i -p -w
    """.split()  # noqa: SIM905  # the list would take sixty lines
)


# The options by which `uv pip` is told another place than the environment.
OTHER_PLACES = frozenset(("--system", "--python", "-p", "--target", "-t", "--prefix"))

SECOND = 2


class CommandLine:
    """What of uv's arguments decides which project is meant.

    `command` is the first word that is no option and `subcommand` the second, `options` maps each option to its value
    (the empty string where it has none). What follows the program that ``uv run`` or ``uv tool run`` starts belongs to
    that program.
    """

    __slots__ = ("command", "options", "subcommand")

    def __init__(self, args: "Sequence[str]") -> None:
        self.command = ""
        self.subcommand = ""
        self.options: dict[str, str] = {}
        waiting = ""  # the option whose value is the next word; an option is nobody's value
        words = 0
        for argument in args:
            if argument == "--":
                break
            if argument.startswith("-") and argument != "-":
                option, _, value = argument.partition("=")
                self.options[option] = value
                waiting = option if _takes_next_word(argument) else ""
                continue
            if waiting:
                self.options[waiting] = argument
                waiting = ""
                continue
            words += 1
            if words == 1:
                self.command = argument
            elif words == SECOND:
                self.subcommand = argument
            if words > {"run": 1, "tool": 2}.get(self.command, words):
                break

    @property
    def needs_project(self) -> bool:
        """Whether uv would look for a project: no mere question for help or version, no command without one."""
        asks = not self.command or "--help" in self.options or "-h" in self.options
        return not asks and self.command not in PROJECTLESS

    @property
    def needs_environment(self) -> bool:
        """Whether uv would take any other environment where this one does not exist, and say nothing."""
        asks = "--help" in self.options or "-h" in self.options
        is_elsewhere = not OTHER_PLACES.isdisjoint(self.options)
        return self.command == "pip" and self.subcommand not in ("", "compile") and not asks and not is_elsewhere


def _takes_next_word(option: str) -> bool:
    """Whether the value of an option is the word after it; of short ones in one word (``-qp 3.13``) the last can."""
    if option.startswith("--"):
        return option in VALUE_OPTIONS
    with_value = [place for place, letter in enumerate(option) if f"-{letter}" in VALUE_OPTIONS]
    return with_value[:1] == [len(option) - 1]


def main(argv: "Sequence[str] | None" = None) -> int:
    """Run uv with `argv` (by default ``sys.argv[1:]``) in place of this process; return an exit code if that fails.

    The exit code is 2 where uv was not run, 130 where that was interrupted; on Windows, where a process cannot be
    replaced, it is uv's own.
    """
    args = sys.argv[1:] if argv is None else list(argv)
    try:
        environ = prepare(args, os.environ)
        return execute(find_uv(os.environ), args, environ)
    except PrimeUveError as error:
        tell(f"uve: {error}")
        return error.exit_code
    except KeyboardInterrupt:
        tell("uve: interrupted; uv was not run")
        return INTERRUPTED


def prepare(args: "Sequence[str]", environ: "Mapping[str, str]") -> dict[str, str]:
    """Return the variables that uv is to be run with for `args`: `environ`, and what the env files add.

    Warns on stderr where another environment was set; registers the project where it is not registered.

    Raises:
        ProjectError: the command needs an environment and no env file names one.
        EnvFileError: an env file cannot be used.
    """
    line = CommandLine(args)
    result = dict(environ)
    if sys.platform == "win32":
        result.setdefault("HOME", home())
    root = _find_root(line, environ)
    reading = load(root, result) if root is not None else None
    environment = trusted_environment(reading) if reading is not None else None
    if reading is not None:
        result.update(granted(reading))
    if root is None or environment is None:
        if line.needs_project:
            raise _no_environment(_start(line, environ), root)
        return result
    set_before = environ.get(KEY)
    if set_before is not None and set_before != environment:
        tell(f"uve: {KEY} was {set_before!r}; the {NAME} of {root!r} goes before it")
    if line.needs_environment and not marker.is_environment(environment):
        raise ProjectError(
            f"the environment {environment!r} does not exist yet; make it: uve sync --project {quoted(root)}"
        )
    result[KEY] = result["VIRTUAL_ENV"] = environment
    _note_use(root, environment)
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


def _no_environment(start: str, root: str | None) -> ProjectError:
    where = os.path.normpath(start)
    if root is None:
        return ProjectError(f"there is no {NAME} in {where!r} or above it; write one: prime-uve init")
    return ProjectError(f"the {NAME} of {root!r} does not set {KEY}; add it: prime-uve init {quoted(root)}")


def _note_use(root: str, environment: str) -> None:
    """Note in the environment that it is used, and register the project; the registry's troubles never stop uv."""
    try:
        if not is_registered(root, portable(environment)):
            _register(root, portable(environment))
        elif not marker.touch(environment):
            marker.mark(environment, root)
    except PrimeUveError as error:
        tell(f"uve: not registered: {error}")


def _register(root: str, venv_path: str) -> None:
    """Register the project, and tell what came of it.

    A change of the file is taken over unless it is still to be committed: then it is for the commit check to ask.

    Raises:
        CacheError: the registry cannot be read or written.
    """
    from pathlib import Path

    from prime_uve.core import git
    from prime_uve.core.cache import Cache
    from prime_uve.core.registration import register

    registration = register(Cache(), Path(root), venv_path, accept=not git.is_edited(root, NAME))
    if registration.message:
        tell(f"uve: {registration.message}")


def execute(uv: str, args: "Sequence[str]", environ: "dict[str, str]") -> int:
    """Replace this process by `uv`; on Windows run it as a child and return its exit code.

    Raises:
        UvNotFoundError: `uv` cannot be started.
    """
    try:
        if sys.platform == "win32":
            return _run_child(uv, args, environ)
        # The module behind `signal`, which would import enum. Python ignores these two for itself, and exec would hand
        # that on to uv.
        import _signal

        _signal.signal(_signal.SIGPIPE, _signal.SIG_DFL)
        _signal.signal(_signal.SIGXFSZ, _signal.SIG_DFL)
        return os.execve(uv, [uv, *args], environ)
    except OSError as error:
        raise UvNotFoundError(
            f"cannot run {uv!r}: {error.strerror}; install uv anew: pip install 'prime-uve[uv]'"
        ) from error


def _run_child(uv: str, args: "Sequence[str]", environ: "dict[str, str]") -> int:
    import signal
    import subprocess

    # Ctrl-C reaches the child as well; it decides what becomes of it.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    return subprocess.run([uv, *args], env=environ, check=False).returncode
