"""Who uses an environment: uv itself, by its lock; and the running processes, by what they have in it.

The table of processes is read once, however many environments are asked about. Of a process nothing is told but its
number, its program and the first argument: the others, and the values of its variables, can hold secrets.
"""

import os
import sys
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from errno import EACCES, EAGAIN, ELOOP
from functools import partial
from pathlib import Path
from typing import TypeVar

import psutil

from prime_uve.core.deadline import LOOK_SECONDS, Look, answers
from prime_uve.core.mounts import read_table
from prime_uve.core.paths import open_at_once

T = TypeVar("T")

LOCK = ".lock"  # uv's, in each environment
LONGEST = 120  # characters of a command that are told


@dataclass(frozen=True, slots=True)
class User:
    """A process that uses an environment: its `pid` (``None`` for an unknown one), its command, and how it uses it."""

    pid: int | None
    command: str
    how: str

    def __str__(self) -> str:
        who = self.command if self.pid is None else f"pid {self.pid} ({self.command})"
        return f"{who} {self.how}"


class Environments:
    """Environments by their real place; `holding` finds those that a path lies in, folder by folder."""

    def __init__(self, environments: Iterable[str], timeout: float) -> None:
        """Resolve the folders of the environments, which are absolute paths; what gives no answer stays as it is."""
        folders = {it: os.path.dirname(os.path.normpath(it)) for it in environments if "\0" not in it}
        looks = [Look(it, it, partial(os.path.realpath, it)) for it in set(folders.values())]
        self._real = answers(looks, timeout)
        self._named: dict[str, set[str]] = {}
        self._found: dict[str, frozenset[str]] = {}
        for environment, folder in folders.items():
            spelled = os.path.normpath(environment)
            for place in (spelled, os.path.join(self._real.get(folder, folder), os.path.basename(spelled))):
                self._named.setdefault(os.path.normcase(place), set()).add(environment)

    def holding(self, path: str) -> frozenset[str]:
        """Return the environments that `path`, absolute, lies in or is, as it is spelled."""
        passed = []
        folder = os.path.normcase(path)
        while folder not in self._found and os.path.dirname(folder) != folder:
            passed.append(folder)
            folder = os.path.dirname(folder)
        found = self._found.get(folder, frozenset())
        for inner in reversed(passed):
            found = self._found[inner] = found | self._named.get(inner, set())
        return found

    def holding_real(self, path: str) -> frozenset[str]:
        """Return the environments that `path`, absolute, lies in when the links on the way are followed.

        The last part is not: the interpreter of an environment is itself a link that leads out of it.
        """
        return self.holding(self._resolve(path))

    def _resolve(self, path: str) -> str:
        above, name = os.path.split(os.path.normpath(path))
        if above not in self._real:
            self._real[above] = os.path.realpath(above)
        return os.path.join(self._real[above], name)


def find_users(
    environments: Iterable[str], *, timeout: float = LOOK_SECONDS, insist: bool = False
) -> dict[str, list[User]]:
    """Return who uses each of the environments; those that nobody uses are left out. Writes nothing.

    What this account may not look at is passed over, and so is what gives no answer.

    Args:
        environments: absolute paths.
        timeout: seconds, as for `prime_uve.core.deadline.answers`.
        insist: that nobody uses an environment has to be certain.

    Raises:
        TimeoutError: with `insist`, if a process could not be looked at in time.
    """
    wanted = list(dict.fromkeys(environments))
    found: list[tuple[str, User]] = []
    leads: list[_Lead] = []
    places = Environments(wanted, timeout)

    def look(process: psutil.Process) -> None:
        for how, holding in _uses(process, places):
            # At once, and not all at the end: the next thing to look at may hang.
            found.extend((environment, User(process.pid, _command(process), how)) for environment in holding)
        leads.extend(_leads(process))

    processes = list(psutil.process_iter())
    seen = answers([Look(it.pid, "processes", partial(look, it)) for it in processes], timeout)
    silent = [it.pid for it in processes if it.pid not in seen]
    if insist and silent:
        raise TimeoutError(f"pid {silent[0]} could not be looked at within {timeout:g} s")
    found += _follow(leads, places, timeout)
    looks = [Look(it, os.path.dirname(it), partial(_lock_user, it)) for it in wanted]
    found += [(it, user) for it, user in answers(looks, timeout).items() if user is not None]
    users: dict[str, list[User]] = {}
    for environment, user in found:
        known = users.setdefault(environment, [])
        if user.pid not in [each.pid for each in known] and not (known and user.pid is None):
            known.append(user)
    # They were found by threads, which have no order.
    return {
        environment: sorted(users[environment], key=lambda it: it.pid or 0)
        for environment in wanted
        if environment in users
    }


def _uses(process: psutil.Process, places: Environments) -> Iterator[tuple[str, frozenset[str]]]:
    """Yield how `process` uses which environments, by what the system tells of it; no other disk is touched."""
    is_self = process.pid == os.getpid()
    if is_self:
        yield "runs prime-uve", places.holding(os.path.realpath(sys.prefix))
    yield "runs from it", places.holding(_executable(process))
    yield "has its working directory in it", places.holding(_told(process.cwd, ""))
    if not is_self:
        yield "has a file of it open", _holding_any(_open_files(process), places.holding)
        yield "has a file of it in its memory", _holding_any(_mapped_files(process.pid), places.holding)


@dataclass(frozen=True, slots=True)
class _Lead:
    """What a process names by `paths` that may go through links, and may hang: the first that is there counts."""

    process: psutil.Process
    how: str
    paths: tuple[str, ...]

    def environments(self, places: Environments) -> frozenset[str]:
        """Return the environments that it leads to."""
        for path in self.paths:
            if len(self.paths) == 1 or os.path.lexists(path):
                return places.holding(path) | places.holding_real(path)
        return frozenset()


def _leads(process: psutil.Process) -> Iterator[_Lead]:
    variables: dict[str, str] = {}
    if process.pid != os.getpid():  # which only looks
        variables = _told(process.environ, variables)
    named = variables.get("VIRTUAL_ENV", "")
    if os.path.isabs(named):
        yield _Lead(process, "has VIRTUAL_ENV set to it", (named,))
    words: list[str] = _told(process.cmdline, [])
    # It may have gone elsewhere since it was started; a shell says where that was.
    folders = (_told(process.cwd, ""), variables.get("PWD", ""))
    for programs in dict.fromkeys(_programs(words, folder, variables.get("PATH", "")) for folder in folders):
        if programs:
            yield _Lead(process, "runs from it", programs)


def _follow(leads: Iterable[_Lead], places: Environments, timeout: float) -> Iterator[tuple[str, User]]:
    """Yield who uses which environment by what they lead to; where that does not answer, by all that they name."""
    table = read_table()
    looks = [
        # Those that go over the same mounts hang together, and keep nobody else waiting.
        Look(lead, "\n".join(sorted({table.point_of(path) for path in lead.paths})), partial(lead.environments, places))
        for lead in leads
    ]
    seen = answers(looks, timeout)
    for look in looks:
        lead = look.key
        for environment in seen[lead] if lead in seen else _holding_any(lead.paths, places.holding):
            yield environment, User(lead.process.pid, _command(lead.process), lead.how)


def _told(ask: Callable[[], T], otherwise: T) -> T:
    """Return what psutil says, `otherwise` where it may not, or where the process has ended."""
    try:
        return ask() or otherwise
    except (psutil.Error, OSError):
        return otherwise


def _executable(process: psutil.Process) -> str:
    if sys.platform != "linux":
        return _told(process.exe, "")
    with suppress(OSError):  # psutil would look on the disk for what it may not be told
        return os.readlink(f"/proc/{process.pid}/exe")
    return ""


def _programs(words: list[str], folder: str, search: str) -> tuple[str, ...]:
    """Return where the program whose command line this is can have been started from, in order."""
    for name in words[:1]:
        names = [name] if os.path.dirname(name) else [os.path.join(it, name) for it in search.split(os.pathsep)]
        return tuple(path for each in names if os.path.isabs(path := os.path.join(folder, each)))
    return ()


def _holding_any(paths: Iterable[str], holding: Callable[[str], frozenset[str]]) -> frozenset[str]:
    return frozenset[str]().union(*map(holding, paths))


def _open_files(process: psutil.Process) -> Iterator[str]:
    if sys.platform != "linux":
        with suppress(psutil.Error, OSError):
            yield from (each.path for each in process.open_files())
        return
    # psutil asks each file what it is, which can hang; and leaves out folders.
    with suppress(OSError), os.scandir(f"/proc/{process.pid}/fd") as entries:
        for entry in entries:
            with suppress(OSError):
                path = os.readlink(entry.path)
                if path.startswith("/"):
                    yield path


def _mapped_files(pid: int) -> set[str]:
    if sys.platform != "linux":
        return set()
    # psutil would have the kernel count every page.
    try:
        lines = Path(f"/proc/{pid}/maps").read_bytes().splitlines()
    except OSError:
        return set()
    # 7f0000000000-7f0000001000 r-xp 00000000 fe:00 1234    /path, a newline in it as \012
    names = {line[line.index(b"/") :] for line in lines if b"/" in line}
    return {os.fsdecode(name.replace(b"\\012", b"\n")) for name in names}


def _command(process: psutil.Process) -> str:
    program, *words = _told(process.cmdline, [""])[:2]
    return " ".join([os.path.basename(program) or _told(process.name, "?"), *words])[:LONGEST]


def is_locked(environment: str) -> bool:
    """Tell whether uv holds its lock on `environment`, or whether that cannot be known; makes no file."""
    return _lock_user(environment) is not None


def _lock_user(environment: str) -> User | None:
    path = os.path.join(environment, LOCK)
    try:
        descriptor = open_at_once(path, os.O_RDONLY | getattr(os, "O_CLOEXEC", 0) | getattr(os, "O_NOFOLLOW", 0))
    except (FileNotFoundError, NotADirectoryError, ValueError):
        return None
    except OSError as error:
        # A link is not followed, and is nothing of uv's.
        return User(None, "uv", f"may hold its lock: {error.strerror}") if error.errno != ELOOP else None
    try:
        return None if _can_lock(descriptor) else User(None, "uv", "holds its lock")
    finally:
        os.close(descriptor)


if sys.platform == "win32":
    import msvcrt

    def _can_lock(descriptor: int) -> bool:
        try:
            msvcrt.locking(descriptor, msvcrt.LK_NBLCK, 1)
            msvcrt.locking(descriptor, msvcrt.LK_UNLCK, 1)
        except OSError as error:
            return error.errno != EACCES
        return True

else:
    import fcntl

    def _can_lock(descriptor: int) -> bool:
        try:
            # Shared: uv's is exclusive, and NFS has no exclusive lock for what is open for reading alone.
            fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except OSError as error:
            return error.errno not in (EAGAIN, EACCES)  # where there are no locks, uv has none either
        return True
