"""Where things lie: the home, the bases, the environment of a project; ``${HOME}`` in and out.

Hot: imports only what a bare interpreter has already loaded.
"""

import os
import stat
import sys

from prime_uve.errors import CacheError, PrimeUveError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path
    from typing import Any

ENV_NAME = ".env.uve"
MANIFEST = "pyproject.toml"
MANIFEST_SIZE = 1 << 20  # bytes
MANIFEST_DOTS = 2000
EINVAL, EFBIG = 22, 27  # errno is a module more to import
BASES_VARIABLE = "PRIME_UVE_VENVS"
REGISTRY_VARIABLE = "PRIME_UVE_CACHE"
DEFAULT_BASE = "${HOME}/prime-uve/venvs"
TRASH = ".trash"  # in a base: what is being removed

# Linux before 5.1 cuts a "#!" line at 127 bytes. "#!", "/prime-uve/venvs/", "_" and the hash, and "/bin/python3.13"
# take 43; with names of at most 40 there are 44 left for the home.
NAME_LENGTH = 40

_EXPANDED = ("HOME", "USERPROFILE", BASES_VARIABLE)


def home() -> str:
    """Return the home directory of this account as an absolute path.

    ``HOME``, on Windows then ``USERPROFILE``; where these are unset, empty or relative, the password database.

    Raises:
        CacheError: nothing names a home.
    """
    for name in ("HOME", "USERPROFILE") if sys.platform == "win32" else ("HOME",):
        value = os.environ.get(name, "")
        if os.path.isabs(value):
            return value
    if sys.platform != "win32":
        import pwd

        try:
            value = pwd.getpwuid(os.getuid()).pw_dir
        except KeyError:
            value = ""
        if os.path.isabs(value):
            return value
    raise CacheError(
        "there is no home directory: HOME is not set to an absolute path; set it, e.g. export HOME=/home/me"
    )


def working_directory() -> str:
    """Return the working directory.

    Raises:
        PrimeUveError: it is gone.
    """
    try:
        return os.getcwd()
    except OSError as error:
        raise PrimeUveError(f"the working directory is gone ({error.strerror}); go elsewhere: cd") from error


def bases() -> list[str]:
    """Return the folders that environments may lie in, absolute; the first is where new ones go.

    The ``os.pathsep`` list in ``PRIME_UVE_VENVS``, else ``${HOME}/prime-uve/venvs``.

    Raises:
        PrimeUveError: ``PRIME_UVE_VENVS`` holds a path that is not absolute.
        CacheError: there is no home.
    """
    listed = [entry for entry in os.environ.get(BASES_VARIABLE, "").split(os.pathsep) if entry]
    expanded = [expand(entry) for entry in listed or [DEFAULT_BASE]]
    for entry in expanded:
        if not os.path.isabs(entry):
            raise PrimeUveError(
                f"{BASES_VARIABLE} holds {entry!r}, which is not an absolute path; correct it or unset it"
            )
    return expanded


def registry_path() -> str:
    """Return where the registry is: ``PRIME_UVE_CACHE``, else ``~/.prime-uve/cache.json``.

    Raises:
        CacheError: ``PRIME_UVE_CACHE`` is relative, or there is no home.
    """
    value = os.environ.get(REGISTRY_VARIABLE, "")
    if not value:
        return os.path.join(home(), ".prime-uve", "cache.json")
    if not os.path.isabs(value):
        raise CacheError(f"{REGISTRY_VARIABLE} is {value!r}, which is not an absolute path; correct it or unset it")
    return value


def expand(path: str) -> str:
    """Return `path` with ``${HOME}`` and ``$HOME`` (and ``USERPROFILE``, ``PRIME_UVE_VENVS``) replaced, as text.

    Any other reference stays as it is: a registry or a base holds no others.
    """
    head, *rest = path.split("$")
    return head + "".join(map(_expanded, rest))


def _expanded(text: str) -> str:
    """Return what a ``$`` and the `text` after it, up to the next ``$``, stand for; what a value holds is no name."""
    for name in _EXPANDED:
        spelled = f"{{{name}}}" if text.startswith("{") else name
        rest = text.removeprefix(spelled)
        is_longer_name = spelled == name and (rest[:1] == "_" or rest[:1].isalnum())
        if rest != text and not is_longer_name:
            value = home() if name == "HOME" else os.environ.get(name, "")
            return value + rest if value else "$" + text
    return "$" + text


def expand_path_variables(path: str) -> "Path":
    """Return the place that a registered path means on this machine: ``${HOME}`` replaced by the home.

    Raises:
        CacheError: `path` needs the home and there is none.
    """
    from pathlib import Path

    return Path(expand(path))


def portable(path: str) -> str:
    """Return `path` as it is registered: under ``${HOME}`` where it lies under the home, else as it is.

    The home is recognised by its name and by its real path, so that a home reached through a link is one home.
    """
    named = home()
    for folder in (named, os.path.realpath(named)):
        prefix = folder.rstrip("/\\") + os.sep
        if len(prefix) > 1 and os.path.normcase(path).startswith(os.path.normcase(prefix)):
            return "${HOME}/" + path[len(prefix) :].replace(os.sep, "/")
    return path


def upwards(folder: str) -> "Iterator[str]":
    """Yield an absolute folder and those that it lies in, by its text, up to the root."""
    while True:
        yield folder
        parent = os.path.dirname(folder)
        if parent == folder:
            return
        folder = parent


def is_inside(path: str, folder: str) -> bool:
    """Tell whether `path` lies strictly inside `folder`, by their real path components (links followed)."""
    inner = os.path.normcase(os.path.realpath(path))
    outer = os.path.normcase(os.path.realpath(folder)).rstrip(os.sep) + os.sep
    return inner.startswith(outer) and inner != outer


def is_folder(facts: os.stat_result) -> bool:
    """Tell whether facts that no link was followed for are those of a folder, and of no junction, which Windows has."""
    is_junction = getattr(facts, "st_file_attributes", 0) & stat.FILE_ATTRIBUTE_REPARSE_POINT
    return stat.S_ISDIR(facts.st_mode) and not is_junction


def generate_hash(project_path: "Path") -> str:
    """Return the first 8 hex digits of the SHA-256 of the resolved POSIX path of a project."""
    from hashlib import sha256

    return sha256(os.fsencode(project_path.resolve().as_posix())).hexdigest()[:8]


def get_project_name(project_path: "Path") -> str:
    """Return the project's name as it stands in the name of its environment.

    The ``name`` of ``pyproject.toml``, else of the folder: lower case ASCII letters and digits, one ``-`` for
    whatever stands between them, at most 40 characters; ``project`` where nothing is left.
    """
    name = stated(os.fspath(project_path), "project", "name")
    for candidate in (name if isinstance(name, str) else "", project_path.resolve().name):
        words = "".join(c if c.isascii() and c.isalnum() else " " for c in candidate.lower()).split()
        if words:
            return "-".join(words)[:NAME_LENGTH].rstrip("-")
    return "project"


def stated(folder: str, *keys: str) -> object:
    """Return what the ``pyproject.toml`` in `folder` says under `keys`, ``None`` where it does not or is unreadable."""
    import tomllib

    try:
        content = read_regular(os.path.join(folder, MANIFEST), MANIFEST_SIZE)
        # tomllib takes the square of the time for a name of many parts, which nobody means.
        if max(line.count(b".") for line in content.split(b"\n")) > MANIFEST_DOTS:
            return None
        found: Any = tomllib.loads(content.decode())
        for key in keys:
            found = found[key]
    except (OSError, ValueError, LookupError, TypeError, RecursionError):
        return None
    return found


def generate_venv_path(project_path: "Path") -> str:
    """Return where the environment of a project goes: ``<first base>/<name>_<hash>``.

    Under ``${HOME}`` where the base lies under the home; under ``${PRIME_UVE_VENVS}`` where that names one base;
    else absolute.
    """
    return shared_form(os.path.join(bases()[0], f"{get_project_name(project_path)}_{generate_hash(project_path)}"))


def shared_form(path: str) -> str:
    """Return `path` as it can be committed, with a variable for what differs from person to person, if it can be.

    ``${HOME}/…`` under the home, ``${PRIME_UVE_VENVS}/…`` where that names one base which holds it, else `path`.
    """
    form = portable(path)
    base = os.environ.get(BASES_VARIABLE, "")
    if form == path and base and os.pathsep not in base and path.startswith(base.rstrip(os.sep) + os.sep):
        return f"${{{BASES_VARIABLE}}}/" + path[len(base.rstrip(os.sep)) + 1 :].replace(os.sep, "/")
    return form


def read_regular(path: str, limit: int) -> bytes:
    """Return what a regular file of at most `limit` bytes holds, without waiting for what is none.

    Raises:
        OSError: it cannot be read, is no regular file, or is larger.
    """
    return read_regular_and_time(path, limit)[0]


def read_regular_and_time(path: str, limit: int) -> "tuple[bytes, float]":
    """Return what `read_regular` returns, and when the file was changed last (POSIX seconds).

    Raises:
        OSError: see `read_regular`.
    """
    # By as few calls as there can be, and no object: there may be ten thousand files to read.
    descriptor = open_at_once(path, os.O_RDONLY | getattr(os, "O_BINARY", 0))
    try:
        facts = os.fstat(descriptor)
        if not stat.S_ISREG(facts.st_mode):
            raise OSError(EINVAL, "it is not a regular file", path)
        content = os.read(descriptor, min(facts.st_size, limit) + 1)
        if len(content) != facts.st_size:  # it has changed meanwhile, or is one whose size is not known
            while len(content) <= limit and (block := os.read(descriptor, limit + 1 - len(content))):
                content += block
    finally:
        os.close(descriptor)
    if len(content) > limit:
        raise OSError(EFBIG, f"it is larger than {limit} bytes", path)
    return content, facts.st_mtime


def quoted(text: str) -> str:
    """Return `text` as one word of a shell's command line, which can be pasted and runs nothing."""
    if text.isprintable():
        return "'" + text.replace("'", "'\\''") + "'"
    try:
        content = os.fsencode(text)
    except UnicodeEncodeError:  # no path of this machine
        content = text.encode("utf-8", "surrogatepass")
    return "$'" + "".join(map(_escaped, content)) + "'"


def _escaped(byte: int) -> str:
    character = chr(byte)
    return character if character.isascii() and character.isprintable() and character not in "\\'" else f"\\{byte:03o}"


def open_at_once(path: str, flags: int) -> int:
    """Open without waiting where a FIFO or a device lies in a file's place; an ``opener`` for `open`."""
    return os.open(path, flags | getattr(os, "O_NONBLOCK", 0))
