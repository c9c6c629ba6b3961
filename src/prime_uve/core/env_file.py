"""The env files of a checkout: ``.env.uve``, which is committed, and ``.env.uve.local``, which lies over it.

Hot: imports only what a bare interpreter has already loaded.
"""

import os
import stat

from prime_uve.core.env_syntax import parse, plain_values
from prime_uve.core.marker import is_environment
from prime_uve.core.paths import (
    BASES_VARIABLE,
    EFBIG,
    EINVAL,
    ENV_NAME,
    TRASH,
    bases,
    home,
    is_inside,
    quoted,
    read_regular,
)
from prime_uve.errors import EnvFileError, UntrustedPathError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping

NAME = ENV_NAME
LOCAL_NAME = ".env.uve.local"
KEY = "UV_PROJECT_ENVIRONMENT"
OUR_PREFIX = "PRIME_UVE_"
PLACES = frozenset(("UV_PROJECT", "UV_WORKING_DIR", "UV_WORKING_DIRECTORY"))
MAX_SIZE = 1 << 20  # bytes
NO_ENV_FILE = {EINVAL: "not a file", EFBIG: "larger than 1 MiB: no env file"}  # as `read_regular` tells


class Reading:
    """What the env files of a checkout say.

    `variables` are those to be added to the process environment that they were read under; `environment` is the value
    of ``UV_PROJECT_ENVIRONMENT`` as it stands, ``None`` where no file gives one. `source` is the path of the file
    that gives it (else of the committed file), `content` the bytes of that file, `is_local` whether it is the
    user's own.
    """

    __slots__ = ("content", "environment", "is_local", "root", "source", "variables")

    def __init__(self, root: str, *, shared: bytes, local: bytes | None, environ: "Mapping[str, str]") -> None:
        # A value left over from another project would make uv sync the wrong environment.
        outer = {name: value for name, value in environ.items() if name != KEY}
        self.root = root
        over = _parse(root, LOCAL_NAME, local, outer) if local is not None else {}
        self.variables = {**_parse(root, NAME, shared, {**outer, **over}), **over}
        self.environment = self.variables.get(KEY)
        self.is_local = KEY in over
        self.source = os.path.join(root, LOCAL_NAME if self.is_local else NAME)
        self.content = local if self.is_local and local is not None else shared


def reading_environ() -> dict[str, str]:
    """Return the variables that an env file is read under when no program is to be started with it.

    Raises:
        CacheError: there is no home.
    """
    return {**os.environ, "HOME": home()}


def load(root: str, environ: "Mapping[str, str]") -> Reading | None:
    """Read the env files of the checkout at `root` as uv would, under the variables `environ`.

    The local file lies over the committed one; what `environ` holds lies over both, except
    ``UV_PROJECT_ENVIRONMENT``, which always comes from the files. ``None`` where there is no ``.env.uve``.

    Raises:
        EnvFileError: a file cannot be read, or uv would read only part of it.
    """
    shared = read(os.path.join(root, NAME))
    return None if shared is None else load_over(root, shared, environ)


def load_over(root: str, shared: bytes, environ: "Mapping[str, str]") -> Reading:
    """Read `shared` in place of the committed file of the checkout at `root`, with its local file over it.

    Raises:
        EnvFileError: see `load`.
    """
    return Reading(root, shared=shared, local=read(os.path.join(root, LOCAL_NAME)), environ=environ)


def read(path: str) -> bytes | None:
    """Return the bytes of an env file, ``None`` if there is none.

    Raises:
        EnvFileError: it is no regular file, larger than 1 MiB, or cannot be read.
    """
    try:
        return read_regular(path, MAX_SIZE)
    except (FileNotFoundError, NotADirectoryError):
        if not os.path.islink(path):
            return None
        raise EnvFileError(f"{path!r} is a link that leads nowhere; mend or remove it: ls -l {quoted(path)}") from None
    except OSError as error:
        fault = NO_ENV_FILE.get(error.errno or 0)
        if fault is not None:
            anew = f"prime-uve init {quoted(os.path.dirname(path))}"
            raise EnvFileError(f"{path!r} is {fault}; move it away and write one: {anew}") from None
        raise EnvFileError(
            f"cannot read {path!r}: {error.strerror}; see its permissions: ls -l {quoted(path)}"
        ) from error


def is_absent(path: str) -> bool:
    """Tell whether there is nothing of that name, not even a link that leads nowhere; no, if that cannot be told."""
    try:
        os.lstat(path)
    except FileNotFoundError:
        return True
    except (OSError, ValueError):
        return False
    return False


def plain_environment(content: bytes, environ: "Mapping[str, str]") -> str | None:
    """Return the environment that a plain file names, absolute, if it is a good one; else ``None``: look closer.

    It is what `named_environment` returns for a checkout that has no other file.
    """
    value = (plain_values(content) or {}).get(KEY, "")
    for name in ("HOME", BASES_VARIABLE) if "$" in value else ():
        stands_for = environ.get(name, "")
        if "$" in stands_for:
            return None
        value = value.replace(f"${{{name}}}", stands_for)
    return value if os.path.isabs(value) and value.isprintable() and ".." not in value else None


def write(path: str, content: bytes) -> None:
    """Replace the env file at `path` (the target, where it is a link) as a whole; its permissions stay.

    Raises:
        EnvFileError: it cannot be written; what was there is there.
    """
    target = os.path.realpath(path)
    if os.path.islink(path) and not is_inside(target, os.path.dirname(path)):
        raise EnvFileError(
            f"{path!r} is a link out of the project and is not written through; remove it: rm {quoted(path)}"
        )
    from prime_uve.core.replacement import replace

    try:
        mode = stat.S_IMODE(os.stat(target).st_mode) if os.path.exists(target) else None
        if mode is None:
            replace(target, content, mode=0o666)
        else:
            replace(target, content, mode=mode, always=mode)
    except OSError as error:
        raise EnvFileError(
            f"cannot write {path!r}: {error.strerror}; see ls -ld {quoted(os.path.dirname(path))}"
        ) from error


def _parse(root: str, name: str, content: bytes, environ: "Mapping[str, str]") -> dict[str, str]:
    try:
        return parse(content, environ)
    except EnvFileError as error:
        path = os.path.join(root, name)
        raise EnvFileError(
            f"{path!r}, {error}; correct that line, or write a new file: prime-uve init --force {quoted(root)}",
            line=error.line,
            key=error.key,
        ) from None


def named_environment(reading: Reading) -> str | None:
    """Return the environment that the files name, absolute; ``None`` where they name none.

    Raises:
        EnvFileError: the value is empty, relative, or holds ``..``: uv would put that somewhere into the project; or it
            holds control characters, and is not shown.
    """
    value = reading.environment
    if value is None:
        return None
    # What the home is called is the user's own; of anything else it shows a quote that is not closed, and what follows
    # may be a secret.
    if not value.removeprefix(os.environ.get("HOME", "")).isprintable():
        raise EnvFileError(
            f"{reading.source!r}: {KEY} holds a line break or another character that cannot be shown; is a quote not "
            f"closed? write a good one: prime-uve init --force {quoted(reading.root)}",
            key=KEY,
        )
    fault = "is empty" if not value else "is not absolute" if not os.path.isabs(value) else ""
    if value.startswith(("~", "$")):
        fault += " (~ and what stands in single quotes are not replaced)"
    if ".." in value.replace("\\", "/").split("/"):
        fault = "goes through '..'"
    if fault:
        raise EnvFileError(
            f"{reading.source!r}: {KEY} {fault}: {value!r}; "
            f"write a good one: prime-uve init --force {quoted(reading.root)}",
            key=KEY,
        )
    return value


def _in_base(reading: Reading, value: str, base: str) -> str:
    """Return the place in `base` that `value` means, in one spelling, so that one place has one owner."""
    inner = os.path.relpath(os.path.realpath(value), os.path.realpath(base))
    if inner.split(os.sep)[0].casefold() == TRASH:
        raise UntrustedPathError(
            f"{reading.source!r} names {value!r}, which prime-uve prune empties; "
            f"write a good one: prime-uve init --force {quoted(reading.root)}",
            key=KEY,
        )
    folder = os.path.dirname(inner)
    while folder:
        if is_environment(os.path.join(base, folder)):
            raise UntrustedPathError(
                f"{reading.source!r} names {value!r}, which lies inside another environment; "
                f"write a good one: prime-uve init --force {quoted(reading.root)}",
                key=KEY,
            )
        folder = os.path.dirname(folder)
    return os.path.join(base, inner)


def _holds_any(value: str, folders: list[str]) -> bool:
    return any(is_inside(it, value) or os.path.realpath(it) == os.path.realpath(value) for it in folders)


def _is_own(reading: Reading) -> bool:
    """Whether the local file is the user's: it did not come with the repository."""
    from prime_uve.core import git

    checkout = git.find_checkout(reading.root)
    return checkout is None or not git.is_tracked(checkout, os.path.relpath(reading.source, checkout))


def granted(reading: Reading) -> dict[str, str]:
    """Return the variables of a reading that uv is given: all but those that say which project and which bases.

    With ``UV_PROJECT`` a committed file could have another project synced into its environment, and with
    ``PRIME_UVE_VENVS`` name any place to the ``uve`` that a program below uv runs.
    """
    given = reading.variables.items()
    return {name: value for name, value in given if name not in PLACES and not name.startswith(OUR_PREFIX)}


def trusted_environment(reading: Reading) -> str | None:
    """Return the environment that the files name, if they may name it; ``None`` where they name none.

    A committed file may name what lies strictly inside a base, in no other environment and not in the trash;
    ``.env.uve.local`` is the user's own, unless it is committed, too, and may name any place outside the project. No
    place may hold a base. One in a base is returned as the base and what follows, links resolved.

    Raises:
        UntrustedPathError: it may not.
        EnvFileError: the value is no usable path.
    """
    value = named_environment(reading)
    if value is None:
        return None
    root = os.path.realpath(reading.root)
    if is_inside(value, root) or is_inside(root, value) or os.path.realpath(value) == root:
        raise UntrustedPathError(
            f"{reading.source!r} names an environment inside its own project, or around it: {value!r}; "
            f"write a good one: prime-uve init --force {quoted(reading.root)}",
            key=KEY,
        )
    folders = bases()
    base = next((base for base in folders if is_inside(value, base)), None)
    is_around = _holds_any(value, [it for it in folders if it != base])
    if base is not None and not is_around:
        return _in_base(reading, value, base)
    if base is None and not (reading.is_local and _is_own(reading)):
        raise UntrustedPathError(
            f"{reading.source!r} names {value!r}, which is not inside {' or '.join(map(repr, folders))}; to allow it "
            f"on this machine, in {LOCAL_NAME}: prime-uve init --force --venv-dir {quoted(value)} "
            f"{quoted(reading.root)}, or add its folder to {BASES_VARIABLE}",
            key=KEY,
        )
    if is_around:
        raise UntrustedPathError(
            f"{reading.source!r} names {value!r}, which holds other environments; "
            f"write a good one: prime-uve init --force {quoted(reading.root)}",
            key=KEY,
        )
    return value


def trusted_reading(root: str) -> tuple[Reading, str] | None:
    """Read the env files of the checkout at `root` under the variables of this process, and trust them or refuse.

    Returns the reading and the environment that it names; ``None`` where there is no file, or none that names one.

    Raises:
        EnvFileError: a file cannot be used, or may not name what it names.
        CacheError: there is no home.
    """
    reading = load(root, reading_environ())
    environment = trusted_environment(reading) if reading is not None else None
    return None if reading is None or environment is None else (reading, environment)
