"""Hooks that Git 2.54 and newer take from its configuration, here the one of this account, for every repository."""

import os
import re
from dataclasses import dataclass

from prime_uve.core import git
from prime_uve.core.hooks.text import EVENTS
from prime_uve.core.paths import quoted
from prime_uve.errors import RefusalError

OLDEST_GIT = (2, 54)
OURS = "prime-uve-"  # and the event: Git does not tell a command which one it runs for


@dataclass(frozen=True)
class Configured:
    """A hook of the configuration: its friendly `name`, its `command`, and the events that it runs for."""

    name: str
    command: str
    events: tuple[str, ...]


def git_version(folder: str) -> tuple[int, ...]:
    """Return the first two numbers of Git's version; none if it does not say.

    Raises:
        ProjectError: Git is not there, or failed.
    """
    found = re.search(rb"(\d+)\.(\d+)", git.git(folder, "version"))
    return tuple(map(int, found.groups())) if found else ()


def refuse_old_git(folder: str) -> None:
    """Insist on a Git that knows configured hooks.

    Raises:
        RefusalError: it does not.
    """
    version = git_version(folder)
    if version < OLDEST_GIT:
        raise RefusalError(
            f"Git {'.'.join(map(str, version))} takes no hooks from its configuration, Git 2.54 does; update Git, or "
            "install in each repository: prime-uve hook install"
        )


def command(tool: str, event: str) -> str:
    """Return the line of shell that runs `tool` for `event`; Git appends what it gives the hook.

    It serves repositories that have nothing to do with us, so that a tool that is gone may stop no commit in them.
    """
    remedy = f"git config --global --remove-section hook.{OURS}{event}"
    gone = f"prime-uve: prime-uve-hook is gone, so {event} did nothing; no more of this: {remedy}"
    return (
        f'run() {{ {quoted(tool)} {event} "$@"; code=$?; '
        f"case $code in 126 | 127) echo {quoted(gone)} >&2; code=0 ;; esac; return $code; }}; run"
    )


def install(folder: str, tool: str) -> dict[str, bool]:
    """Have Git run `tool` (absolute) for each event in all repositories of this account; return what has changed.

    Raises:
        RefusalError: Git is too old, or there is no `tool`.
        ProjectError: Git cannot write its configuration.
    """
    refuse_old_git(folder)
    if not tool.isprintable() or not tool:
        raise RefusalError(f"{tool!r} is no program that Git could run; install it: uv tool install prime-uve")
    tool = tool.replace(os.sep, "/")
    changed = {}
    for event in EVENTS:
        # An event without a command is an error for Git, so the command is there first.
        wanted = {"command": command(tool, event), "event": event}
        present = {key: _values(folder, f"hook.{OURS}{event}.{key}") for key in wanted}
        changed[event] = present != {key: [value] for key, value in wanted.items()}
        for key, value in wanted.items() if changed[event] else ():
            git.git(folder, "config", "--global", "--replace-all", f"hook.{OURS}{event}.{key}", value)
    return changed


def uninstall(folder: str) -> dict[str, bool]:
    """Take ours out of Git's configuration; return for which events it was there.

    Raises:
        ProjectError: Git is not there, or cannot write its configuration.
    """
    changed = {}
    for event in EVENTS:
        present = [key for key in ("event", "command") if _values(folder, f"hook.{OURS}{event}.{key}")]
        for key in present:
            git.git(folder, "config", "--global", "--unset-all", f"hook.{OURS}{event}.{key}")
        changed[event] = bool(present)
    return changed


def _values(folder: str, key: str) -> list[str]:
    answer = git.ask(folder, "config", "--global", "-z", "--get-all", key) or b""
    return os.fsdecode(answer).split("\0")[:-1]


def configured(folder: str) -> list[Configured]:
    """Return the hooks that Git takes from its configuration in `folder`, those that are switched off left out.

    Raises:
        ProjectError: Git is not there.
    """
    if git_version(folder) < OLDEST_GIT:
        return []
    answer = git.ask(folder, "config", "-z", "--get-regexp", r"^hook\..+\.(command|event|enabled)$") or b""
    commands: dict[str, str] = {}
    events: dict[str, list[str]] = {}
    disabled: dict[str, bool] = {}
    for item in os.fsdecode(answer).split("\0")[:-1]:
        key, _, value = item.partition("\n")
        name, _, kind = key.removeprefix("hook.").rpartition(".")
        if kind == "command":
            commands[name] = value
        elif kind == "enabled":
            disabled[name] = value.lower() in ("false", "no", "off", "0")
        else:  # an empty event takes all earlier ones back
            events[name] = [*events.get(name, []), value] if value else []
    off = {name for name, is_off in disabled.items() if is_off}
    return [
        Configured(name, commands[name], tuple(event for event in named if event not in off))
        for name, named in events.items()
        if name in commands and name not in off
    ]
