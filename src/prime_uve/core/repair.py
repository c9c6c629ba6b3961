"""Putting right what a move has left: `plan` finds out, `carry_out` writes. As ``git worktree repair``."""

import os
import re
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from prime_uve.core.cache import Cache
from prime_uve.core.paths import expand, read_regular
from prime_uve.core.registration import Outcome, Registration, preview, register
from prime_uve.core.validation import observe_all
from prime_uve.core.validation.presence import Presence, same_place, witness

LARGEST_SCRIPT = 1 << 16  # bytes
# As uv, virtualenv and venv write it into the script that activates an environment.
PLACE = re.compile(r"""^(?:export )?VIRTUAL_ENV=(["']?)(?P<place>[^"'\n]+)\1$""", re.MULTILINE)


@dataclass(frozen=True)
class Plan:
    """What there is to put right for a checkout.

    `registration` is what registering it comes to. `absent` is the checkout that has its environment and is not there,
    where nothing witnesses that it is gone for good: a person has to say that it has moved here. `made_at` is the
    place that the environment was made at, if that is not where it is. `is_witness_stale`: the mapping would not
    know this checkout to be gone if it were.
    """

    registration: Registration
    absent: str | None = None
    made_at: str | None = None
    is_witness_stale: bool = False


def plan(cache: Cache, project: str, venv_path: str) -> Plan:
    """Find out what there is to put right. Writes nothing.

    Args:
        cache: the registry.
        project: the checkout where it is now, resolved.
        venv_path: the environment that its env file names.

    Raises:
        CacheError: the registry cannot be read.
    """
    rows = cache.list_all()
    registration = preview(cache, Path(project), venv_path)
    absent = registration.other if registration.outcome is Outcome.SHARED else None
    if absent is not None and _is_here(absent, rows.get(absent, {})):
        absent = None
    seen = witness(project)
    row = rows.get(project, {})
    is_stale = registration.outcome is Outcome.UNCHANGED and any(row.get(name) != seen[name] for name in seen)
    return Plan(registration, absent, _made_at(expand(venv_path)), is_stale)


def _is_here(project: str, mapping: Mapping[str, object]) -> bool:
    return observe_all({project: mapping})[project].folder.presence is Presence.HERE


def carry_out(cache: Cache, made: Plan) -> Registration:
    """Register the checkout as planned, with fresh witnesses; return what it came to.

    Raises:
        CacheError: the registry cannot be written.
    """
    planned = made.registration
    if made.is_witness_stale:
        seen = witness(planned.project)
        cache.edit(lambda rows: rows[planned.project].update(seen) if planned.project in rows else None)
    return register(cache, Path(planned.project), planned.venv_path, gone=[made.absent] if made.absent else [])


def _made_at(environment: str) -> str | None:
    """Return the place that the scripts of `environment` name, if it is another one."""
    scripts = "Scripts" if sys.platform == "win32" else "bin"
    try:
        script = os.fsdecode(read_regular(os.path.join(environment, scripts, "activate"), LARGEST_SCRIPT))
    except OSError:
        return None
    found = PLACE.search(script)
    place = found["place"] if found else ""
    return place if os.path.isabs(place) and not same_place(place, environment) else None
