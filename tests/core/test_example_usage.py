"""The example of the specification, as it stands, in a fresh interpreter."""

import re
from collections.abc import Callable
from pathlib import Path

import pytest

from prime_uve.core.cache import Cache
from prime_uve.core.paths import generate_venv_path
from tests.core import checkouts
from tests.core.checkouts import child, output

PROJECT = "/mnt/share/my-project"
EXAMPLE = """
from pathlib import Path
from prime_uve.core.cache import Cache
from prime_uve.core.paths import generate_venv_path, generate_hash, get_project_name

# Initialize cache (defaults to ~/.prime-uve/cache.json)
cache = Cache()

# Add a mapping
project_path = Path("/mnt/share/my-project").resolve()
venv_path = generate_venv_path(project_path)
project_name = get_project_name(project_path)
path_hash = generate_hash(project_path)

cache.add_mapping(
    project_path=project_path,
    venv_path=venv_path,
    project_name=project_name,
    path_hash=path_hash
)

# Get mapping
mapping = cache.get_mapping(project_path)
print(mapping["venv_path"])  # ${HOME}/prime-uve/venvs/my-project_a1b2c3d4

# Validate mapping
result = cache.validate_mapping(project_path)
if result.is_valid:
    print("✓ Valid")
elif result.is_orphaned:
    print(f"✗ Orphaned: {', '.join(result.issues)}")
elif result.has_mismatch:
    print(f"⚠ Mismatch: {', '.join(result.issues)}")

# List all
for project_path, mapping in cache.list_all().items():
    result = cache.validate_mapping(Path(project_path))
    print(f"{project_path}: {result.status}")

# Remove mapping
cache.remove_mapping(project_path)
"""


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """Return a project whose environment is where prime-uve puts it."""
    folder = tmp_path / "my-project"
    checkouts.make(folder, generate_venv_path(folder))
    checkouts.make_environment(generate_venv_path(folder))
    return folder


def run_example(project: Path) -> list[str]:
    """Run it with warnings as errors and nothing on stderr; return the lines that it prints."""
    script = EXAMPLE.replace(PROJECT, str(project))
    return output(
        child(script, cwd=project.parent, env={"PYTHONWARNINGS": "error", "PYTHONUTF8": "1"}),
    ).splitlines()


def name_another(project: Path) -> None:
    (project / ".env.uve").write_text("UV_PROJECT_ENVIRONMENT=${HOME}/prime-uve/venvs/another\n")


@pytest.mark.parametrize(
    ("change", "says", "status"),
    [
        pytest.param(lambda _: None, "✓ Valid", "valid", id="valid"),
        pytest.param(lambda project: (project / ".env.uve").unlink(), "✗ Orphaned: ", "orphaned", id="orphaned"),
        pytest.param(name_another, "⚠ Mismatch: ", "mismatch", id="mismatch"),
    ],
)
def test_the_example_runs_as_it_stands(
    project: Path, home: Path, change: Callable[[Path], object], says: str, status: str
) -> None:
    change(project)
    venv_path, said, listed = run_example(project)
    assert re.fullmatch(r"\$\{HOME\}/prime-uve/venvs/my-project_[0-9a-f]{8}", venv_path)
    assert said.startswith(says)
    assert listed == f"{project}: {status}"
    assert (home / ".prime-uve/cache.json").is_file()
    assert Cache().list_all() == {}


def test_the_example_runs_twice_and_leaves_the_mappings_of_others(project: Path, tmp_path: Path) -> None:
    other = checkouts.make(tmp_path / "another")
    checkouts.add(Cache(), other, "/elsewhere/x")
    assert run_example(project)[1:] == ["✓ Valid", f"{other}: mismatch", f"{project}: valid"]
    assert run_example(project)[1:] == ["✓ Valid", f"{other}: mismatch", f"{project}: valid"]
    assert list(Cache().list_all()) == [str(other)]
