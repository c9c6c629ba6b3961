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
    reading_environ,
    trusted_environment,
    write,
)
from prime_uve.core.env_syntax import is_plain, with_value
from prime_uve.core.lookup import is_registered
from prime_uve.core.paths import BASES_VARIABLE, DEFAULT_BASE, bases, expand, is_inside, portable, quoted
from prime_uve.errors import CacheError, EnvFileError, PrimeUveError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from prime_uve.core.git import Entry

# What the two variables stand for when a file is judged for everybody: themselves, as the first part of a path; and
# what they stand for elsewhere, to tell them from the same letters in quotes.
ROOT = os.path.abspath(os.sep)
ANYWHERE = {name: f"{ROOT}${{{name}}}" for name in ("HOME", BASES_VARIABLE)}
ELSEWHERE = {name: f"{ROOT}{name}" for name in ANYWHERE}
EVERYBODYS_BASES = (DEFAULT_BASE, f"${{{BASES_VARIABLE}}}")
HOMES = ("home", "Users")
# What Windows takes for no part of a name, and for no name at all.
NOT_IN_NAMES = '<>:"|?*\\'
DEVICES = {"CON", "PRN", "AUX", "NUL", *(f"{kind}{number}" for kind in ("COM", "LPT") for number in "123456789")}
LONGEST_NAME = 255  # bytes


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
    folders = set()
    for entry in git.index_entries(checkout, f"**/{NAME}", f"**/{LOCAL_NAME}", f"**/{NAME}/**"):
        above, is_in_folder, _ = f"/{entry.path}".partition(f"/{NAME}/")
        if is_in_folder:
            folders.add(os.path.join(checkout, above[1:], NAME))
        else:
            _check_entry(checkout, entry, verdict, static=static)
    for path in sorted(folders):
        verdict.problems.append(
            f"{path!r} is a folder in the index, where the env file belongs; take it out: "
            f"git rm -r --cached {quoted(path)}"
        )
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
        verdict.problems.append(f"{path!r} is for this machine alone; take it out: git rm --cached {quoted(path)}")
    elif not entry.mode.startswith("100"):
        verdict.problems.append(
            f"{path!r} is no file, but a link or a module, in the index; put a file in its place: "
            f"rm {quoted(path)} && prime-uve init {quoted(os.path.dirname(path))}"
        )
    else:
        content = git.blob(checkout, entry)
        if content or not git.is_only_intended(checkout, entry):
            _check_file(checkout, path, content, verdict, static=static)


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
    ``${PRIME_UVE_VENVS}``, inside a base, and depends on no other variable.
    """
    other_variables: set[str] = set()
    try:
        reading = Reading(root, shared=content, local=None, environ=ANYWHERE)
        value = named_environment(reading)
        if not is_plain(content):
            from prime_uve.core.validation import REFERENCE, refuse_ambiguity

            refuse_ambiguity(reading, ANYWHERE)
            other_variables.update(match[1] or match[2] for match in REFERENCE.finditer(content.decode()))
        elsewhere = Reading(root, shared=content, local=None, environ=dict.fromkeys(other_variables, "?") | ELSEWHERE)
    except EnvFileError as error:
        return str(error)
    anew = f"prime-uve init --force {quoted(root)}"
    if value is None:
        return f"{reading.source!r} does not set {KEY}; add it: prime-uve init {quoted(root)}"
    variable = next((name for name, place in ANYWHERE.items() if value.startswith(place + "/")), None)
    if variable is None:
        remedy = (
            f"write it with ${{HOME}}: prime-uve check --fix {quoted(root)}"
            if _fixed(value)
            else f"write a good one: {anew}"
        )
        return f"{reading.source!r} is not portable: {value!r} is a path of one machine; {remedy}"
    if elsewhere.environment != value.replace(ANYWHERE[variable], ELSEWHERE[variable], 1):
        return (
            f"{reading.source!r} is not portable: {value.removeprefix(ROOT)!r} in it depends on something else than "
            f"{variable}; write one plain line: {anew}"
        )
    return _fault_of_place(reading.source, value.removeprefix(ROOT), anew)


def _fault_of_place(source: str, shared: str, anew: str) -> str:
    name = next((name for name in shared.split("/")[1:] if not _is_name_everywhere(name)), None)
    if name is not None:
        return f"{source!r} is not portable: not every system takes {name!r} for a name; write a good one: {anew}"
    if not _is_in_base(shared):
        return (
            f"{source!r} names {shared!r}, which is not inside {DEFAULT_BASE!r} or a folder of {BASES_VARIABLE}; "
            f"write a good one: {anew}"
        )
    return ""


def _is_name_everywhere(name: str) -> bool:
    """Tell whether a folder can have this name on Linux, macOS and Windows; ``.`` and ``..`` are not judged."""
    if name in (".", ".."):
        return True
    return not (
        any(character in NOT_IN_NAMES for character in name)
        or name.endswith((".", " "))
        or name.partition(".")[0].rstrip().upper() in DEVICES
        or len(name.encode("utf-8", "surrogateescape")) > LONGEST_NAME
    )


def _is_in_base(shared: str) -> bool:
    parts = [part for part in shared.split("/") if part not in ("", ".")]
    for base in EVERYBODYS_BASES:
        depth = base.count("/") + 1
        if parts[:depth] == base.split("/"):
            return len(parts) > depth
    try:
        return any(is_inside(expand(shared), base) for base in bases())
    except PrimeUveError:  # there is no home, or what says where the bases are is no use
        return False


def fix_index(checkout: str) -> list[str]:
    """Write ``${HOME}`` into the env files in the work tree that spell out a home in the index; say what was done.

    A file that was changed since it was staged is left alone, and so is one that cannot be read or written.

    Raises:
        ProjectError: Git is not there, or failed.
    """
    done = []
    for entry in git.index_entries(checkout, f"**/{NAME}"):
        path = os.path.join(checkout, entry.path)
        root = os.path.dirname(path)
        if not entry.mode.startswith("100"):
            continue
        try:
            if _fixed_content(root, git.blob(checkout, entry)) is None:
                continue
            if git.is_staged(checkout, entry.path):
                done += [f"{fixed}; stage it: git add {quoted(path)}" for fixed in fix_work_tree(root)]
            else:
                done.append(f"{path!r} is not what is staged, and was not fixed; stage it: git add {quoted(path)}")
        except EnvFileError as error:
            done.append(f"not fixed: {error}")
    return done


def fix_work_tree(root: str) -> list[str]:
    """Write ``${HOME}`` into the env file of `root` where it spells out a home; say what was done.

    Raises:
        EnvFileError: the file cannot be read or written.
    """
    path = os.path.join(root, NAME)
    fixed = _fixed_content(root, read(path) or b"")
    if fixed is None:
        return []
    content, shared = fixed
    write(path, content)
    return [f"fixed {path!r}: it names {shared!r} now"]


def _fixed_content(root: str, content: bytes) -> tuple[bytes, str] | None:
    """Return `content` with ``${HOME}`` for a home, and what it names then; ``None`` where that mends nothing."""
    try:
        shared = _fixed(Reading(root, shared=content, local=None, environ=ANYWHERE).environment or "")
        fixed = with_value(content, KEY, shared) if shared else content
    except EnvFileError:
        return None
    return (fixed, shared) if shared and not check_content(root, fixed) else None


def _fixed(value: str) -> str:
    """Return `value` with ``${HOME}`` for a home that it spells out; empty where that gives no place in a base."""
    shared = _with_home(value)
    return shared if shared != value and _is_in_base(shared) else ""


def _with_home(value: str) -> str:
    """Return `value` with ``${HOME}`` for this person's home, or for what looks like somebody's."""
    try:
        shared = portable(value)
    except CacheError:  # there is no home
        shared = value
    _, *folders = value.replace("\\", "/").split("/")
    if shared == value and folders[:1] and folders[0] in HOMES:
        return "/".join(["${HOME}", *folders[2:]])
    return shared


def _check_registry(checkout: str | None, root: str, content: bytes, verdict: Verdict, *, is_right: bool) -> None:
    try:
        reading = load_over(os.path.realpath(root), content, _environ())
        environment = _named_here(reading)
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
        elif found.outcome is not Outcome.UNCHANGED and is_right and trusted_environment(reading) is not None:
            message = register(cache, project, environment).message
            verdict.notes += [message] if message else []
    except PrimeUveError as error:
        # What is wrong with the file is told already.
        verdict.notes += [f"the registry was not asked: {error}"] if is_right else []


def _named_here(reading: Reading) -> str | None:
    environment = named_environment(reading)
    if environment is not None and environment.startswith(ANYWHERE[BASES_VARIABLE]):
        raise EnvFileError(f"{reading.source!r} needs {BASES_VARIABLE}; set it to one folder", key=KEY)
    return environment


def _environ() -> dict[str, str]:
    """Return the variables of this machine. The one for bases stands for itself where it does not name one folder."""
    environ = reading_environ()
    base = environ.get(BASES_VARIABLE, "")
    return environ if base and os.pathsep not in base else environ | {BASES_VARIABLE: ANYWHERE[BASES_VARIABLE]}
