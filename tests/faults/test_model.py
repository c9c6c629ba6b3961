"""The registry against a dictionary: any order of anything that can be asked of it, with faults in between."""

import json
import os
import tempfile
from pathlib import Path
from typing import Any

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    Bundle,
    RuleBasedStateMachine,
    consumes,
    initialize,
    invariant,
    multiple,
    precondition,
    rule,
)

from prime_uve.core.cache import Cache
from prime_uve.core.store import Store
from tests.faults import budget

# What a path may be made of: anything but the separator and NUL, also what is not UTF-8.
NAMES = st.one_of(
    st.sampled_from(["a", "b", "c"]),
    st.text(st.characters(exclude_characters="/\0", exclude_categories=["Cs"]), min_size=1, max_size=20),
    st.binary(min_size=1, max_size=20).map(os.fsdecode).filter(lambda name: not set(name) & {"/", "\0"}),
).filter(lambda name: name not in {".", ".."} and len(os.fsencode(name)) < 200)
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text() | st.floats(allow_nan=False),
    lambda values: st.lists(values, max_size=3) | st.dictionaries(st.text(), values, max_size=3),
    max_leaves=5,
)
FIELDS = ("venv_path", "venv_path_expanded", "project_name", "path_hash")


class RegistryAgainstDictionary(RuleBasedStateMachine):
    """``rows`` is what the registry has to say; the rows in it hold what we gave, not the times."""

    projects = Bundle("projects")

    def __init__(self) -> None:
        super().__init__()
        self._folder = tempfile.TemporaryDirectory()
        self.folder = Path(self._folder.name).resolve()
        self.path = self.folder / "registry" / "cache.json"
        self.cache = Cache(self.path)
        self.rows: dict[str, dict[str, Any]] = {}
        self.extra: dict[str, Any] = {}
        self.is_damaged = False
        self.damaged = b""

    def teardown(self) -> None:
        self._folder.cleanup()

    @initialize(target=projects, names=st.lists(NAMES, min_size=1, max_size=3))
    def begin(self, names: list[str]) -> Any:  # noqa: ANN401  # hypothesis's own
        return multiple(*(self.folder / name for name in names))

    @rule(target=projects, name=NAMES)
    def think_of_a_project(self, name: str) -> Path:
        return self.folder / name

    @rule(project=projects, name=NAMES, path_hash=st.from_regex(r"[0-9a-f]{8}", fullmatch=True))
    def add(self, project: Path, name: str, path_hash: str) -> None:
        venv_path = f"/v/{name}"
        self.cache.add_mapping(project, venv_path, "demo", path_hash)
        self.is_damaged = False
        unknown = {key: value for key, value in self.rows.get(str(project), {}).items() if key not in FIELDS}
        self.rows[str(project)] = unknown | dict(zip(FIELDS, (venv_path, venv_path, "demo", path_hash), strict=True))

    @rule(project=projects)
    def remove(self, project: Path) -> None:
        assert self.cache.remove_mapping(project) == (str(project) in self.rows)
        self.is_damaged = False
        self.rows.pop(str(project), None)

    @rule(project=consumes(projects))
    def look_up(self, project: Path) -> None:
        found = self.cache.get_mapping(project)
        assert (found is not None) == (str(project) in self.rows)

    @rule(project=projects)
    def validate(self, project: Path) -> None:
        result = self.cache.validate_mapping(project)
        assert result.status == ("orphaned" if str(project) in self.rows else "error")
        self.is_damaged &= str(project) not in self.rows

    @rule()
    def validate_all(self) -> None:
        assert self.cache.validate_all().keys() == self.rows.keys()
        self.is_damaged &= not self.rows

    @rule()
    def clear(self) -> None:
        self.cache.clear()
        self.rows.clear()
        self.is_damaged = False

    @rule()
    def migrate(self) -> None:
        self.cache.migrate_if_needed()
        self.is_damaged = False

    @rule(project=projects, value=JSON)
    def another_version_leaves_a_field(self, project: Path, value: object) -> None:
        if str(project) in self.rows:
            self.cache.edit(lambda rows: rows[str(project)].update(later=value))
            self.rows[str(project)]["later"] = value
            self.is_damaged = False

    @rule(value=JSON)
    def another_version_leaves_a_member(self, value: object) -> None:
        store = Store(self.path, version="1.0", defaults={"venvs": {}}, notify=lambda _: None)
        store.update(lambda document: document.update(later=value))
        self.extra["later"] = value
        self.is_damaged = False

    @rule()
    def another_program_lays_it_out(self) -> None:
        if self.path.exists() and not self.is_damaged:
            self.path.write_text(json.dumps(json.loads(self.path.read_text()), indent=2))

    @precondition(lambda self: self.path.exists() and not self.is_damaged)
    @rule(part=st.floats(min_value=0, max_value=0.99))
    def the_file_is_cut(self, part: float) -> None:
        raw = self.path.read_bytes()
        self.damaged = raw[: int((len(raw) - 2) * part)]
        self.path.write_bytes(self.damaged)
        self.is_damaged = True

    @rule(where=st.sampled_from(["cache.json", "cache.json.last-good"]), digits=st.integers(0, 2**64 - 1))
    def a_writer_was_killed(self, where: str, digits: int) -> None:
        if self.path.parent.exists():
            self.path.with_name(f".{where}.{digits:016x}.tmp").write_bytes(b"{")

    @rule()
    def a_new_process_takes_over(self) -> None:
        self.cache = Cache(self.path)

    @invariant()
    def it_says_what_the_dictionary_says(self) -> None:
        found = self.cache.list_all()
        assert found.keys() == self.rows.keys()
        for project, row in self.rows.items():
            assert {key: found[project][key] for key in row} == row
            assert found[project]["created_at"] <= found[project]["last_validated"]

    @invariant()
    def nothing_is_lost_on_disk(self) -> None:
        if self.path.exists() and not self.is_damaged:
            document = json.loads(self.path.read_bytes())
            assert document["version"] == "1.0"
            assert {key: document.get(key) for key in self.extra} == self.extra
        copies = self.cache.damaged_copies()
        assert len(copies) <= 10
        assert self.is_damaged or not self.damaged or self.damaged in {copy.read_bytes() for copy in copies}

    @invariant()
    def nothing_piles_up(self) -> None:
        names = {path.name for path in self.path.parent.glob("*")} - {path.name for path in self.cache.damaged_copies()}
        left = {name for name in names if name.endswith(".tmp")}
        assert names - left <= {"cache.json", "cache.json.last-good", "cache.lock"}


RegistryAgainstDictionary.TestCase.settings = settings(
    max_examples=300 if budget.IS_LONG else 25, stateful_step_count=50 if budget.IS_LONG else 30, deadline=None
)
TestRegistryAgainstDictionary = RegistryAgainstDictionary.TestCase
