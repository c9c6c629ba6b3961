"""The looks that an inventory is made of, each with an end, one after the other."""

import os
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Any

from prime_uve.core.deadline import Rounds
from prime_uve.core.environment import UNREAD, Child, Folder, children, look_into
from prime_uve.core.inventory.ownership import Checkout, Claim, Sighting, Source, checkout_of, is_doubtful, look_closer
from prime_uve.core.inventory.spelling import Places, folded
from prime_uve.core.paths import quoted
from prime_uve.core.row import text
from prime_uve.core.validation import Observation, observe_all
from prime_uve.core.validation.presence import Presence

Row = Mapping[str, Any]

_BATCH = 32  # folders for one look, which has its price


@dataclass(slots=True)
class Draft:
    """An environment as far as it is known; `is_mapped`: the registry gives it to somebody."""

    path: str
    base: str | None
    presence: Presence
    is_link: bool = False
    is_mapped: bool = False
    folder: Folder = UNREAD
    checkouts: list[Checkout] = field(default_factory=list)


class Survey:
    """Gathers drafts, by their folded path, and the bases that answered.

    The public methods are called once each, in the order in which they stand.

    Args:
        bases: absolute.
        timeout: seconds for which places that do not answer are waited for, all together.
    """

    def __init__(self, bases: list[str], timeout: float) -> None:
        self.drafts: dict[str, Draft] = {}
        self.homeless: list[Checkout] = []
        self.troubles: list[str] = []
        self.bases: list[str] = []
        self._bases = bases
        self._rounds = Rounds(timeout)
        self._places = Places(bases)
        self._seen: dict[str, Observation] = {}
        self._leads: dict[str, list[Checkout]] = {}
        self._mappings: dict[str, Row | None] = {}

    def list_bases(self) -> None:
        """Find what lies in the bases."""
        self._resolve(self._bases)
        listings = self._rounds.ask({base: partial(_listed, base) for base in self._bases})
        for base in self._bases:
            if self._places.spelled(os.path.join(base, "_"))[1] != base:
                continue  # another spelling of one that comes before
            listing = listings.get(base, "it does not answer")
            if isinstance(listing, str):
                self.troubles.append(f"cannot look into {base!r}: {listing}; see ls -ld {quoted(base)}")
                continue
            self.bases.append(base)
            for child in listing:
                presence = Presence.HERE if child.is_folder else Presence.UNKNOWN
                self.drafts.setdefault(folded(child.path), Draft(child.path, base, presence, child.is_link))

    def look_at(self, rows: Mapping[str, object], also: Iterable[str]) -> None:
        """Look at the checkouts of the registry, and at others that a person named, and note what they claim."""
        mappings: dict[str, Row | None] = dict.fromkeys(also)
        mappings |= {project: row if isinstance(row, dict) else {} for project, row in rows.items()}
        self._mappings = mappings
        self._seen = observe_all({project: row or {} for project, row in mappings.items()}, timeout=self._rounds.left())
        sightings = self._sightings(self._seen)
        claims = [claim for sighting in sightings.values() for claim in _claims_of(sighting)]
        self._resolve(self._places.unresolved(path for path, _ in claims))
        for path, checkout in claims:
            self._claim(path, checkout)
        self._follow_links()
        for project, sighting in sightings.items():
            if self._places.child_around(project) is not None:
                self._give_to_holder(project, checkout_of(sighting, Source.INSIDE))
            if sighting.mapping is not None and not sighting.seen.registered:
                self.homeless.append(checkout_of(sighting, Source.REGISTRY))

    def look_into(self) -> None:
        """Read what the environments say of themselves."""
        waiting = [draft for draft in self.drafts.values() if draft.presence is Presence.HERE and not draft.is_link]
        batches = {draft.path: waiting[at : at + _BATCH] for at, draft in enumerate(waiting) if at % _BATCH == 0}
        folders = self._rounds.ask(
            {first: partial(_look_into_all, [draft.path for draft in batch]) for first, batch in batches.items()}
        )
        for first, batch in batches.items():
            for draft, folder in zip(batch, folders.get(first, ()), strict=False):
                draft.folder = folder

    def ask_markers(self) -> None:
        """Note what those claim whom a marker names, and the registry does not."""
        named = [
            (draft, owner)
            for draft in self.drafts.values()
            if (owner := draft.folder.owner) is not None and all(each.project != owner for each in draft.checkouts)
        ]
        strangers = {owner: {"venv_path": draft.path} for draft, owner in named if owner not in self._seen}
        seen = self._seen | observe_all(strangers, timeout=self._rounds.left())
        self._resolve(self._places.unresolved(path for _, owner in named if (path := seen[owner].named)))
        sightings = self._sightings({owner: seen[owner] for _, owner in named})
        for draft, owner in named:
            draft.checkouts.append(checkout_of(self._meant(sightings[owner], draft.path), Source.MARKER))

    def _claim(self, path: str, checkout: Checkout) -> None:
        """Give a claim to the environment at `path`, or to the one that it lies in."""
        path, base = self._places.spelled(path)
        is_mapped = checkout.source is Source.REGISTRY
        draft = self.drafts.get(folded(path))
        if draft is None and is_mapped:
            presence = self._seen[checkout.project].environment.presence
            draft = self.drafts[folded(path)] = Draft(path, base, presence)
        if draft is None or draft.is_link or base is None:
            self._leads.setdefault(path, []).append(checkout)
        if draft is not None:
            draft.is_mapped |= is_mapped
            _add(draft, checkout)

    def _follow_links(self) -> None:
        """Give the claims on what is no folder of a base to the folder that they lead to or into."""
        real = self._rounds.ask({path: partial(_real, path) for path in self._leads})
        for path, checkouts in self._leads.items():
            leads_to = real.get(path, path)
            draft = self.drafts.get(folded(path))
            if draft is not None and leads_to != path:
                draft.is_link = True
            for checkout in checkouts:
                self._give_to_holder(leads_to, checkout)

    def _give_to_holder(self, path: str, checkout: Checkout) -> None:
        """Give a claim on a real path to the child of a base that this is, or that holds it."""
        child = self._places.child_around(path)
        draft = self.drafts.get(folded(child)) if child is not None else None
        if draft is not None:
            is_inside = self._places.spelled(path)[0] != draft.path
            _add(draft, replace(checkout, source=Source.INSIDE if is_inside else Source.ALIAS))

    def _meant(self, sighting: Sighting, path: str) -> Sighting:
        """Return what was seen of a checkout as if the registry gave it the environment at `path`."""
        seen = sighting.seen
        place = folded(self._places.spelled(seen.named)[0]) if seen.named is not None else ""
        is_named = place == folded(path)
        if sighting.mapping is None:  # it may have been made under another home, where the file means this very place
            is_named |= os.path.basename(place) == os.path.basename(folded(path))
        return replace(sighting, seen=replace(seen, registered=path, named=path if is_named else seen.named))

    def _sightings(self, seen: Mapping[str, Observation]) -> dict[str, Sighting]:
        doubtful = {project: each for project, each in seen.items() if is_doubtful(each)}
        closer = self._rounds.ask(
            {project: partial(look_closer, each, self._mappings.get(project)) for project, each in doubtful.items()}
        )
        return {
            project: closer.get(project) or Sighting(each, self._mappings.get(project))
            for project, each in seen.items()
        }

    def _resolve(self, folders: Iterable[str]) -> None:
        self._rounds.ask({folder: partial(self._places.resolve, folder) for folder in folders})


def _claims_of(sighting: Sighting) -> Iterator[tuple[str, Checkout]]:
    """Yield the paths that a checkout claims."""
    seen, row = sighting.seen, sighting.mapping or {}
    mine = checkout_of(sighting, Source.REGISTRY)
    if seen.registered:
        yield seen.registered, mine
    if seen.named is not None and seen.named != seen.registered:
        yield seen.named, replace(mine, claim=Claim.LIVING, source=Source.ENV_FILE)
    earlier = text(row, "venv_path_expanded")  # what the path meant when it was written
    if earlier is not None and earlier != seen.registered and os.path.isabs(earlier) and "\0" not in earlier:
        yield earlier, replace(mine, source=Source.ALIAS)


def _add(draft: Draft, checkout: Checkout) -> None:
    if all(each.project != checkout.project for each in draft.checkouts):
        draft.checkouts.append(checkout)


def _listed(base: str) -> list[Child] | str:
    """Return what lies in a base, or why that cannot be said."""
    try:
        return list(children(base))
    except OSError as error:
        return error.strerror or str(error)


def _look_into_all(folders: Iterable[str]) -> list[Folder]:
    return [look_into(folder) for folder in folders]


def _real(path: str) -> str:
    try:
        return os.path.realpath(path)
    except (OSError, ValueError):
        return path
