"""``uv sync`` for the projects of a checkout: the one that a person asks for, and those that Git has changed."""

import os
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING

from prime_uve.core import git
from prime_uve.core.cache import Cache
from prime_uve.core.env_file import NAME, trusted_reading
from prime_uve.core.paths import MANIFEST, quoted
from prime_uve.core.project import find_env_root
from prime_uve.core.registration import Outcome, preview
from prime_uve.core.uv import find_uv
from prime_uve.errors import PrimeUveError
from prime_uve.uve import prepare

if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import TextIO

    from prime_uve.core.change import Change

INPUTS = ("uv.lock", MANIFEST, NAME)


def sync(root: str, *, output: "TextIO | None" = None) -> int:
    """Run ``uv sync`` with the environment of the project at `root`, and return its exit code.

    Args:
        root: the project.
        output: where uv's stdout goes, by default to ours.

    Raises:
        PrimeUveError: there is no uv, or no environment.
    """
    args = ["sync", "--project", root]
    # Variables by which Git tells a hook of its repository would have uv look for dependencies in that one.
    environ = prepare(args, git.outer_environ())
    return subprocess.run([find_uv(environ), *args], env=environ, stdout=output, check=False).returncode


def sync_changed(checkout: str, change: "Change") -> list[str]:
    """Sync the projects of `checkout` whose lock, manifest or env file `change` has changed.

    An environment that belongs to another checkout is left alone, and so is everything while a rebase writes its
    commits. What uv says goes where it says it. Returns what a person should know, a sentence each.

    Raises:
        ProjectError: Git is not there, or failed.
    """
    paths = change.paths(checkout, *(f"**/{name}" for name in INPUTS))
    if not paths or (change.event != "post-rewrite" and git.is_rewriting(checkout)):
        return []
    folders = sorted({os.path.join(checkout, os.path.dirname(path)) for path in paths})
    return [sentence for root in dict.fromkeys(_roots(folders)) if (sentence := _sync_own(root))]


def _roots(folders: list[str]) -> "Iterator[str]":
    for folder in folders:
        try:
            root = find_env_root(folder) if os.path.isdir(folder) else None
        except PrimeUveError:
            continue  # a project in the project, without an environment
        if root is not None:
            yield root


def _sync_own(root: str) -> str:
    again = f"uve sync --project {quoted(root)}"
    try:
        found = trusted_reading(root)
        if found is None:
            return ""
        registration = preview(Cache(), Path(root), found[1])
        if registration.outcome is not Outcome.UNCHANGED:
            return f"not synced: {registration.message}"
        code = sync(root)
    except PrimeUveError as error:
        return f"not synced: {error}"
    return f"uv sync failed (exit code {code}); try again: {again}" if code != 0 else ""
