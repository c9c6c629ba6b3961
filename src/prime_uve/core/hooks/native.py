"""Native Git hooks: `plan_install` and `plan_uninstall` say what is to be done to each hook, `carry_out` does it.

A hook that is there already is kept under another name in the same folder, and ours runs it first.
"""

import os
import stat
from dataclasses import dataclass
from enum import StrEnum

from prime_uve.core.hooks.folder import KEPT, LEGACY, TOOL, HooksFolder, framework, installed_tool, is_huskys, read_hook
from prime_uve.core.hooks.text import EVENTS, Author, author, filled, shipped_text
from prime_uve.core.paths import quoted
from prime_uve.core.replacement import replace
from prime_uve.errors import ProjectError, RefusalError

# What looks at its own name does something else, or nothing, under the name that it would be kept by.
LOOKS_AT_ITS_NAME = (b'basename "$0"', b"basename $0", b'basename -- "$0"', b"${0##*/}", b"overcommit")


class Action(StrEnum):
    """What is done to a hook."""

    NOTHING = "unchanged"
    INSTALL = "installed"
    UPDATE = "updated"
    CHAIN = "chained"
    REMOVE = "removed"
    RESTORE = "restored"
    LEAVE = "left alone"


@dataclass(frozen=True)
class Step:
    """One `action` on the hook at `path`; `kept` is where another's hook is or will be kept, `content` what is written.

    `note` is a sentence for a person, often empty.
    """

    event: str
    action: Action
    path: str
    kept: str = ""
    content: bytes = b""
    note: str = ""


def plan_install(folder: HooksFolder, *, force: bool = False) -> list[Step]:
    """Find out what has to be done so that Git runs ours for each event. Writes nothing.

    Args:
        folder: where the hooks are.
        force: also in a folder that others share, and over a hook that does not work under another name.

    Raises:
        RefusalError: that would take something from somebody; nothing is to be done then.
    """
    if not (folder.is_private or folder.is_committed or force):
        raise RefusalError(
            f"Git takes the hooks from {folder.path!r} (core.hooksPath), outside of this repository; call "
            f'{TOOL} EVENT "$@" from the hooks there, or install for every repository that uses it: '
            "prime-uve hook install --force"
        )
    if is_huskys(folder.path):
        raise RefusalError(
            f"{folder.path!r} is husky's, which writes it anew; add a line to its hooks instead: "
            + "; ".join(f"echo '{TOOL} {event} \"$@\"' >> .husky/{event}" for event in EVENTS)
        )
    # What is committed has to do on every machine.
    content = filled(shipped_text(), "" if folder.is_committed else installed_tool())
    return [_plan_event(folder.path, event, content, force=force) for event in EVENTS]


def _plan_event(folder: str, event: str, content: bytes, *, force: bool) -> Step:
    path = os.path.join(folder, event)
    kept = path + KEPT
    if not os.path.lexists(path):
        return Step(event, Action.CHAIN if os.path.lexists(kept) else Action.INSTALL, path, content=content)
    present = read_hook(path)
    match author(present):
        case Author.OURS:
            is_right = present == content and _is_plain_program(path)
            return Step(event, Action.NOTHING if is_right else Action.UPDATE, path, content=content)
        case Author.EDITED:
            raise RefusalError(_edited(path))
    if framework(present) and author(read_hook(path + LEGACY)) is Author.OURS:
        return Step(event, Action.NOTHING, path, note=f"{path!r} runs ours as {path + LEGACY!r}")
    if os.path.lexists(kept) and not _is_same_file(path, kept):
        raise RefusalError(
            f"{path!r} is not ours, and {kept!r} is an earlier one; move one of them away: {_away(kept)}"
        )
    if not (os.path.isfile(path) or os.path.islink(path)):
        raise RefusalError(f"{path!r} is not a file; move it away: {_away(path)}")
    if not force and any(spelling in present for spelling in LOOKS_AT_ITS_NAME):
        raise RefusalError(
            f'{path!r} looks at its own name, which would be another; add a line to it: {TOOL} {event} "$@"; '
            "or have it run under another name all the same: prime-uve hook install --force"
        )
    return Step(event, Action.CHAIN, path, kept, content)


def _edited(path: str) -> str:
    return f"{path!r} is ours, but was edited; move it away: {_away(path)}"


def _away(path: str) -> str:
    return f"mv {quoted(path)} {quoted(path + '.away')}"


def plan_uninstall(folder: HooksFolder, *, force: bool = False) -> list[Step]:
    """Find out what has to be done so that all is as it was before. Writes nothing; what is not ours stays.

    Raises:
        RefusalError: others share the folder, and `force` is not given.
    """
    steps = [_plan_removal(folder.path, event) for event in EVENTS]
    is_shared = not (folder.is_private or folder.is_committed or force)
    if is_shared and any(step.action in (Action.REMOVE, Action.RESTORE) for step in steps):
        raise RefusalError(
            f"the hooks in {folder.path!r} (core.hooksPath) serve other repositories, too; take ours out for all of "
            "them: prime-uve hook uninstall --force"
        )
    return steps


def _plan_removal(folder: str, event: str) -> Step:
    path = os.path.join(folder, event)
    kept = path + KEPT
    is_kept = os.path.lexists(kept)
    if not os.path.lexists(path):
        return Step(event, Action.RESTORE if is_kept else Action.NOTHING, path, kept)
    match author(read_hook(path)):
        case Author.OURS:
            return Step(event, Action.RESTORE if is_kept else Action.REMOVE, path, kept)
        case Author.EDITED:
            return Step(event, Action.LEAVE, path, note=_edited(path))
    legacy = path + LEGACY
    if author(read_hook(legacy)) is not Author.OURS:
        note = f"{kept!r} is a hook that we kept, and {path!r} is not ours any more" if is_kept else ""
        return Step(event, Action.LEAVE if is_kept else Action.NOTHING, path, note=note)
    if is_kept and not framework(read_hook(kept)):
        return Step(event, Action.RESTORE, legacy, kept)
    # A framework's own, from before it was installed again: it would refuse to be run by itself.
    return Step(event, Action.REMOVE, legacy, note=f"{kept!r} is a hook that we kept, and stays" if is_kept else "")


def carry_out(steps: list[Step]) -> None:
    """Do what was planned; each hook is replaced as a whole, at no moment is there none.

    Raises:
        ProjectError: a file cannot be written.
    """
    for step in steps:
        try:
            _carry_out(step)
        except OSError as error:
            folder = quoted(os.path.dirname(step.path))
            raise ProjectError(f"cannot write {step.path!r}: {error.strerror}; see who may: ls -ld {folder}") from error


def _carry_out(step: Step) -> None:
    if step.action in (Action.REMOVE, Action.RESTORE) and os.path.lexists(step.path):
        _insist_on_ours(step.path)
    match step.action:
        case Action.RESTORE:
            os.replace(step.kept, step.path)
        case Action.REMOVE:
            os.unlink(step.path)
        case Action.INSTALL | Action.UPDATE | Action.CHAIN:
            os.makedirs(os.path.dirname(step.path), exist_ok=True)
            if step.kept and not os.path.lexists(step.kept):
                _keep(step.path, step.kept)
            if os.path.lexists(step.path) and not (step.kept and _is_same_file(step.path, step.kept)):
                _insist_on_ours(step.path)
            replace(step.path, step.content, mode=0o777, always=stat.S_IXUSR)


def _insist_on_ours(path: str) -> None:
    """Refuse what somebody has put here since the plan was made."""
    if author(read_hook(path)) is not Author.OURS:
        raise RefusalError(f"{path!r} has just become another's and was left alone; look at it, and try again")


def _keep(path: str, kept: str) -> None:
    """Give a hook a second name, which may not be taken; a link stays a link."""
    try:
        os.link(path, kept, follow_symlinks=False)
    except FileExistsError:
        raise
    except (OSError, NotImplementedError):  # a file system without hard links
        os.rename(path, kept)


def _is_plain_program(path: str) -> bool:
    return not os.path.islink(path) and os.access(path, os.X_OK)


def _is_same_file(one: str, other: str) -> bool:
    """Tell whether two names are one file: keeping it was begun, and not finished."""
    return os.path.samestat(os.lstat(one), os.lstat(other))
