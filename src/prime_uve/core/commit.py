"""What is about to be committed: is every env file in the index right, and does the registry agree?

Hot: imports only what a bare interpreter has already loaded, as long as all is well.
"""

import os

from prime_uve.core import git
from prime_uve.core.env_file import (
    KEY,
    LOCAL_NAME,
    NAME,
    load_over,
    named_environment,
    read,
    reading_environ,
    trusted_environment,
    write,
)
from prime_uve.core.lookup import is_registered
from prime_uve.core.paths import BASES_VARIABLE, portable, quoted
from prime_uve.core.portability import ANYWHERE, portability_fault, with_home
from prime_uve.errors import EnvFileError, PrimeUveError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from prime_uve.core.env_file import Reading
    from prime_uve.core.git import Entry


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
    fault = portability_fault(root, content)
    if fault:
        verdict.problems.append(fault)
    if not static and os.path.isdir(root):
        _check_registry(checkout, root, content, verdict, is_right=not fault)


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
            if with_home(root, git.blob(checkout, entry)) is None:
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
    fixed = with_home(root, read(path) or b"")
    if fixed is None:
        return []
    content, shared = fixed
    write(path, content)
    return [f"fixed {path!r}: it names {shared!r} now"]


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
        path = os.path.relpath(os.path.join(root, NAME), checkout)
        is_mismatch = found.outcome is Outcome.MISMATCH
        is_accepted = is_mismatch and checkout is not None and _is_committed(checkout, path, content)
        if is_mismatch and not is_accepted:
            is_coming = checkout is not None and git.is_from_elsewhere(checkout, path, content)
            (verdict.notes if is_coming else verdict.problems).append(found.message)
        elif found.outcome is not Outcome.UNCHANGED and is_right and trusted_environment(reading) is not None:
            message = register(cache, project, environment, accept=is_accepted).message
            verdict.notes += [message] if message else []
    except PrimeUveError as error:
        # What is wrong with the file is told already.
        verdict.notes += [f"the registry was not asked: {error}"] if is_right else []


def _is_committed(checkout: str, path: str, content: bytes) -> bool:
    """Whether this commit does not change the file, and Git has brought it without a hook to tell: by a reset, say."""
    return git.committed_blob(checkout, path) == content and git.is_brought_in_silence(checkout, path)


def _named_here(reading: "Reading") -> str | None:
    environment = named_environment(reading)
    if environment is not None and environment.startswith(ANYWHERE[BASES_VARIABLE]):
        raise EnvFileError(f"{reading.source!r} needs {BASES_VARIABLE}; set it to one folder", key=KEY)
    return environment


def _environ() -> dict[str, str]:
    """Return the variables of this machine. The one for bases stands for itself where it does not name one folder."""
    environ = reading_environ()
    base = environ.get(BASES_VARIABLE, "")
    return environ if base and os.pathsep not in base else environ | {BASES_VARIABLE: ANYWHERE[BASES_VARIABLE]}
