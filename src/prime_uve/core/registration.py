"""Whose environment is it? The table by which a checkout is registered; `decide` is pure."""

import os
from collections.abc import Collection, Mapping
from dataclasses import dataclass, replace
from enum import StrEnum
from functools import partial
from pathlib import Path
from time import monotonic
from typing import Any

from prime_uve.core import marker
from prime_uve.core.cache import Cache, new_row, project_key, put
from prime_uve.core.deadline import LOOK_SECONDS, Look, answers
from prime_uve.core.env_file import LOCAL_NAME, NAME, load, named_environment, reading_environ
from prime_uve.core.kept import FIELD, kept
from prime_uve.core.paths import expand, generate_hash, get_project_name, portable, quoted
from prime_uve.core.row import text
from prime_uve.core.validation import Machine
from prime_uve.core.validation.discrepancy import Naming, mismatch_sentence, naming_of
from prime_uve.core.validation.presence import Presence, look_at_project, same_place
from prime_uve.errors import CacheError, PrimeUveError


class Outcome(StrEnum):
    """What became of a registration."""

    UNCHANGED = "unchanged"
    ADDED = "added"
    MOVED = "moved"
    UPDATED = "updated"
    SHARED = "shared"
    MISMATCH = "mismatch"


WRITTEN = frozenset((Outcome.ADDED, Outcome.MOVED, Outcome.UPDATED))
OWNED = WRITTEN | {Outcome.UNCHANGED}


@dataclass(frozen=True)
class Registration:
    """The `outcome` for `project`, and a sentence about it.

    `venv_path` is what the env file names, `previous` what the registry had, `other` the checkout that the
    environment belongs or belonged to; all as registered (``${HOME}`` under the home). `no_longer_kept` is the reason
    for which a person wanted `previous` kept, if one did: it is unused now, and can be pruned. Of a mismatch, `file` is
    the env file that names `venv_path`, and `is_restorable` says that Git still has the one that names `previous`.
    """

    outcome: Outcome
    project: str
    venv_path: str
    previous: str | None = None
    other: str | None = None
    no_longer_kept: str | None = None
    file: str = NAME
    is_restorable: bool = False

    @property
    def message(self) -> str:
        """What a person should know, empty where nothing happened."""
        project, other, previous = self.project, self.other, self.previous
        match self.outcome:
            case Outcome.UNCHANGED:
                return ""
            case Outcome.ADDED:
                return f"registered {project!r} with {self.venv_path!r}"
            case Outcome.MOVED:
                return f"{other!r} has moved to {project!r}: its environment {self.venv_path!r} goes with it"
            case Outcome.UPDATED:
                unkept = "" if self.no_longer_kept is None else f", and no longer kept ({self.no_longer_kept!r})"
                return f"registered {project!r} with {self.venv_path!r}; {previous!r} is now unused{unkept}"
            case Outcome.SHARED:
                return (
                    f"{self.venv_path!r} belongs to {other!r}, and {project!r} names it, too: each overwrites what the "
                    f"other installs; give this checkout its own, in {LOCAL_NAME}: prime-uve init {quoted(project)}"
                )
            case Outcome.MISMATCH:
                naming = Naming(self.file, self.is_restorable)
                registered, named = expand(previous or ""), expand(self.venv_path)
                return mismatch_sentence(project, naming, registered=registered, named=named)


def register(
    cache: Cache, project_path: Path, venv_path: str, *, accept: bool = False, gone: Collection[str] = ()
) -> Registration:
    """Register the environment that a checkout's env file names, where the table allows it, and mark it.

    Args:
        cache: the registry.
        project_path: absolute path of the checkout.
        venv_path: the environment, absolute or under ``${HOME}``.
        accept: the change of an existing mapping is wanted: it came in through Git, or a person says so.
        gone: checkouts that are gone by a person's word, where nothing witnesses it; one that is there is not.

    Raises:
        CacheError: the registry cannot be read or written.
    """
    project, venv_path = project_key(project_path), portable(expand(venv_path))
    row = new_row(project, venv_path, get_project_name(Path(project)), generate_hash(Path(project)))
    # What is nothing to write needs no lock, so that a registry that cannot be written does not matter.
    found = preview(cache, Path(project), venv_path, accept=accept, gone=gone)
    registration = None if found.outcome in WRITTEN else found
    while registration is None:
        registration = _attempt(cache, project, row, accept=accept, gone=gone)
    if registration.outcome in OWNED:
        marker.mark(expand(venv_path), project)
    return registration


def _attempt(
    cache: Cache, project: str, row: dict[str, Any], *, accept: bool, gone: Collection[str]
) -> Registration | None:
    """Register, unless somebody else claimed or gave up the environment in the meantime: then ``None``."""
    venv_path = row["venv_path"]
    # Other people's paths are looked at before the lock is taken: a share can hang.
    rows = cache.list_all()
    claims = _claims(rows, project, venv_path)
    presences = _others(rows, project, venv_path, gone)

    def change(rows: dict[str, Any]) -> Registration | None:
        present = {key: value for key, value in rows.items() if isinstance(value, dict)}
        if _claims(present, project, venv_path).keys() != claims.keys():
            return None
        decision = decide(project, venv_path, present.get(project), presences, accept=accept)
        if decision.outcome in WRITTEN:
            # Whoever else claimed the environment is gone: never two owners.
            given_up = [rows.pop(other) for other in claims]
            if decision.outcome is Outcome.MOVED:
                rows[project] = given_up[0]
            put(rows, project, row)
            for theirs in given_up:
                if kept(theirs) is not None and kept(rows[project]) is None:
                    rows[project][FIELD] = theirs[FIELD]
        return decision

    return cache.edit(change)


def preview(
    cache: Cache, project_path: Path, venv_path: str, *, accept: bool = False, gone: Collection[str] = ()
) -> Registration:
    """Return what `register` would come to now, and write nothing.

    Raises:
        CacheError: the registry cannot be read.
    """
    project, venv_path = project_key(project_path), portable(expand(venv_path))
    rows = cache.list_all()
    presences = _others(rows, project, venv_path, gone)
    found = decide(project, venv_path, rows.get(project), presences, accept=accept)
    if found.outcome is not Outcome.MISMATCH:
        return found
    file, is_restorable = naming_of(project, expand(found.previous or ""), reading_environ())
    return replace(found, file=file, is_restorable=is_restorable)


def living_claims(cache: Cache, project_path: Path, venv_path: str) -> list[str]:
    """Return the other checkouts that are there and have the environment, by the registry or by its marker.

    A registry that cannot be read claims nothing; the marker still does.
    """
    project, venv_path = project_key(project_path), portable(expand(venv_path))
    try:
        rows = cache.list_all()
    except CacheError:
        rows = {}
    others = _others(rows, project, venv_path, ())
    return [other for other, presence in others.items() if presence is Presence.HERE]


def decide(
    project: str, venv_path: str, mapping: Mapping[str, Any] | None, claims: Mapping[str, Presence], *, accept: bool
) -> Registration:
    """Decide what a registration comes to.

    Args:
        project: the checkout.
        venv_path: the environment that its env file names, as registered.
        mapping: what the registry has for it.
        claims: the other checkouts that the registry gives this environment to, and whether they are there.
        accept: see `register`.
    """
    previous = text(mapping or {}, "venv_path")
    if previous is not None and _is_same(previous, venv_path):
        return Registration(Outcome.UNCHANGED, project, venv_path, previous)
    if previous is not None and not accept:
        return Registration(Outcome.MISMATCH, project, venv_path, previous)
    # Who cannot be looked at may well live.
    living = [other for other, presence in claims.items() if presence is not Presence.GONE]
    if living:
        return Registration(Outcome.SHARED, project, venv_path, previous, living[0])
    if previous is not None:
        reason, _ = kept(mapping or {}) or (None, None)
        return Registration(Outcome.UPDATED, project, venv_path, previous, no_longer_kept=reason)
    if claims:
        return Registration(Outcome.MOVED, project, venv_path, None, next(iter(claims)))
    return Registration(Outcome.ADDED, project, venv_path)


def _claims(rows: Mapping[str, Mapping[str, Any]], project: str, venv_path: str) -> dict[str, Mapping[str, Any]]:
    """Return the other rows that name the environment `venv_path`."""
    claims = {}
    for other, mapping in rows.items():
        theirs = text(mapping, "venv_path")
        if other != project and theirs is not None and _is_same(theirs, venv_path):
            claims[other] = mapping
    return claims


def _others(
    rows: Mapping[str, Mapping[str, Any]], project: str, venv_path: str, gone: Collection[str]
) -> dict[str, Presence]:
    """Return who else claims the environment, and whether they are there: by a row, or by the marker.

    A lost registry frees no environment: the living checkout that the marker names counts without a row. What does not
    answer within the default time-out, all in all, is unknown.
    """
    machine, end = Machine(), monotonic() + LOOK_SECONDS
    environment = expand(venv_path)
    owner_look = Look("", machine.mounts.point_of(environment), partial(marker.owner, environment))
    owner = answers([owner_look]).get("")
    claims = _claims(rows, project, venv_path)
    looks = [
        Look(other, machine.mounts.point_of(other), partial(_presence, other, mapping, project, machine))
        for other, mapping in claims.items()
    ]
    if owner is not None and owner != project and owner not in rows:
        ask = partial(_marked_presence, owner, environment, project, machine)
        looks.append(Look(owner, machine.mounts.point_of(owner), ask))
    seen = answers(looks, max(0.0, end - monotonic()))
    found = {look.key: seen.get(look.key, Presence.UNKNOWN) for look in looks}
    found |= {other: Presence.GONE for other in claims if other in gone and found[other] is Presence.UNKNOWN}
    return {other: presence for other, presence in found.items() if other in claims or presence is not Presence.GONE}


def _presence(other: str, mapping: Mapping[str, object], project: str, machine: Machine) -> Presence:
    """Look whether one that claims an environment is there; if it has become a link to `project`, it has moved."""
    return Presence.GONE if same_place(other, project) else look_at_project(other, mapping, machine.mounts).presence


def _marked_presence(owner: str, environment: str, project: str, machine: Machine) -> Presence:
    """Look whether the checkout that a marker names still names the environment."""
    try:
        reading = load(owner, machine.environ)
        named = named_environment(reading) if reading is not None else None
    except PrimeUveError:
        return Presence.GONE
    is_theirs = named is not None and same_place(named, environment) and not same_place(owner, project)
    return Presence.HERE if is_theirs else Presence.GONE


def _is_same(one: str, other: str) -> bool:
    """Tell whether two registered paths mean one place, by their text: the disks they lie on are not asked."""
    return one == other or os.path.normpath(expand(one)) == os.path.normpath(expand(other))
