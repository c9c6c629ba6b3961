"""What is worth knowing about the checkout at hand, and about environments that nobody uses. Nothing is mended here."""

import os
import time
from collections.abc import Iterator
from pathlib import Path

from prime_uve.core import marker
from prime_uve.core.cache import Cache
from prime_uve.core.diagnosis.finding import Finding, Level
from prime_uve.core.inventory import take_inventory
from prime_uve.core.paths import quoted
from prime_uve.core.project import find_env_root
from prime_uve.core.removal.pruning import Choice, choose
from prime_uve.core.validation import judge, observe_all
from prime_uve.errors import PrimeUveError


def checkout_at(cache: Cache, folder: str) -> Iterator[Finding]:
    """Look at the checkout that governs `folder`: what its validation would come to, and a ``.venv`` left in it."""
    try:
        root = find_env_root(folder)
        mapping = cache.get_mapping(Path(root)) if root is not None else None
    except PrimeUveError as error:
        yield Finding(Level.NOTE, "checkout", str(error))
        return
    if root is None:
        return
    issues = judge(observe_all({root: mapping})[root]).issues if mapping is not None else []
    for issue in issues:
        yield Finding(Level.NOTE, "checkout", issue)
    if mapping is None:
        remedy = f"register it: prime-uve register {quoted(root)}"
        yield Finding(Level.NOTE, "checkout", f"{root!r} is not registered", remedy)
    elif not issues:
        yield Finding(Level.OK, "checkout", f"{root!r} is valid")
    old = os.path.join(root, ".venv")
    if marker.is_environment(old):
        message = f"{old!r} is an environment that uv made in the project, and is not used"
        yield Finding(Level.NOTE, "checkout", message, "delete it, if nothing else uses it")


def unused(cache: Cache) -> Iterator[Finding]:
    """Count the environments that no checkout claims any more, and those of which nobody knows whose they are."""
    try:
        inventory = take_inventory(cache)
    except PrimeUveError:  # the registry or the bases, of which others tell
        return
    now = time.time()
    orphans = choose(inventory, Choice(orphan=True), now=now).targets
    untracked = [environment for environment in inventory.environments if not environment.is_tracked]
    if orphans:
        message = f"environments or mappings that no checkout uses any more: {len(orphans)}"
        yield Finding(Level.NOTE, "environments", message, "see them: prime-uve prune --orphan --dry-run")
    if untracked:
        message = f"environments of which nothing says whose they are: {len(untracked)}"
        yield Finding(Level.NOTE, "environments", message, "see them: prime-uve prune --untracked --dry-run")
    if not orphans and not untracked:
        yield Finding(
            Level.OK, "environments", f"each belongs to a checkout; environments: {len(inventory.environments)}"
        )
