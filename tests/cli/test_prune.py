"""``prime-uve prune``: what it shows, asks, does and answers."""

import json
import os
import shutil
import subprocess
from pathlib import Path

import pytest

from prime_uve.cli.measures import shown_day, shown_size
from prime_uve.core import marker
from prime_uve.core.cache import Cache
from prime_uve.core.paths import TRASH
from prime_uve.core.timestamp import timestamp
from tests import hung_mount
from tests.commands import SCRIPTS, Run
from tests.core.prunable import Ground
from tests.terminal import INTERRUPT, converse
from tests.trees import tree

KEYS = ["dry_run", "targets", "refusals", "freed", "removed", "left", "leftovers", "swept"]
TARGET_KEYS = ["path", "exists", "owners", "mappings", "why", "last_used", "size", "freed"]
REFUSAL_KEYS = ["path", "owners", "why", "remedy", "last_used"]
NOBODY = "and there is nobody to ask; if that is right, add --yes"


@pytest.fixture
def ground(home: Path, tmp_path: Path) -> Ground:
    return Ground(home / "prime-uve" / "venvs", tmp_path.resolve() / "projects")


# What it shows


def test_without_a_choice_it_shows_what_each_would_free_and_deletes_nothing(
    call: Run, ground: Ground, home: Path
) -> None:
    ground.orphan("orphan")
    living = ground.registered("living")
    ground.environment("stranger")
    before = tree(home)
    done = call("prime-uve", "prune", cwd=living)
    assert (done.returncode, done.stderr) == (0, "")
    header, *rows, hint = (line.split("\t") for line in done.stdout.splitlines())
    assert header == ["CHOICE", "ENVIRONMENTS", "FREES"]
    assert {choice: count for choice, count, _ in rows} == {
        "--orphan": "1", "--all": "2", "--untracked": "1", "--current": "1",
    }  # fmt: skip
    assert hint == ["nothing was deleted; see what would go: prime-uve prune --orphan --dry-run"]
    document = json.loads(call("prime-uve", "prune", "--json", cwd=living).stdout)
    assert {name: len(plan["targets"]) for name, plan in document.items()} == {
        "orphan": 1, "all": 2, "untracked": 1, "current": 1,
    }  # fmt: skip
    assert all(list(plan) == KEYS for plan in document.values())
    assert tree(home) == before


def test_what_would_go_is_shown_and_stays(call: Run, ground: Ground, home: Path, tmp_path: Path) -> None:
    orphan = ground.orphan("orphan")
    os.utime(orphan / marker.NAME, (1e9, 1e9))
    before = tree(home)
    done = call("prime-uve", "prune", "--orphan", "--dry-run", cwd=tmp_path)
    assert (done.returncode, done.stderr) == (0, "")
    header, row, total = (line.split("\t") for line in done.stdout.splitlines())
    assert header == ["ENVIRONMENT", "OWNER", "WHY", "LAST USED", "FREES"]
    project = str(ground.projects / "orphan")
    assert row[:4] == [str(orphan), project, f"{project!r} is gone", "2001-09-09"]
    assert total == [f"together: 1 environment, {row[4]}"]
    assert tree(home) == before


def test_nothing_to_prune_is_said(call: Run, ground: Ground) -> None:
    living = ground.registered("living")
    done = call("prime-uve", "prune", "--orphan", cwd=living)
    assert (done.returncode, done.stdout) == (0, "there is nothing to prune\n")


@pytest.mark.parametrize("options", [["--dry-run"], ["--yes"]], ids=["dry run", "done"])
def test_as_json_these_are_the_keys(call: Run, ground: Ground, tmp_path: Path, options: list[str]) -> None:
    orphan, kept = ground.orphan("orphan"), ground.orphan("kept")
    project = str(ground.projects / "kept")
    Cache().edit(lambda rows: rows[project].update(kept={"reason": "the paper"}))
    done = call("prime-uve", "prune", "--orphan", "--json", *options, cwd=tmp_path)
    document = json.loads(done.stdout)
    assert (done.returncode, done.stderr) == (1, "")
    assert list(document) == KEYS
    ((target,), (refusal,)) = document["targets"], document["refusals"]
    assert (list(target), list(refusal)) == (TARGET_KEYS, REFUSAL_KEYS)
    assert (target["path"], target["exists"]) == (str(orphan), True)
    assert target["owners"] == target["mappings"] == [str(ground.projects / "orphan")]
    assert target["freed"] == document["freed"] > 0
    assert (refusal["path"], refusal["owners"]) == (str(kept), [project])
    assert "the paper" in refusal["why"]
    assert refusal["remedy"].startswith(f"let it go: prime-uve unkeep '{project}'")
    assert document["dry_run"] == orphan.exists() == ("--dry-run" in options)
    assert document["removed"] == ([] if "--dry-run" in options else [str(orphan)])
    assert (document["left"], document["leftovers"], document["swept"]) == ([], [], 0)
    assert kept.exists()


def test_no_name_breaks_what_is_shown(call: Run, ground: Ground, tmp_path: Path) -> None:
    ground.environment("\x1b[31mred\n\udcff")
    done = call("prime-uve", "prune", "--untracked", "--dry-run", cwd=tmp_path)
    assert done.stdout.count("\n") == 3
    assert "\\x1b[31mred\\n\\udcff" in done.stdout
    assert call("prime-uve", "prune", "--untracked", "--yes", cwd=tmp_path).returncode == 0
    assert ground.trash() == []


# What it asks


def test_without_a_terminal_it_does_not_ask(call: Run, ground: Ground, home: Path, tmp_path: Path) -> None:
    orphan = ground.orphan("orphan")
    before = tree(home)
    for options in ([], ["--json"]):
        done = call("prime-uve", "prune", "--orphan", *options, cwd=tmp_path)
        assert done.returncode == 2
        assert NOBODY in done.stderr
        assert tree(home) == before
    assert call("prime-uve", "prune", "--orphan", "--yes", cwd=tmp_path).returncode == 0
    assert not orphan.exists()


def test_with_a_closed_standard_input_it_does_not_ask(ground: Ground, run: Run, tmp_path: Path) -> None:
    orphan = ground.orphan("orphan")
    done = run("sh", "-c", 'exec "$0" prune --orphan <&-', SCRIPTS / "prime-uve", cwd=tmp_path)
    assert done.returncode == 2, done.stderr
    assert NOBODY in done.stderr
    assert orphan.exists()


def test_with_a_closed_standard_error_it_shows_no_progress(ground: Ground, run: Run, tmp_path: Path) -> None:
    orphan = ground.orphan("orphan")
    done = run("sh", "-c", 'exec "$0" prune --orphan --yes 2>&-', SCRIPTS / "prime-uve", cwd=tmp_path)
    assert (done.returncode, orphan.exists()) == (0, False)


@pytest.mark.parametrize(
    ("answer", "code", "stays"),
    [
        pytest.param("y\n", 0, False, id="yes"),
        pytest.param("n\n", 1, True, id="no"),
        pytest.param("\n", 1, True, id="a mere return"),
        pytest.param(INTERRUPT, 130, True, id="ctrl-c"),
    ],
)
def test_at_a_terminal_it_asks_and_takes_no_for_the_default(
    ground: Ground, tmp_path: Path, answer: str, code: int, *, stays: bool
) -> None:
    orphan = ground.orphan("orphan")
    assert converse("prime-uve", "prune", "--orphan", cwd=tmp_path, prompt="[y/N]", answer=answer)[0] == code
    assert (orphan.exists(), "orphan" in ground.mappings()) == (stays, stays)


# What is chosen


@pytest.mark.parametrize(
    ("options", "said"),
    [
        pytest.param(["--orphan", "--all"], "--orphan and --all are different choices; give one of them", id="two"),
        pytest.param(["--current", "x"], "--current and PATH are different choices; give one of them", id="and a path"),
        pytest.param(["--current", "--untracked"], "--current and --untracked are different", id="two others"),
        pytest.param(["--force"], "--force chooses nothing; add --orphan", id="force alone"),
        pytest.param(["--include-unreachable"], "--include-unreachable chooses nothing; add", id="a flag alone"),
        pytest.param([""], "an empty path is no project", id="an empty path"),
        pytest.param(["--timeout", "0"], "is not in the range x>0", id="no time"),
        *(
            pytest.param(
                ["--older-than", text],
                f"{text!r} is no duration; write a number and s, m, h, d or w: 90d, 12h, 2w",
                id=f"age {text!r}",
            )
            for text in ("", "90", "d", "-1d", "1.5d", "90 d", "1y", "٣d", "9" * 10 + "d")
        ),
        *(
            pytest.param(
                ["--larger-than", text],
                f"{text!r} is no size; write a number and K, M, G or T: 1G, 500M, 1GiB",
                id=f"size {text!r}",
            )
            for text in ("", "G", "-1G", "1X", "1GiBB", "1e9", "٣G")
        ),
    ],
)
def test_what_makes_no_sense_is_a_usage_error(
    call: Run, ground: Ground, home: Path, options: list[str], said: str
) -> None:
    ground.orphan("orphan")
    before = tree(home)
    done = call("prime-uve", "prune", "--yes", *options, cwd=ground.projects)
    assert (done.returncode, done.stdout) == (2, "")
    assert said in " ".join(done.stderr.split())
    assert tree(home) == before


@pytest.mark.parametrize(
    ("options", "goes"),
    [
        pytest.param(["--older-than", "90d"], True, id="90d"),
        pytest.param(["--older-than", "13w"], True, id="13w"),
        pytest.param(["--older-than", "2399h"], True, id="2399h"),
        pytest.param(["--older-than", "101d"], False, id="101d"),
        pytest.param(["--larger-than", "1M"], True, id="1M"),
        pytest.param(["--larger-than", "1.5mib"], True, id="1.5mib"),
        pytest.param(["--larger-than", "1048576"], True, id="in bytes"),
        pytest.param(["--larger-than", "1G"], False, id="1G"),
        pytest.param(["--larger-than", "2 KB", "--older-than", "1w"], True, id="both"),
        pytest.param(["--larger-than", "1G", "--older-than", "1w"], False, id="one of both"),
    ],
)
def test_age_and_size_choose_among_the_orphans(call: Run, ground: Ground, options: list[str], *, goes: bool) -> None:
    orphan, living = ground.orphan("orphan"), ground.registered("living")
    for environment in (orphan, ground.base / "living"):
        (environment / "data").write_bytes(b"x" * (2 << 20))
        ago = (environment / marker.NAME).stat().st_mtime - 100 * 86400
        os.utime(environment / marker.NAME, (ago, ago))
    done = call("prime-uve", "prune", *options, "--yes", cwd=living)
    assert done.returncode == 0
    assert (orphan.exists(), (ground.base / "living").exists()) == (not goes, True)


@pytest.mark.parametrize("named", ["project", "subfolder", "environment", "relative", "current"])
def test_a_checkout_or_its_environment_can_be_named(call: Run, ground: Ground, named: str) -> None:
    project = ground.registered("demo")
    ground.registered("other")
    (project / "pyproject.toml").touch()
    (project / "src").mkdir()
    path, cwd = {
        "project": (str(project), ground.projects),
        "subfolder": (str(project / "src"), ground.projects),
        "environment": (str(ground.base / "demo"), ground.projects),
        "relative": (".", project),
        "current": ("--current", project / "src"),
    }[named]
    done = call("prime-uve", "prune", path, "--yes", cwd=cwd)
    assert (done.returncode, done.stderr) == (0, "")
    assert ground.mappings() == {"other"}
    assert sorted(os.listdir(ground.base)) == [TRASH, "other"]


def test_a_checkout_whose_env_file_is_gone_means_no_project_around_it(call: Run, ground: Ground) -> None:
    outer = ground.registered("outer")
    (outer / "pyproject.toml").touch()
    ground.environment("inner")
    inner = outer / "inner"
    inner.mkdir()
    Cache().add_mapping(inner, str(ground.base / "inner"), "inner", "0" * 8)
    assert call("prime-uve", "prune", str(inner), "--yes", cwd=ground.projects).returncode == 0
    assert ground.mappings() == {"outer"}
    assert (ground.base / "outer").exists()


def test_what_two_checkouts_use_is_of_neither_alone(call: Run, ground: Ground) -> None:
    project = ground.registered("demo")
    other = ground.registered("other", ground.base / "demo")
    for path in ("--current", str(project), str(ground.base / "demo")):
        done = call("prime-uve", "prune", path, "--yes", cwd=project)
        assert done.returncode == 1
        assert f"{str(other)!r}" in done.stdout
        assert (ground.base / "demo").exists()
    assert call("prime-uve", "prune", "--all", "--yes", cwd=project).returncode == 0
    assert ground.mappings() == set()


def test_a_checkout_that_has_moved_here_keeps_its_environment(call: Run, ground: Ground) -> None:
    project = ground.registered("demo")
    moved = project.rename(ground.projects / "moved")
    assert call("prime-uve", "prune", "--orphan", "--yes", cwd=moved).returncode == 0
    assert (ground.base / "demo").exists()
    assert call("prime-uve", "prune", "--orphan", "--yes", cwd=ground.projects).returncode == 0
    assert not (ground.base / "demo").exists()


@pytest.mark.parametrize("path", ["/", "~", "base", "..", "nothing"])
def test_a_path_that_is_no_environment_is_refused(call: Run, ground: Ground, home: Path, path: str) -> None:
    ground.registered("demo")
    given = {"~": str(home), "base": str(ground.base), "..": f"{ground.base}/.."}.get(path, path)
    before = tree(home)
    done = call("prime-uve", "prune", given, "--yes", "--force", "--untracked", cwd=ground.projects)
    assert done.returncode == 1
    assert "it is neither an environment in a base nor a checkout that has one" in done.stdout
    assert tree(home) == before


def test_the_current_one_needs_a_checkout(call: Run, ground: Ground) -> None:
    done = call("prime-uve", "prune", "--current", "--yes", cwd=ground.projects)
    assert done.returncode == 2
    assert "there is no .env.uve here or above" in done.stderr


def test_what_is_kept_goes_by_force_alone(call: Run, ground: Ground) -> None:
    orphan = ground.orphan("orphan")
    project = str(ground.projects / "orphan")
    Cache().edit(lambda rows: rows[project].update(kept={"reason": "the paper", "since": "2026-01-01T00:00:00Z"}))
    for choice in (["--orphan"], ["--all"], [project], [str(orphan)]):
        done = call("prime-uve", "prune", *choice, "--yes", cwd=ground.projects)
        assert done.returncode == 1
        assert "it is kept: the paper; let it go: prime-uve unkeep" in done.stdout
        assert done.stdout.endswith(f"or prune it all the same: prime-uve prune --force '{orphan}'\n")
    assert orphan.exists()
    assert call("prime-uve", "prune", "--force", str(orphan), "--yes", cwd=ground.projects).returncode == 0
    assert not orphan.exists()


def test_a_mapping_without_an_environment_is_not_counted_as_one(call: Run, ground: Ground) -> None:
    Cache().add_mapping(ground.projects / "gone", str(ground.base / "gone"), "gone", "0" * 8)
    done = call("prime-uve", "prune", "--orphan", "--yes", cwd=ground.projects)
    assert done.stdout.endswith("together: 1 mapping, 0 B\ndeleted 1 mapping, 0 B\n")
    assert ground.mappings() == set()


def test_what_is_unknown_goes_by_its_own_flag_alone(call: Run, ground: Ground) -> None:
    stranger = ground.environment("stranger")
    for choice in (["--orphan"], ["--all"], ["--all", "--force", "--include-unreachable"]):
        assert call("prime-uve", "prune", *choice, "--yes", cwd=ground.projects).returncode == 0
    done = call("prime-uve", "prune", str(stranger), "--yes", cwd=ground.projects)
    assert done.returncode == 1
    assert f"if it is yours: prime-uve prune --untracked '{stranger}'" in done.stdout
    assert stranger.exists()
    other = ground.environment("other")
    assert call("prime-uve", "prune", str(stranger), "--untracked", "--yes", cwd=ground.projects).returncode == 0
    assert (stranger.exists(), other.exists()) == (False, True)
    assert call("prime-uve", "prune", "--untracked", "--yes", cwd=ground.projects).returncode == 0
    assert not other.exists()


def test_what_cannot_be_reached_goes_by_its_path_or_its_own_flag(call: Run, ground: Ground) -> None:
    first, second, orphan = ground.registered("first"), ground.registered("second"), ground.orphan("orphan")
    shutil.rmtree(ground.projects)
    for choice in ("--orphan", "--all"):
        done = call("prime-uve", "prune", choice, "--yes", cwd=ground.base)
        assert done.returncode == 1
        assert f"{str(first)!r} cannot be looked at, and may need it" in done.stdout
        assert f"prime-uve prune --include-unreachable '{ground.base}/first'" in done.stdout
    assert orphan.exists()
    done = call("prime-uve", "prune", str(ground.base / "first"), "--yes", cwd=ground.base)
    assert (done.returncode, (ground.base / "first").exists()) == (0, False)
    assert f"{str(first)!r} cannot be looked at" in done.stdout
    done = call("prime-uve", "prune", "--orphan", "--include-unreachable", "--yes", cwd=ground.base)
    assert (done.returncode, ground.mappings()) == (0, set())
    assert not second.exists()


def test_a_mount_that_hangs_holds_up_nothing_else_and_loses_nothing(run: Run, ground: Ground, tmp_path: Path) -> None:
    """A mount that never answers: of five projects on it, and with one environment of a project that is gone."""
    share = tmp_path / "share"
    share.mkdir()
    for name in "abcde":
        project = share / name
        project.mkdir()
        environment = ground.environment(name)
        (project / ".env.uve").write_text(f"UV_PROJECT_ENVIRONMENT={environment}\n")
        Cache().add_mapping(project, str(environment), name, "0" * 8)
    orphan = ground.orphan("orphan")
    prefix = hung_mount.prefix(share)
    command = [SCRIPTS / "prime-uve", "prune", "--timeout", "0.5", "--yes", "--json"]
    for choice in (["--orphan"], ["--all"]):
        done = run(*prefix, *map(str, command), *choice, cwd=tmp_path)
        document = json.loads(done.stdout)
        assert done.returncode == 1, done.stderr
        assert len(document["refusals"]) == 5
        assert all("has not answered for 0.5 s" in refusal["why"] for refusal in document["refusals"])
    assert not orphan.exists()
    assert ground.mappings() == set("abcde")
    assert all((ground.base / name / "pyvenv.cfg").exists() for name in "abcde")


# In the meantime


BACKEND = """\
import os, zipfile
def build_wheel(folder, settings=None, metadata=None):
    with open(os.environ["GATE"]) as gate:
        gate.read()
    name = "slow-1-py3-none-any.whl"
    with zipfile.ZipFile(os.path.join(folder, name), "w") as wheel:
        about = "slow-1.dist-info/"
        wheel.writestr(about + "METADATA", "Metadata-Version: 2.1\\nName: slow\\nVersion: 1\\n")
        wheel.writestr(about + "WHEEL", "Wheel-Version: 1.0\\nRoot-Is-Purelib: true\\nTag: py3-none-any\\n")
        wheel.writestr(about + "RECORD", "")
    return name
"""


def test_while_uv_syncs_it_an_environment_stays(call: Run, ground: Ground, uv: Path, tmp_path: Path) -> None:
    package, gate = tmp_path / "slow", tmp_path / "gate"
    package.mkdir()
    (package / "backend.py").write_text(BACKEND)
    (package / "pyproject.toml").write_text(
        '[project]\nname = "slow"\nversion = "1"\n'
        '[build-system]\nrequires = []\nbuild-backend = "backend"\nbackend-path = ["."]\n'
    )
    os.mkfifo(gate)
    environment = ground.base / "demo"
    project = ground.registered("demo", environment)
    (project / "pyproject.toml").write_text(
        '[project]\nname = "demo"\nversion = "1"\nrequires-python = ">=3.11"\ndependencies = ["slow"]\n'
        f'[tool.uv.sources]\nslow = {{ path = "{package}" }}\n'
    )
    variables = {**os.environ, "UV_PROJECT_ENVIRONMENT": str(environment), "GATE": str(gate), "UV_OFFLINE": "1"}
    with subprocess.Popen([uv, "sync", "--quiet"], cwd=project, env=variables) as sync:
        with gate.open("w") as opened:  # until the build is under way
            done = call("prime-uve", "prune", str(project), "--yes", cwd=ground.projects)
            opened.write("go\n")
        assert sync.wait(60) == 0
    assert done.returncode == 1
    assert "it is in use: " in done.stdout
    assert (environment / "pyvenv.cfg").exists()
    assert call("prime-uve", "prune", str(project), "--yes", cwd=ground.projects).returncode == 0
    assert not environment.exists()


# The figures


@pytest.mark.parametrize(
    ("count", "shown"),
    [(0, "0 B"), (1023, "1023 B"), (1024, "1.0 KiB"), (1_610_612_736, "1.5 GiB"), (5 << 50, "5120.0 TiB")],
)
def test_sizes_are_shown_in_their_unit(count: int, shown: str) -> None:
    assert shown_size(count) == shown


def test_times_that_no_calendar_has_are_not_known() -> None:
    assert (timestamp(1e9), shown_day(1e9)) == ("2001-09-09T01:46:40Z", "2001-09-09")
    for seconds in (None, 1e300, float("inf")):
        assert (timestamp(seconds), shown_day(seconds)) == (None, "?")
