"""What is done to a registry while something goes wrong, and what has to hold afterwards."""

import json
import os
import shutil
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

from prime_uve.core.cache import Cache
from prime_uve.core.paths import BASES_VARIABLE
from prime_uve.core.removal import Choice, execute, plan
from prime_uve.core.store import Store

LONG_AGO = "2001-01-01T00:00:00Z"
LASTING = {"cache.json", "cache.json.last-good", "cache.lock"}

Rows = dict[str, tuple[str, bool]]


@dataclass(frozen=True)
class Place:
    """One registry, and the projects that it is about (which nothing changes)."""

    registry: Path
    projects: Path

    @property
    def cache(self) -> Cache:
        return Cache(self.registry / "cache.json", lock_timeout=10)

    def project(self, name: str) -> Path:
        return self.projects / name


def add(place: Place, name: str, venv_path: str = "/v/new") -> None:
    place.cache.add_mapping(place.project(name), venv_path, "demo", "01234567")


def prune(place: Place) -> list[str]:
    """Prune the orphans of a base beside the registry; return the names of those that are gone."""
    with base_of(place):
        report = execute(place.cache, plan(place.cache, Choice(orphan=True)))
    return sorted(os.path.basename(target.environment.path) for target in report.removed)


@contextmanager
def base_of(place: Place) -> Iterator[Path]:
    """Have the environments of a place in a folder beside its registry."""
    before = os.environ.get(BASES_VARIABLE)
    base = place.registry.parent / "venvs"
    os.environ[BASES_VARIABLE] = str(base)
    try:
        yield base
    finally:
        os.environ.pop(BASES_VARIABLE)
        if before is not None:
            os.environ[BASES_VARIABLE] = before


# Each of these is done in another process, by its name.
ACTS: dict[str, Callable[[Place], object]] = {
    "add": lambda place: add(place, "link"),
    "update": lambda place: add(place, "one", "/v/changed"),
    "remove": lambda place: place.cache.remove_mapping(place.project("one")),
    "validate": lambda place: [result.status for result in place.cache.validate_all().values()],
    "clear": lambda place: place.cache.clear(),
    "migrate": lambda place: place.cache.migrate_if_needed(),
    "list": lambda place: sorted(Path(project).name for project in place.cache.list_all()),
    "prune": prune,
    "get": lambda place: (place.cache.get_mapping(place.project("one")) or {}).get("venv_path"),
}

START: Rows = {"one": ("/v/one", False), "two": ("/v/two", False)}


@dataclass(frozen=True)
class Case:
    """An act on a registry that is in some state before.

    ``after`` is what the rows are once it is done. ``keeps``: the old bytes stay, under another name. ``stamps``: it
    is done even where nothing could be written. ``result`` is what reading gives.
    """

    act: str
    after: Rows = field(default_factory=lambda: START)
    prepare: Callable[[Place], None] = lambda _: None
    before: Mapping[str, tuple[str, bool]] | None = None
    keeps: bool = False
    stamps: bool = False
    result: object = None


def _forget_everything(place: Place) -> None:
    shutil.rmtree(place.registry)


def _cut(place: Place) -> None:
    path = place.cache.path
    path.write_bytes(path.read_bytes()[:-25])


def _make_older(place: Place) -> None:
    path = place.cache.path
    path.write_text(path.read_text().replace('"version": "1.0",', ""))


ADDED: Rows = {**START, "new": ("/v/new", True)}
WRITES = {
    "an add": Case("add", ADDED),
    "an update": Case("update", {**START, "one": ("/v/changed", True)}),
    "a removal": Case("remove", {"two": START["two"]}),
    "a validation": Case("validate", {"one": ("/v/one", True), "two": ("/v/two", True)}, stamps=True),
    "a clear": Case("clear", {}),
    "a migration": Case("migrate", START, _make_older, keeps=True),
    "an add to a damaged file": Case("add", ADDED, _cut, keeps=True),
    "an add where there is nothing": Case("add", {"new": ADDED["new"]}, _forget_everything, before={}),
}
READS = {
    "a listing": Case("list", result=["one", "two"]),
    "a look-up": Case("get", result="/v/one"),
    "a listing of a damaged file": Case("list", prepare=_cut, result=["one", "two"]),
}


class Staged(Protocol):
    """What an act can be done to, again and again."""

    @property
    def act(self) -> str: ...

    @property
    def place(self) -> Place: ...

    def reset(self) -> None: ...


class Scene:
    """A case, at a place that is set up anew for each fault."""

    def __init__(self, case: Case, folder: Path) -> None:
        self.case = case
        self._template = Place(folder / "template" / "registry", folder / "projects")
        self.place = Place(folder / "home" / "registry", folder / "projects")
        for name in ("one", "two", "new", "next"):
            self.place.project(name).mkdir(parents=True)
        self.place.project("link").symlink_to("new")
        for name in START:
            add(self._template, name, f"/v/{name}")
        self._template.cache.edit(_age)
        case.prepare(self._template)
        self._start = _content(self._template)
        self.reset()

    @property
    def act(self) -> str:
        return self.case.act

    def reset(self) -> None:
        """Put everything back to where it was before the act."""
        shutil.rmtree(self.place.registry.parent, ignore_errors=True)
        self.place.registry.parent.mkdir()
        if self._template.registry.exists():
            shutil.copytree(self._template.registry, self.place.registry)

    def check(self, fault: object, *, acknowledged: bool) -> bool:
        """Insist on what is promised, and that the next write works. Returns whether the act had its effect."""
        try:
            happened = self._check_file()
            assert happened or not acknowledged, "it was acknowledged, and is not there"
            self._check_next_write(happened=happened)
        except Exception as error:
            error.add_note(f"the fault was at {fault}")
            raise
        return happened

    def is_as_before(self) -> bool:
        return _content(self.place) == self._start

    def _before(self) -> Mapping[str, tuple[str, bool]]:
        return START if self.case.before is None else self.case.before

    def _check_file(self) -> bool:
        raw = _content(self.place)
        if raw == self._start:
            return False
        assert raw is not None, "the file is gone"
        assert _rows(json.loads(raw)["venvs"]) == self.case.after
        self._check_that_the_old_bytes_are_kept()
        return True

    def _check_that_the_old_bytes_are_kept(self) -> None:
        if self.case.keeps:
            kept = [path for path in self.place.registry.iterdir() if path.name not in LASTING]
            assert self._start in {path.read_bytes() for path in kept}

    def _check_next_write(self, *, happened: bool) -> None:
        add(self.place, "next", "/v/next")
        expected = {**(self.case.after if happened else self._before()), "next": ("/v/next", True)}
        assert _rows(json.loads(self.place.cache.path.read_bytes())["venvs"]) == expected
        self._check_that_the_old_bytes_are_kept()
        names = {path.name for path in self.place.registry.iterdir()}
        assert len(names - LASTING) == self.case.keeps, f"litter: {names - LASTING}"


def quiet_store(path: Path) -> Store:
    return Store(path, version="1.0", defaults={"venvs": {}}, notify=lambda _: None)


def _age(rows: dict[str, Any]) -> None:
    for row in rows.values():
        row["last_validated"] = LONG_AGO


def _content(place: Place) -> bytes | None:
    path = place.registry / "cache.json"
    return path.read_bytes() if path.exists() else None


def _rows(rows: Mapping[str, Any]) -> Rows:
    """Reduce rows to what is compared: the name of the project, its environment, and whether it was stamped."""
    return {Path(project).name: (row["venv_path"], row["last_validated"] != LONG_AGO) for project, row in rows.items()}
