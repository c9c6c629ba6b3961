"""What is the matter with this machine? One function for each thing that is looked at; nothing is mended here."""

import os
import shutil
import stat
import subprocess
import sys
from collections.abc import Iterator

import psutil

from prime_uve.core import git
from prime_uve.core.cache import Cache
from prime_uve.core.diagnosis.finding import Finding, Level
from prime_uve.core.diagnosis.upkeep import checkout_at, unused
from prime_uve.core.hooks.status import coverage
from prime_uve.core.paths import BASES_VARIABLE, REGISTRY_VARIABLE, bases, quoted, upwards
from prime_uve.core.removal.pruning import LOST
from prime_uve.core.uv import find_uv
from prime_uve.errors import PrimeUveError

PROBE_SECONDS = 10.0
LOCK_SECONDS = 1.0
OLDEST_UV = (0, 4, 4)  # the first that knows UV_PROJECT_ENVIRONMENT
NETWORK_FILE_SYSTEMS = frozenset(
    (
        *("9p", "afpfs", "afs", "beegfs", "ceph", "cifs", "fuse.glusterfs", "fuse.sshfs", "gfs2", "gpfs", "lustre"),
        *("ncpfs", "nfs", "nfs3", "nfs4", "ocfs2", "smb2", "smb3", "smbfs", "webdav"),
    )
)


def diagnose(cache: Cache, folder: str) -> list[Finding]:
    """Look at the registry, its lock, permissions and disk, at uv and the environments, at hooks and files of `folder`.

    Writes nothing but the lock file, and that only beside a registry that exists. Asks uv for version and cache.
    """
    looks = (_registry, _damage, _lock, _permissions, _read_only, _file_systems)
    findings = [finding for look in looks for finding in look(cache)]
    findings += [*_uv(), *_earlier_uve(), *_hard_links(), *_hooks(folder)]
    findings += [*checkout_at(cache, folder), *unused(cache)]
    return findings


def _registry(cache: Cache) -> Iterator[Finding]:
    try:
        count = len(cache.list_all())
    except PrimeUveError as error:
        yield Finding(Level.PROBLEM, "registry", str(error), "build it anew: prime-uve doctor --rebuild")
        return
    exists = os.path.lexists(cache.path)
    if cache.is_lost():
        yield Finding(
            Level.NOTE,
            "registry",
            f"{str(cache.path)!r} is not there, but there was one",
            LOST.remedy,
        )
        return
    what = f"{str(cache.path)!r} is readable; checkouts: {count}" if exists else f"{str(cache.path)!r} is not there yet"
    yield Finding(Level.OK, "registry", what)


def _damage(cache: Cache) -> Iterator[Finding]:
    try:
        copies, damage = cache.damaged_copies(), cache.damage()
    except PrimeUveError as error:
        yield Finding(Level.PROBLEM, "damage", str(error))
        return
    if damage is not None:
        yield Finding(
            Level.PROBLEM,
            "damage",
            f"{str(cache.path)!r} is damaged ({damage}); the next change keeps it under another name",
            "see what can be read: prime-uve list; add what is missing: prime-uve doctor --rebuild",
        )
    for copy in copies:
        yield Finding(
            Level.PROBLEM,
            "damage",
            f"the registry was damaged; its bytes are kept as {str(copy)!r}",
            f"compare it with: prime-uve list; add what is missing: prime-uve doctor --rebuild; "
            f"then remove the copy: rm {quoted(str(copy))}",
        )


def _lock(cache: Cache) -> Iterator[Finding]:
    if not os.path.lexists(cache.path):
        return
    try:
        cache.probe_lock(LOCK_SECONDS)
    except PrimeUveError as error:
        yield Finding(Level.PROBLEM, "lock", str(error))
    else:
        yield Finding(Level.OK, "lock", f"{str(cache.lock_path)!r} can be taken")


def _permissions(cache: Cache) -> Iterator[Finding]:
    if os.name != "posix":
        return
    private = {cache.path.parent: 0o700, cache.path: 0o600, cache.lock_path: 0o600}
    for path, wanted in private.items():
        try:
            facts = os.stat(path)
        except OSError:
            continue
        mode = stat.S_IMODE(facts.st_mode)
        if facts.st_uid != os.geteuid():
            yield Finding(
                Level.PROBLEM,
                "permissions",
                f"{str(path)!r} belongs to another user (uid {facts.st_uid})",
                f"take it over: sudo chown {os.geteuid()} {quoted(str(path))}",
            )
        elif mode & ~wanted & 0o077:
            yield Finding(
                Level.PROBLEM,
                "permissions",
                f"{str(path)!r} is open to others (mode {mode:o})",
                f"close it: chmod {wanted:o} {quoted(str(path))}",
            )


def _read_only(cache: Cache) -> Iterator[Finding]:
    places = [("the registry", str(cache.path.parent), REGISTRY_VARIABLE)]
    try:
        places += [("a new environment", base, BASES_VARIABLE) for base in bases()[:1]]
    except PrimeUveError:
        return  # told where file systems are
    for what, place, variable in places:
        there = os.path.realpath(place)
        while not os.path.lexists(there) and os.path.dirname(there) != there:
            there = os.path.dirname(there)
        if not os.access(there, os.W_OK):
            yield Finding(
                Level.PROBLEM,
                "permissions",
                f"{what} cannot be written: {there!r} is read-only",
                f"make it writable, or set {variable}",
            )


def _file_systems(cache: Cache) -> Iterator[Finding]:
    places = [("registry", str(cache.path), REGISTRY_VARIABLE)]
    try:
        places += [("environments", base, BASES_VARIABLE) for base in bases()]
    except PrimeUveError as error:
        yield Finding(Level.PROBLEM, "file system", str(error))
    for subject, path, variable in places:
        kind = _file_system(path)
        if kind in NETWORK_FILE_SYSTEMS:
            yield Finding(
                Level.NOTE,
                "file system",
                f"{subject}: {path!r} is on a network file system ({kind})",
                f"a local disk is faster and safer: set {variable}",
            )
        else:
            yield Finding(Level.OK, "file system", f"{subject}: {path!r} is on {kind or 'an unknown file system'}")


def _file_system(path: str) -> str:
    """Return the type of the file system that `path` lies on, or will lie on."""
    types = {part.mountpoint: part.fstype for part in psutil.disk_partitions(all=True)}
    return next((types[place] for place in upwards(os.path.realpath(path)) if place in types), "")


def _uv() -> Iterator[Finding]:
    try:
        uv = find_uv(os.environ)
    except PrimeUveError as error:
        yield Finding(Level.PROBLEM, "uv", str(error))
        return
    words = _ask(uv, "--version").split()
    version = words[1] if len(words) > 1 else ""
    numbers = tuple(int(part) for part in version.split(".") if part.isdigit())
    if not numbers:
        yield Finding(
            Level.PROBLEM, "uv", f"{uv!r} does not say its version", "install it anew: pip install 'prime-uve[uv]'"
        )
    elif numbers < OLDEST_UV:
        yield Finding(
            Level.PROBLEM,
            "uv",
            f"{uv!r} is {version}, which does not know UV_PROJECT_ENVIRONMENT",
            "uv self update, or: pip install --upgrade uv",
        )
    else:
        yield Finding(Level.OK, "uv", f"{uv!r} is {version}")


def _ask(*command: str) -> str:
    """Return what a program says within ten seconds, the empty text if it fails."""
    try:
        done = subprocess.run(command, capture_output=True, check=True, timeout=PROBE_SECONDS)
    except (OSError, subprocess.SubprocessError):
        return ""
    return os.fsdecode(done.stdout).strip()


def _earlier_uve() -> Iterator[Finding]:
    scripts = os.path.dirname(sys.executable)
    ours, first = shutil.which("uve", path=scripts), shutil.which("uve")
    if first is None:
        yield Finding(Level.NOTE, "uve", "uve is not on PATH", f"add its folder to PATH: {scripts!r}")
    elif ours is not None and os.path.realpath(first) != os.path.realpath(ours):
        yield Finding(
            Level.PROBLEM,
            "uve",
            f"another uve comes first on PATH: {first!r}, before {ours!r}",
            "uninstall it, or put ours first on PATH",
        )
    else:
        yield Finding(Level.OK, "uve", f"{first!r}")


def _hard_links() -> Iterator[Finding]:
    try:
        uv_cache, places = _ask(find_uv(os.environ), "cache", "dir"), bases()
    except PrimeUveError:
        return
    for base in places if os.path.isabs(uv_cache) else ():
        if _device(uv_cache) == _device(base):
            yield Finding(Level.OK, "hard links", f"uv's cache and {base!r} lie on one file system")
        else:
            yield Finding(
                Level.NOTE,
                "hard links",
                f"uv's cache {uv_cache!r} and {base!r} lie on different file systems: every package is copied",
                "put both on one: set UV_CACHE_DIR or PRIME_UVE_VENVS",
            )


def _device(path: str) -> int:
    """Return the device that `path` lies on, or will lie on."""
    return next(os.stat(place).st_dev for place in upwards(path) if os.path.exists(place))


def _hooks(folder: str) -> Iterator[Finding]:
    checkout = git.find_checkout(folder)
    if checkout is None:
        return
    try:
        uncovered = [found for found in coverage(checkout) if not found.by]
    except PrimeUveError as error:
        yield Finding(Level.PROBLEM, "hooks", str(error))
        return
    if uncovered:
        names = ", ".join(found.event for found in uncovered)
        remedies = "; ".join(dict.fromkeys(found.remedy for found in uncovered))
        yield Finding(Level.NOTE, "hooks", f"{checkout!r} has no prime-uve hook for {names}", remedies)
    else:
        yield Finding(Level.OK, "hooks", f"{checkout!r} checks commits and registers what Git brings")
