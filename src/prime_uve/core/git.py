"""What we ask Git.

Hot: imports only what a bare interpreter has already loaded, so Git is started without ``subprocess``, which costs as
much as Git itself.
"""

import os
import sys

from prime_uve.core.paths import quoted, read_regular, upwards
from prime_uve.errors import ProjectError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping

READ_SIZE = 1 << 16  # bytes
# Of the todo list of a rebase, what comes to a commit.
WRITING = frozenset(b"pick p reword r edit e squash s fixup f merge m".split())
LARGEST = 1 << 20  # bytes; of an env file, or of an exclude file
SHA1_DIGITS = 40
MOVES = 20  # of HEAD, that are looked through
SILENT_MOVES = (b"reset", b"rebase", b"revert", b"cherry-pick", b"commit (cherry-pick)")
# What `git rev-parse --local-env-vars` names, but for the settings that `git -c` hands on.
_PLACE_VARIABLES = frozenset(
    (
        *("GIT_ALTERNATE_OBJECT_DIRECTORIES", "GIT_COMMON_DIR", "GIT_CONFIG", "GIT_DIR", "GIT_GRAFT_FILE"),
        *("GIT_IMPLICIT_WORK_TREE", "GIT_INDEX_FILE", "GIT_INTERNAL_SUPER_PREFIX", "GIT_NO_REPLACE_OBJECTS"),
        *("GIT_OBJECT_DIRECTORY", "GIT_PREFIX", "GIT_QUARANTINE_PATH", "GIT_REPLACE_REF_BASE", "GIT_SHALLOW_FILE"),
        "GIT_WORK_TREE",
    )
)


class Entry:
    """A file in the index: `mode` (octal digits), `oid` (hex) of its blob, `path` from the top, with ``/``."""

    __slots__ = ("mode", "oid", "path")

    def __init__(self, mode: str, oid: str, path: str) -> None:
        self.mode = mode
        self.oid = oid
        self.path = path


def outer_environ() -> dict[str, str]:
    """Return the variables of this process without those by which Git tells a hook of the repository that it is in."""
    return {name: value for name, value in os.environ.items() if name not in _PLACE_VARIABLES}


def find_checkout(start: str) -> str | None:
    """Return the top folder of the Git checkout that `start` lies in, links resolved; ``None`` outside of one.

    Where no folder upwards has a ``.git``, it is ``GIT_WORK_TREE`` (from `start`), if that is set and holds `start`, or
    what Git says of the ``GIT_DIR`` that it gives a hook: some keep the repository of their settings so.
    """
    found = top(start)
    if found is not None:
        return found
    environ = _environ(start)
    if environ.get("GIT_WORK_TREE"):
        told = os.path.join(start, environ["GIT_WORK_TREE"])
    elif "GIT_DIR" in environ:
        told = os.fsdecode(ask(start, "rev-parse", "--show-toplevel") or b"").removesuffix("\n")
    else:
        told = ""
    place, found = os.path.realpath(start), os.path.realpath(told)
    return found if told and f"{place}{os.sep}".startswith(f"{found.rstrip(os.sep)}{os.sep}") else None


def top(start: str) -> str | None:
    """Return the nearest folder from `start` upwards that has a ``.git``, links resolved; ``None`` if none has."""
    above = upwards(os.path.realpath(start))
    return next((folder for folder in above if os.path.lexists(os.path.join(folder, ".git"))), None)


def _environ(folder: str) -> "Mapping[str, str]":
    """Return the variables to ask Git under about `folder`.

    Those that say where repository and index are have been set for the checkout that Git runs a hook in, which is the
    one of the working directory; no other is to be looked at through them.
    """
    if _PLACE_VARIABLES.isdisjoint(os.environ) or top(folder) == top(os.curdir):
        return os.environ
    return outer_environ()


def git(folder: str, *args: str) -> bytes:
    """Run ``git`` in `folder` and return what it prints on stdout; its stderr is ours.

    Raises:
        ProjectError: Git is not there, or failed.
    """
    code, output = _run(folder, *args)
    if code != 0:
        raise ProjectError(
            f"git {args[0]} failed in {folder!r} (exit code {code}); see what it says: git -C {quoted(folder)} status"
        )
    return output


def ask(folder: str, *args: str) -> bytes | None:
    """Run ``git`` in `folder` and return what it prints on stdout, ``None`` if it fails; it is quiet about why.

    Raises:
        ProjectError: Git is not there.
    """
    code, output = _run(folder, *args, quiet=True)
    return output if code == 0 else None


def place(folder: str, *question: str) -> str:
    """Return the place that ``git rev-parse`` answers a `question` with, absolute.

    Raises:
        ProjectError: Git is not there, or failed.
    """
    answer = os.fsdecode(git(folder, "rev-parse", *question)).removesuffix("\n")
    # Git stands where the links lead to, and its answer may go upwards from there.
    return os.path.normpath(os.path.join(os.path.realpath(folder), answer))


def index_entries(checkout: str, *patterns: str) -> list[Entry]:
    """Return the files of the index whose path matches one of the glob `patterns`; unmerged ones are left out.

    Raises:
        ProjectError: Git is not there, or failed.
    """
    listing = git(checkout, "ls-files", "--stage", "-z", "--full-name", "--", *(f":(top,glob){p}" for p in patterns))
    entries = []
    for line in os.fsdecode(listing).split("\0")[:-1]:
        facts, _, path = line.partition("\t")
        mode, oid, stage = facts.split(" ")
        if stage == "0":
            entries.append(Entry(mode, oid, path))
    return entries


def blob(checkout: str, entry: Entry) -> bytes:
    """Return what the index holds for `entry`; read from the work tree where Git's own hash says that it is the same.

    Raises:
        ProjectError: Git is not there, or failed.
    """
    try:
        content = read_regular(os.path.join(checkout, entry.path), LARGEST)
    except OSError:
        content = b""
    return content if _oid(content, len(entry.oid)) == entry.oid else git(checkout, "cat-file", "blob", entry.oid)


def committed_blob(checkout: str, path: str, revision: str = "HEAD") -> bytes | None:
    """Return what `revision` holds for `path` (from the top of the checkout), ``None`` if it holds no such file.

    Raises:
        ProjectError: Git is not there.
    """
    return ask(checkout, "cat-file", "blob", f"{revision}:{path}")


def is_tracked(checkout: str, path: str) -> bool:
    """Tell whether the index holds `path`, in whatever case: some file systems know no difference.

    Raises:
        ProjectError: Git is not there, or failed: it does not look into the checkout of another user.
    """
    # From `checkout`, and not from the top: Git takes no notice of a .git that is none, and asks the repository above.
    return bool(git(checkout, "ls-files", "--", f":(literal,icase){path}"))


def is_only_intended(checkout: str, entry: Entry) -> bool:
    """Tell whether a file without content in the index stands there by ``git add --intent-to-add`` alone.

    Raises:
        ProjectError: Git is not there.
    """
    path = f":(top,literal){entry.path}"
    is_staged = _run(checkout, "diff", "--cached", "--quiet", "--", path, quiet=True)[0] != 0
    return not is_staged and committed_blob(checkout, entry.path) is None


def is_unchanged(checkout: str, path: str, *, since: str) -> bool:
    """Tell whether `path` in the work tree is what the revision `since` holds; no, if there is no such revision.

    Raises:
        ProjectError: Git is not there.
    """
    return _run(checkout, "diff", "--quiet", since, "--", f":(top,literal){path}", quiet=True)[0] == 0


def is_staged(checkout: str, path: str) -> bool:
    """Tell whether `path` in the work tree is what the index holds, line ends and filters as Git is set up.

    Raises:
        ProjectError: Git is not there.
    """
    return _run(checkout, "diff", "--quiet", "--", f":(top,literal){path}", quiet=True)[0] == 0


def changed_paths(checkout: str, old: str, new: str | None, *patterns: str) -> list[str]:
    """Return the files that match one of the glob `patterns` and differ between `old` and `new` (``None``: the index).

    Paths are from the top of the checkout. No file differs from a revision that is not there.

    Raises:
        ProjectError: Git is not there.
    """
    revisions = ["--cached", old] if new is None else [old, new]
    pathspecs = [f":(top,glob){pattern}" for pattern in patterns]
    output = ask(checkout, "diff", "--name-only", "--no-renames", "-z", *revisions, "--", *pathspecs)
    return os.fsdecode(output or b"").split("\0")[:-1]


def is_brought_in_silence(checkout: str, path: str) -> bool:
    """Tell whether ``HEAD`` has its `path` by a move for which Git calls no hook, or none that knows of it.

    A reset, a cherry-pick, a revert, or a rebase that had nothing left to write. No, if that was before the last moves
    that the reflog remembers.

    Raises:
        ProjectError: Git is not there.
    """
    reflog = ask(checkout, "log", "--walk-reflogs", f"--max-count={MOVES}", "--format=%H %gs", "HEAD") or b""
    present, last_move = committed_blob(checkout, path), b""
    for line in reflog.splitlines():
        revision, _, move = line.partition(b" ")
        if last_move and committed_blob(checkout, path, os.fsdecode(revision)) != present:
            return last_move.startswith(SILENT_MOVES)
        last_move = move
    return False


def squashed_revision(checkout: str) -> str | None:
    """Return the commit that ``git merge --squash`` has just merged, ``None`` if it has not.

    Raises:
        ProjectError: Git is not there, or failed.
    """
    path = place(checkout, "--git-path", "SQUASH_MSG")
    try:
        message = read_regular(path, LARGEST)
    except OSError:
        return None
    # The newest of the commits that it lists.
    head, _, tail = message.partition(b"\ncommit ")
    return os.fsdecode(tail.split(b"\n", 1)[0]) if head and tail else None


def main_worktree(checkout: str) -> str | None:
    """Return the top folder of the worktree that the linked worktree `checkout` was added to.

    ``None`` if `checkout` is no linked worktree, or was added to a bare repository.

    Raises:
        ProjectError: Git is not there, or failed.
    """
    folder, name = os.path.split(os.path.realpath(place(checkout, "--git-common-dir")))
    return folder if name == ".git" and folder != checkout else None


def is_edited(folder: str, name: str) -> bool:
    """Tell whether the file `name` in `folder` is committed, and in the work tree it is another; no, without Git."""
    checkout = find_checkout(folder)
    if checkout is None:
        return False
    path = os.path.relpath(os.path.join(folder, name), checkout)
    try:
        return committed_blob(checkout, path) is not None and not is_unchanged(checkout, path, since="HEAD")
    except ProjectError:  # a checkout in a container that has no Git: nothing is committed there
        return False


def is_from_elsewhere(checkout: str, path: str, content: bytes) -> bool:
    """Tell whether a merge, cherry-pick or rebase in progress brings `content` for `path` from another commit.

    Raises:
        ProjectError: Git is not there, or failed.
    """
    # `git merge` names what it merges in GITHEAD_<oid> before there is a MERGE_HEAD.
    merged = [name.removeprefix("GITHEAD_") for name in os.environ if name.startswith("GITHEAD_")]
    revisions = ("MERGE_HEAD", "CHERRY_PICK_HEAD", "REBASE_HEAD", *merged, squashed_revision(checkout))
    return any(committed_blob(checkout, path, revision) == content for revision in revisions if revision)


def is_rewriting(checkout: str) -> bool:
    """Tell whether a rebase is in progress that has commits to write: it ends by ``post-rewrite``, or is given up."""
    folder = os.path.join(checkout, ".git")
    try:
        if not os.path.isdir(folder):  # a worktree or a submodule, which names its place
            named = os.fsdecode(read_regular(folder, LARGEST)).removeprefix("gitdir:").strip()
            folder = os.path.join(checkout, named)
        todo = read_regular(os.path.join(folder, "rebase-merge", "git-rebase-todo"), LARGEST)
    except OSError:
        return False
    return any(line.split(b" ", 1)[0] in WRITING for line in todo.splitlines())


def exclude(checkout: str, pattern: str) -> bool:
    """Add `pattern` to the repository's own exclude file, once; return whether it had to be added.

    Raises:
        ProjectError: Git is not there, failed, or its exclude file cannot be written.
    """
    path = place(checkout, "--git-path", "info/exclude")
    try:
        os.makedirs(os.path.dirname(path), exist_ok=True)
        content = b""
        if os.path.lexists(path):
            content = read_regular(path, LARGEST)
        if pattern.encode() in content.splitlines():
            return False
        with open(path, "ab") as stream:
            stream.write((b"" if content.endswith(b"\n") or not content else b"\n") + pattern.encode() + b"\n")
    except OSError as error:
        raise ProjectError(f"cannot write {path!r}: {error.strerror}; add the line {pattern} to it yourself") from error
    return True


def _oid(content: bytes, digits: int) -> str:
    hashed = b"blob %d\0" % len(content) + content
    # hashlib brings OpenSSL along, which costs as much as Git; the modules below it may be missing.
    try:
        if digits == SHA1_DIGITS:
            from _sha1 import sha1

            return str(sha1(hashed, usedforsecurity=False).hexdigest())
    except ImportError:
        pass
    import hashlib

    algorithm = "sha1" if digits == SHA1_DIGITS else "sha256"
    return hashlib.new(algorithm, hashed, usedforsecurity=False).hexdigest()


def _run(folder: str, *args: str, quiet: bool = False) -> tuple[int, bytes]:
    # `git --literal-pathspecs commit`, which is how Magit commits, would have our patterns taken for names. The program
    # of core.fsmonitor comes with a checkout that somebody packed, and is not to be run by a look at the index.
    argv = ["git", "-C", folder, "--no-literal-pathspecs", "-c", "core.fsmonitor=false", *args]
    environ = _environ(folder)
    try:
        if sys.platform == "win32":
            import subprocess

            done = subprocess.run(
                argv, env=environ, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL if quiet else None, check=False
            )
            return done.returncode, done.stdout
        return _spawn(argv, environ, quiet=quiet)
    except FileNotFoundError:
        raise ProjectError("git is not on PATH; install Git") from None
    except OSError as error:
        raise ProjectError(f"cannot run git: {error.strerror}; see PATH, or install Git") from error


def _spawn(argv: list[str], environ: "Mapping[str, str]", *, quiet: bool) -> tuple[int, bytes]:
    source, sink = os.pipe()
    try:
        actions: list[tuple[int, int, int] | tuple[int, int, str, int, int]] = [(os.POSIX_SPAWN_DUP2, sink, 1)]
        if quiet:
            actions.append((os.POSIX_SPAWN_OPEN, 2, os.devnull, os.O_WRONLY, 0))
        try:
            pid = os.posix_spawnp(argv[0], argv, environ, file_actions=actions)
        finally:
            os.close(sink)
        output = bytearray()
        while chunk := os.read(source, READ_SIZE):
            output += chunk
    finally:
        os.close(source)
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]), bytes(output)


def no_checkout(folder: str) -> ProjectError:
    """Return the error for a `folder` in no Git checkout."""
    return ProjectError(f"{folder!r} is in no Git checkout; make one: git init")
