"""What imports what: only downwards, nothing costly on the hot path, and nothing is said or set up on the way."""

import ast
import sys
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path
from textwrap import dedent

import pytest

import prime_uve
from prime_uve import core
from tests.commands import Run

SOURCES = Path(prime_uve.__file__).parent
# From the ground up; a module may import those of lower floors only.
FLOORS = [
    {"__init__", "core.diagnosis.finding", "core.hooks.__init__", "core.row", "errors", "stderr"},
    {"core.child", "core.command_line", "core.env_syntax", "core.mounts", "core.replacement"},
    {"core.deadline", "core.store.document", "core.timestamp"},
    {"core.paths", "core.uv", "core.store.whole_file"},
    {"core.store.claims", "core.git", "core.hooks.text", "core.kept", "core.lookup", "core.marker", "core.repository"},
    {"core.environment", "core.installed", "core.processes", "core.usage"},
    {"core.change", "core.hooks.configured", "core.env_file", "core.hooks.folder", "core.kinship"},
    {"core.listing.glance", "core.hooks.status", "core.hooks.native"},
    {"core.store.lock", "core.project"},
    {"core.validation.presence", "core.store.__init__"},
    {"core.validation.discrepancy", "core.validation.second_reader"},
    {"core.validation.__init__"},
    {"core.portability"},
    {"core.cache"},
    {"core.keeping", "core.inventory.ownership", "core.inventory.spelling"},
    {"core.inventory.survey"},
    {"core.inventory.__init__", "core.registration"},
    {"core.listing.listed"},
    {"core.listing.arrangement", "core.listing.__init__"},
    {"core.removal.pruning"},
    {"core.removal.gate"},
    {"core.removal.trash"},
    {"core.removal.transaction"},
    {"core.removal.__init__"},
    {"core.commit", "core.rebuild", "core.repair", "core.diagnosis.upkeep"},
    {"core.diagnosis.__init__", "core.initialization"},
    {"core.arrival"},
    {"core.__init__"},
    {"uve"},
    {"sync"},
    {"hook"},
    {"cli.__init__", "cli.output"},
    {"cli.measures", "cli.options", "cli.question"},
    {"cli.check", "cli.doctor", "cli.hook", "cli.init", "cli.keep", "cli.list", "cli.prune"},
    {"cli.register", "cli.repair", "cli.unkeep", "cli.unregister"},
    {"cli.main"},
]
FLOOR = {name: number for number, names in enumerate(FLOORS) for name in names}
MODULES = {".".join(path.relative_to(SOURCES).with_suffix("").parts): path for path in SOURCES.rglob("*.py")}
# A fresh interpreter, without what measures the coverage of the others.
UNMEASURED = {"COVERAGE_PROCESS_CONFIG": None, "COVERAGE_PROCESS_START": None}
LOADED = "import sys; print(*sorted(sys.modules))"


def imported(path: Path) -> Iterator[str]:
    """Yield what of ours a module imports anywhere, in functions and for types, too; ``core.git``, say."""
    for node in ast.walk(ast.parse(path.read_bytes())):
        names = []
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}:{node.lineno} imports relatively"
            names = [f"{node.module}.{alias.name}" for alias in node.names]
        for name in names:
            if f"{name}.".startswith(f"{prime_uve.__name__}."):
                yield module_of(name.removeprefix(prime_uve.__name__).removeprefix("."))


def loaded(module: str) -> set[str]:
    """Return what importing `module` imports of ours: with each module the packages that it lies in, but our own."""
    names = set(imported(MODULES[module]))
    parts = [name.removesuffix(".__init__").split(".") for name in names]
    packages = {".".join([*each[:depth], "__init__"]) for each in parts for depth in range(2, len(each))}
    return names | {package for package in packages if not f"{module}.".startswith(package.removesuffix("__init__"))}


def module_of(name: str) -> str:
    """Return the module that `name` is, or is in."""
    head, _, _ = name.rpartition(".")
    candidates = (name, f"{name}.__init__".removeprefix("."), head, f"{head}.__init__".removeprefix("."))
    return next(candidate for candidate in candidates if candidate in MODULES)


def test_every_module_has_its_floor() -> None:
    assert MODULES.keys() ^ FLOOR.keys() == set(), "say in the table where a new module belongs"


@pytest.mark.parametrize("module", sorted(MODULES.keys() & FLOOR.keys()))
def test_imports_go_down_only(module: str) -> None:
    not_below = {name for name in loaded(module) if FLOOR.get(name, -1) >= FLOOR[module]}
    assert not_below == set()


def test_the_imports_that_are_checked_are_those_that_there_are() -> None:
    """The checks above would pass over a table of nothing."""
    assert {"core.paths", "core.cache", "core.registration"} <= set(imported(MODULES["uve"])), "also in functions"
    assert set(imported(MODULES["core.env_file"])) == {
        "core.env_syntax",
        "core.git",
        "core.marker",
        "core.paths",
        "core.replacement",
        "errors",
    }
    assert set(imported(MODULES["hook"])) > {"core.git"}, "a module that is imported from its package"
    assert set(imported(MODULES["errors"])) == set()


@pytest.mark.parametrize("module", ["uve", "hook", "core", "core.env_file", "core.project"])
def test_a_hot_module_imports_nothing_that_a_bare_interpreter_has_not(module: str, tmp_path: Path, run: Run) -> None:
    bare = run(sys.executable, "-c", LOADED, cwd=tmp_path, env=UNMEASURED).stdout.split()
    done = run(sys.executable, "-c", f"import prime_uve.{module}; {LOADED}", cwd=tmp_path, env=UNMEASURED)

    more = set(done.stdout.split()) - set(bare)

    assert f"prime_uve.{module}" in more, done.stderr
    assert {name for name in more if name.split(".")[0] != "prime_uve"} == set()
    assert "coverage" not in bare


def test_importing_any_module_says_nothing_and_sets_up_no_logging(tmp_path: Path, run: Run) -> None:
    script = dedent("""
        import importlib, logging, signal, sys, warnings
        def state():
            handlers = logging.root.handlers[:], logging.getLogger("prime_uve").handlers[:]
            streams = sys.stdout, sys.stderr, sys.excepthook
            return handlers, logging.root.level, streams, warnings.filters[:], signal.getsignal(signal.SIGINT)
        before = state()
        assert before[0] == ([], [])
        for name in sys.argv[1:]:
            importlib.import_module(name)
            assert state() == before, name
    """)
    names = [f"prime_uve.{name}".removesuffix(".__init__") for name in sorted(MODULES)]

    done = run(sys.executable, "-W", "error", "-c", script, *names, cwd=tmp_path, env=UNMEASURED)

    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    assert list(tmp_path.iterdir()) == []


# What programs import


@pytest.mark.parametrize("name", core.__all__)
def test_the_core_exports_its_names_from_where_they_live(name: str) -> None:
    homes = {"Cache": "cache", "CacheError": "cache", "ValidationResult": "cache"}
    exported = getattr(core, name)
    assert exported is getattr(import_module(f"prime_uve.core.{homes.get(name, 'paths')}"), name)
    assert name in dir(core)


def test_the_core_exports_nothing_else() -> None:
    with pytest.raises(AttributeError, match="has no attribute 'cashe'"):
        core.cashe  # noqa: B018
