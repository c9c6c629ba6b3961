"""Who claims an environment, and how far? `claim_of` is pure."""

import os
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from prime_uve.core.env_file import LOCAL_NAME
from prime_uve.core.kept import kept
from prime_uve.core.row import text
from prime_uve.core.validation import Observation, Status, ValidationResult, judge
from prime_uve.core.validation.presence import Presence


class Claim(StrEnum):
    """What a checkout has to do with an environment now."""

    LIVING = "living"  # it is there, and the registry or its env file gives it the environment
    UNREADABLE = "unreadable"  # it is there, and what it names cannot be told
    UNREACHABLE = "unreachable"  # nobody can tell whether it is there
    RELEASED = "released"  # it is there, and names no environment; or the marker alone speaks for it, and its files not
    GONE = "gone"  # it is not there, and that is witnessed


class Source(StrEnum):
    """By what a checkout claims an environment."""

    REGISTRY = "registry"
    ALIAS = "alias"  # the registry gives it another path, which leads here
    INSIDE = "inside"  # it lies in the environment itself, or its own environment does
    ENV_FILE = "env file"  # the registry gives it another environment, or none that can be read
    MARKER = "marker"  # the marker in the environment names it, and the registry does not


PROTECTING = frozenset((Claim.LIVING, Claim.UNREADABLE, Claim.UNREACHABLE))


@dataclass(frozen=True, slots=True)
class Checkout:
    """A checkout that claims an environment.

    `mapping` is its row in the registry as it stands, ``None`` where it has none; `kept` is the reason for which a
    person wants the environment kept (it can be empty), ``None`` where nobody does.
    """

    project: str
    mapping: Mapping[str, Any] | None
    result: ValidationResult
    claim: Claim
    source: Source

    @property
    def kept(self) -> str | None:
        """See `prime_uve.core.kept`."""
        found = kept(self.mapping or {})
        return None if found is None else found.reason

    @property
    def created_at(self) -> str | None:
        """When it was registered, ISO 8601 in UTC."""
        return text(self.mapping or {}, "created_at")

    @property
    def last_validated(self) -> str | None:
        """When it was validated last, ISO 8601 in UTC."""
        return text(self.mapping or {}, "last_validated")


@dataclass(frozen=True, slots=True)
class Sighting:
    """One checkout looked at; `mapping` is its row, ``None`` where it has none.

    `has_local`: there is a ``.env.uve.local``. `has_neighbours`: the folder that the project lies in holds something.
    """

    seen: Observation
    mapping: Mapping[str, Any] | None
    has_local: bool = False
    has_neighbours: bool = True


def checkout_of(sighting: Sighting, source: Source) -> Checkout:
    """Return the checkout of a sighting, with its claim to the environment that it was looked at with."""
    result = judge(sighting.seen)
    claim = claim_of(sighting, result.status, is_registered=source is not Source.MARKER)
    return Checkout(sighting.seen.project, sighting.mapping, result, claim, source)


def claim_of(sighting: Sighting, status: Status, *, is_registered: bool) -> Claim:
    """Decide how far a checkout claims the environment that it was looked at with.

    Args:
        sighting: what was seen.
        status: what it was judged to be.
        is_registered: the registry gives it this environment.
    """
    seen = sighting.seen
    if status == "error":
        return Claim.UNREADABLE if seen.folder.presence is Presence.HERE else Claim.UNREACHABLE
    if seen.folder.presence is Presence.GONE:
        # A marker records no witness, and a share that is not mounted leaves an empty folder.
        is_witnessed = sighting.mapping is not None or sighting.has_neighbours
        return Claim.GONE if is_witnessed else Claim.UNREACHABLE
    if seen.env_file.presence is Presence.GONE:
        return Claim.LIVING if sighting.has_local else Claim.RELEASED
    return Claim.LIVING if is_registered or seen.named == seen.registered else Claim.RELEASED


def is_doubtful(seen: Observation) -> bool:
    """Tell whether `look_closer` could find more: the checkout is gone, or has no env file."""
    return Presence.GONE in (seen.folder.presence, seen.env_file.presence)


def look_closer(seen: Observation, mapping: Mapping[str, Any] | None) -> Sighting:
    """Look for what speaks against the absence of a checkout, or of its env file. Raises nothing."""
    try:
        has_neighbours = bool(os.listdir(os.path.dirname(seen.project)))
    except (OSError, ValueError):
        has_neighbours = False
    has_local = os.path.lexists(os.path.join(seen.project, LOCAL_NAME))
    return Sighting(seen, mapping, has_local=has_local, has_neighbours=has_neighbours)
