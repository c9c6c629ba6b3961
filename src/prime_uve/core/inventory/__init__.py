"""What there is: the environments, registered or not, each with the checkouts that claim it.

It is the ground on which is decided what may be deleted, so it errs on one side: who cannot be looked at claims what
the registry or a marker gives him, and who may mean an environment by another spelling or by his env file claims it.
"""

import os
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from prime_uve.core.cache import Cache
from prime_uve.core.deadline import LOOK_SECONDS
from prime_uve.core.inventory.ownership import Checkout, Claim, Source
from prime_uve.core.inventory.survey import Survey
from prime_uve.core.paths import bases
from prime_uve.core.validation.presence import Presence

__all__ = ["Checkout", "Claim", "Environment", "Inventory", "Source", "take_inventory"]


@dataclass(frozen=True, slots=True)
class Environment:
    """An environment: a folder that the registry names, or that lies in a base.

    `path` is absolute, and spelled with `base`, the folder of `prime_uve.core.paths.bases` that it is a direct child
    of (``None`` where it is none). `owner` is the checkout that its marker names, `last_used` the marker's mtime in
    POSIX seconds, `python` the version in its ``pyvenv.cfg``: each ``None`` where it is not known. `is_link`: there is
    a link, and no folder; `is_environment`: it holds a ``pyvenv.cfg``.
    """

    path: str
    base: str | None
    presence: Presence
    checkouts: tuple[Checkout, ...] = ()
    owner: str | None = None
    last_used: float | None = None
    python: str | None = None
    is_link: bool = False
    is_environment: bool = False

    @property
    def is_tracked(self) -> bool:
        """Whether the registry or a marker says whose it is; an env file alone could be anybody's."""
        known = (each.mapping is not None and each.source is not Source.INSIDE for each in self.checkouts)
        return self.owner is not None or any(known)

    @property
    def registered(self) -> tuple[Checkout, ...]:
        """The checkouts to which the registry gives this path."""
        return tuple(checkout for checkout in self.checkouts if checkout.source is Source.REGISTRY)

    @property
    def kept(self) -> str | None:
        """The reason for which somebody wants it kept, ``None`` where nobody does."""
        return next((checkout.kept for checkout in self.checkouts if checkout.kept is not None), None)


@dataclass(frozen=True, slots=True)
class Inventory:
    """What there is at one moment.

    `bases` are those that answered. `homeless` are checkouts whose row names no environment
    that can be read. `troubles` are sentences about what could not be looked at as a whole. `rows` are those of the
    registry that all this rests on; `is_lost`: there is no registry, and there was one.
    """

    bases: tuple[str, ...]
    environments: tuple[Environment, ...]
    homeless: tuple[Checkout, ...] = ()
    troubles: tuple[str, ...] = ()
    rows: Mapping[str, object] = field(default_factory=dict)
    is_lost: bool = False

    @property
    def registered(self) -> list[Checkout]:
        """Every checkout that has a row in the registry, by project."""
        housed = [checkout for environment in self.environments for checkout in environment.registered]
        return sorted([*housed, *self.homeless], key=lambda checkout: checkout.project)


def take_inventory(cache: Cache, *, timeout: float = LOOK_SECONDS, also: Iterable[str] = ()) -> Inventory:
    """Look at all that is registered and at all that lies in the bases; writes nothing.

    Environments come by path. Direct children of a base that are not registered are among them if they are real
    folders that hold a ``pyvenv.cfg``; links that nobody registered are not.

    Args:
        cache: the registry.
        timeout: seconds for which places that do not answer are waited for, all together.
        also: checkouts that may not be registered, resolved; what their env files name they claim.

    Raises:
        CacheError: the registry cannot be read, or there is no home.
        PrimeUveError: the bases are not absolute paths.
    """
    rows = cache.rows()
    is_lost = not os.path.lexists(cache.path) and os.path.lexists(f"{cache.path}.last-good")
    survey = Survey(bases(), timeout)
    survey.list_bases()
    survey.look_at(rows, also)
    survey.look_into()
    survey.ask_markers()
    environments = [
        Environment(
            path=draft.path,
            base=draft.base,
            presence=draft.presence,
            checkouts=tuple(draft.checkouts),
            owner=draft.folder.owner,
            last_used=draft.folder.last_used,
            python=draft.folder.python,
            is_link=draft.is_link,
            is_environment=draft.folder.is_environment,
        )
        for _, draft in sorted(survey.drafts.items())
        if draft.is_mapped or draft.folder.is_environment
    ]
    return Inventory(
        bases=tuple(survey.bases),
        environments=tuple(environments),
        homeless=tuple(survey.homeless),
        troubles=tuple(survey.troubles),
        rows=rows,
        is_lost=is_lost,
    )
