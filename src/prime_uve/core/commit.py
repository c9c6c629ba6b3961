"""What is about to be committed: is every env file in the index right, and does the registry agree?

Hot: imports only what a bare interpreter has already loaded, as long as all is well.
"""

import os

from prime_uve.core import git
from prime_uve.core.env_file import (
    KEY,
    LOCAL_NAME,
    NAME,
    Reading,
    load_over,
    named_environment,
    read,
    trusted_environment,
    write,
)
from prime_uve.core.env_syntax import is_plain, with_value
from prime_uve.core.lookup import is_registered
from prime_uve.core.paths import BASES_VARIABLE, DEFAULT_BASE, bases, expand, is_inside, portable
from prime_uve.errors import EnvFileError, PrimeUveError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from prime_uve.core.git import Entry

# What the two variables stand for when a file is judged for everybody: themselves, as the first part of a path.
ROOT = os.path.abspath(os.sep)
ANYWHERE = {name: f"{ROOT}${{{name}}}" for name in ("HOME", BASES_VARIABLE)}
EVERYBODYS_BASES = (DEFAULT_BASE, f"${{{BASES_VARIABLE}}}")
HOMES = ("home", "Users")


class Verdict:
    """What a check came to: `problems` stop the commit, `notes` are told; each is a sentence."""

    __slots__ = ("notes", "problems")

    def __init__(self) -> None:
        self.problems: list[str] = []
        self.notes: list[str] = []

    def add(self, other: "Verdict") -> None:
        """Take over what another check came to."""
        self.problems += other.problems
        self.notes += other.notes


def check_index(checkout: str, *, static: bool = False) -> Verdict:
    """Judge every env file that the index of `checkout` holds.

    A file that is wrong in itself is a problem, and so is a path that the registry disagrees with, unless a merge,
    rebase or cherry-pick brings it. A project that is not registered is registered. Whatever is the matter with this
    machine (the registry cannot be read or written, say) is a note.

    Args:
        checkout: top folder of a Git checkout.
        static: judge the files alone; no look at the registry, nothing is registered.

    Raises:
        ProjectError: Git is not there, or failed.
    """
    verdict = Verdict()
    for entry in git.index_entries(checkout, f"**/{NAME}", f"**/{LOCAL_NAME}"):
        _check_entry(checkout, entry, verdict, static=static)
    return verdict


def check_work_tree(root: str, *, static: bool = False) -> Verdict:
    """Judge the env file of the project at `root` as it lies in the work tree; otherwise as `check_index`.

    Raises:
        EnvFileError: it cannot be read.
    """
    verdict = Verdict()
    path = os.path.join(root, NAME)
    _check_file(None, path, read(path) or b"", verdict, static=static)
    return verdict


def _check_entry(checkout: str, entry: "Entry", verdict: Verdict, *, static: bool) -> None:
    path = os.path.join(checkout, entry.path)
    if os.path.basename(entry.path) == LOCAL_NAME:
        verdict.problems.append(f"{path!r} is for this machine alone; take it out: git rm --cached {path!r}")
    elif not entry.mode.startswith("100"):
        verdict.problems.append(f"{path!r} is not a regular file in the index; replace it: prime-uve init --force")
    else:
        _check_file(checkout, path, git.blob(checkout, entry), verdict, static=static)


def _check_file(checkout: str | None, path: str, content: bytes, verdict: Verdict, *, static: bool) -> None:
    root = os.path.dirname(path)
    fault = check_content(root, content)
    if fault:
        verdict.problems.append(fault)
    if not static and os.path.isdir(root):
        _check_registry(checkout, root, content, verdict, is_right=not fault)


def check_content(root: str, content: bytes) -> str:
    """Return what is wrong with the content of the env file of `root`, for everybody; empty if it is right.

    It parses, every reader takes the same environment from it, and that lies under ``${HOME}`` or
    ``${PRIME_UVE_VENVS}``, inside a base.
    """
    try:
        reading = Reading(root, shared=content, local=None, environ=ANYWHERE)
        value = named_environment(reading)
        if not is_plain(content):
            from prime_uve.core.validation import refuse_ambiguity

            refuse_ambiguity(reading, ANYWHERE)
    except EnvFileError as error:
        return str(error)
    if value is None:
        return f"{reading.source!r} does not set {KEY}; add it: prime-uve init --force"
    if not value.startswith(tuple(place + "/" for place in ANYWHERE.values())):
        return (
            f"{reading.source!r} is not portable: {value!r} is a path of one machine; "
            f"write it with ${{HOME}}: prime-uve check --fix"
        )
    shared = value.removeprefix(ROOT)
    if not _is_in_base(shared):
        return (
            f"{reading.source!r} names {shared!r}, which is not inside {DEFAULT_BASE!r} or a folder of "
            f"{BASES_VARIABLE}; write a good one: prime-uve init --force"
        )
    return ""


def _is_in_base(shared: str) -> bool:
    if any(shared.startswith(f"{base}/") and shared.rstrip("/") != base for base in EVERYBODYS_BASES):
        return True
    return any(is_inside(expand(shared), base) for base in bases())


def fix_index(checkout: str) -> list[str]:
    """Write ``${HOME}`` into the env files in the work tree that spell out a home in the index; say what was done.

    Raises:
        ProjectError: Git is not there, or failed.
        EnvFileError: a file cannot be read or written.
    """
    done = []
    for entry in git.index_entries(checkout, f"**/{NAME}"):
        path = os.path.join(checkout, entry.path)
        if read(path) == git.blob(checkout, entry):
            done += [f"{fixed}; stage it: git add {path!r}" for fixed in fix_work_tree(os.path.dirname(path))]
    return done


def fix_work_tree(root: str) -> list[str]:
    """Write ``${HOME}`` into the env file of `root` where it spells out a home; say what was done.

    Raises:
        EnvFileError: the file cannot be read or written.
    """
    path = os.path.join(root, NAME)
    content = read(path) or b""
    if not check_content(root, content):
        return []
    value = Reading(root, shared=content, local=None, environ=ANYWHERE).environment or ""
    shared = _with_home(value)
    if shared == value or not _is_in_base(shared):
        return []
    write(path, with_value(content, KEY, shared))
    return [f"fixed {path!r}: it names {shared!r} now"]


def _with_home(value: str) -> str:
    """Return `value` with ``${HOME}`` for this person's home, or for what looks like somebody's."""
    shared = portable(value)
    _, *folders = value.replace("\\", "/").split("/")
    if shared == value and folders[:1] and folders[0] in HOMES:
        return "/".join(["${HOME}", *folders[2:]])
    return shared


def _check_registry(checkout: str | None, root: str, content: bytes, verdict: Verdict, *, is_right: bool) -> None:
    try:
        reading = load_over(os.path.realpath(root), content, os.environ)
        environment = named_environment(reading)
        if environment is None or is_registered(reading.root, portable(environment)):
            return
        from pathlib import Path

        from prime_uve.core.cache import Cache
        from prime_uve.core.registration import Outcome, preview, register

        cache, project = Cache(), Path(reading.root)
        found = preview(cache, project, environment)
        if found.outcome is Outcome.MISMATCH:
            path = os.path.relpath(os.path.join(root, NAME), checkout)
            is_brought = checkout is not None and git.is_from_elsewhere(checkout, path, content)
            (verdict.notes if is_brought else verdict.problems).append(found.message)
        elif is_right and trusted_environment(reading) is not None:
            verdict.notes.append(register(cache, project, environment).message)
    except PrimeUveError as error:
        verdict.notes.append(f"the registry was not asked: {error}")
