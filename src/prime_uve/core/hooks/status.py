"""Which events of a repository are covered, by whom, and what covers the others."""

import os
import re
from dataclasses import dataclass

from prime_uve.core import git
from prime_uve.core.hooks.configured import configured
from prime_uve.core.hooks.folder import KEPT, LEGACY, TOOL, find_hooks, framework, is_huskys, read_hook
from prime_uve.core.hooks.text import EVENTS, Author, author
from prime_uve.core.paths import quoted

OURS = "prime-uve"
FRAMEWORKS = {
    "pre-commit": (".pre-commit-config.yaml",),
    "prek": ("prek.toml", ".pre-commit-config.yaml"),
}
LEFTHOOK = tuple(
    f"{dot}lefthook{local}.{ending}"
    for dot in ("", ".")
    for local in ("", "-local")
    for ending in ("yml", "yaml", "toml", "json", "jsonc")
)
SYNCED = ("post-checkout", "post-merge", "post-rewrite")
_COMMENT = re.compile(r"(?m)^[ \t]*#.*$")


@dataclass(frozen=True)
class Coverage:
    """Of one `event`: `by` says who runs ours, nobody where it is empty; then `remedy` says what would."""

    event: str
    by: tuple[str, ...]
    remedy: str = ""


def coverage(folder: str) -> list[Coverage]:
    """Look who runs ours in the repository of `folder`, event by event.

    Raises:
        ProjectError: there is no repository, or Git is not there.
    """
    hooks = find_hooks(folder).path
    top = git.find_checkout(folder) or hooks
    by_configuration = configured(folder)
    found = []
    for event in EVENTS:
        by, remedy = _look(top, hooks, event)
        named = [hook.name for hook in by_configuration if event in hook.events and OURS in hook.command]
        by = (*by, *(f"Git's configuration ({name})" for name in named))
        found.append(Coverage(event, by, "" if by else remedy))
    return found


def _look(top: str, hooks: str, event: str) -> tuple[tuple[str, ...], str]:
    """Return who runs ours from the hooks folder, and what would make it so."""
    path = os.path.join(hooks, event)
    install = f"prime-uve hook install {quoted(top)}"
    if not os.path.lexists(path):
        return (), install
    content = read_hook(path)
    if not os.access(path, os.X_OK):
        return (), f"make it executable: chmod +x {quoted(path)}"
    if author(content) is not Author.THEIRS:
        is_chained = os.access(path + KEPT, os.X_OK)
        return (f"{OURS}, after the hook that was there" if is_chained else OURS,), ""
    by, remedy = _look_at_manager(top, hooks, event, content)
    if framework(content) and author(read_hook(path + LEGACY)) is not Author.THEIRS:
        by = (*by, f"{OURS}, run by the hook that was installed over it")
    return by, remedy or install


def _look_at_manager(top: str, hooks: str, event: str, hook: bytes) -> tuple[tuple[str, ...], str]:
    """Return which hook manager runs ours, by its configuration, and what makes it do so."""
    line = f'{TOOL} {event} "$@"'
    name = framework(hook)
    if name:
        return _by(name, top, FRAMEWORKS[name], event), f"add {OURS}-{_verb(event)} to .pre-commit-config.yaml"
    if b"lefthook" in hook:
        remedy = f"add to lefthook.yml, below {event}: commands: {{prime-uve: {{run: {TOOL} {event} {{0}}}}}}"
        return _by("lefthook", top, LEFTHOOK, event), remedy
    if is_huskys(hooks):
        return _by("husky", os.path.dirname(hooks), (event,), event), f"add a line to .husky/{event}: {line}"
    return ("a hook of this repository",) if OURS in _COMMENT.sub("", hook.decode(errors="replace")) else (), ""


def _verb(event: str) -> str:
    return "check" if event.startswith("pre-") else "register"


def _by(name: str, folder: str, files: tuple[str, ...], event: str) -> tuple[str, ...]:
    verb = _verb(event)
    calls = [f"{TOOL} {event}", f"{TOOL} {verb}", f"{OURS}-{verb}", f"{OURS} {verb}"]
    if event in SYNCED:  # which registers first
        calls += ["uve-sync", f"{TOOL} sync"]
    for file in files:
        text = _COMMENT.sub("", read_hook(os.path.join(folder, file)).decode(errors="replace"))
        if any(call in text for call in calls):
            return (name,)
    return ()
