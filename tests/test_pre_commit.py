"""This repository as others use it: through pre-commit, prek, and a local hook."""

import re
import shutil
from importlib import import_module
from importlib.metadata import entry_points, version
from pathlib import Path
from subprocess import CompletedProcess
from typing import Any

import pytest
from filelock import FileLock

from prime_uve.core.cache import Cache
from prime_uve.core.paths import generate_venv_path
from tests import commands, isolation, staging
from tests.commands import SCRIPTS, Git, Run
from tests.fake_uv import FakeUv
from tests.staging import NEW, OLD, registered, stage

ROOT = isolation.ROOT
MANIFEST = ROOT / ".pre-commit-hooks.yaml"
# What of this repository its wheel is made of, and what makes it a repository of hooks.
SOURCES = ["pyproject.toml", "README.md", "LICENSE", "src", "hooks", MANIFEST.name]


def load(text: str) -> Any:  # noqa: ANN401  # a YAML document
    return import_module("yaml").safe_load(text)


def readme_configuration() -> str:
    """Return the configuration that the README tells people to use."""
    (block,) = re.findall(r"^```yaml\n(.*?)^```$", (ROOT / "README.md").read_text(), re.DOTALL | re.MULTILINE)
    return str(block)


@pytest.fixture(scope="session")
def hooks(shared: Path) -> Path:
    """Return this project as a repository of hooks, the same for all workers: it is installed once."""
    folder = shared / "hooks"
    with FileLock(shared / "hooks.lock"):
        if not folder.exists():
            made = shared / "hooks.made"
            made.mkdir()
            for name in SOURCES:
                if (ROOT / name).is_dir():
                    shutil.copytree(ROOT / name, made / name, ignore=shutil.ignore_patterns("__pycache__"))
                else:
                    shutil.copy(ROOT / name, made)
            commands.git(made, "init", "--quiet")
            commands.git(made, "add", ".")
            commands.git(made, "commit", "--quiet", "--message", "Hooks")
            made.rename(folder)
    return folder


@pytest.fixture(params=["pre-commit", "prek"])
def runner(request: pytest.FixtureRequest) -> str:
    """Return the program that runs the hooks."""
    return str(request.param)


@pytest.fixture
def user(repo: Path, hooks: Path, git: Git, run: Run, runner: str) -> Path:
    """Return somebody's repository, in which the README was followed."""
    configuration = load(readme_configuration())
    configuration["repos"][0].update(repo=str(hooks), rev=git(hooks, "rev-parse", "HEAD").strip())
    (repo / ".pre-commit-config.yaml").write_text(import_module("yaml").safe_dump(configuration))
    git(repo, "add", ".")
    git(repo, "commit", "--quiet", "--message", "Hooks")
    succeed(run(runner, "install", cwd=repo))
    return repo


@pytest.fixture
def named(user: Path, run: Run) -> Path:
    """Return somebody's repository after its first commit of an env file."""
    stage(user, OLD)
    succeed(run("git", "commit", "--message", "Name an environment", cwd=user))
    assert registered() == {str(user): OLD}
    return user


@pytest.fixture
def upstream(named: Path, git: Git) -> Path:
    """Return the repository that ``named`` pulls from, in which a colleague has changed the path."""
    folder = named.parent / "upstream"
    git(named.parent, "clone", "--quiet", named, folder)
    git(named, "remote", "add", "origin", folder)
    staging.commit(folder, NEW)
    git(named, "fetch", "--quiet", "origin")
    return folder


def succeed(done: CompletedProcess[str]) -> str:
    """Return what a command said; any failure is the test's."""
    said = done.stdout + done.stderr
    assert done.returncode == 0, said
    return said


def stopped(done: CompletedProcess[str]) -> str:
    """Return what a command said that a hook has to stop."""
    said = done.stdout + done.stderr
    assert done.returncode == 1, said
    assert "prime-uve check" in said
    return said


class TestManifest:
    def test_it_is_one_that_pre_commit_takes(self, run: Run) -> None:
        succeed(run("pre-commit", "validate-manifest", MANIFEST, cwd=ROOT))

    def test_each_entry_is_a_command_of_this_package(self, run: Run) -> None:
        ours = {script.name for script in entry_points(group="console_scripts") if script.value.startswith("prime_uve")}
        for entry in load(MANIFEST.read_text()):
            program, verb = entry["entry"].split()
            assert program in ours
            assert verb in succeed(run(program, "--help", cwd=ROOT))

    def test_each_hook_has_its_stages(self) -> None:
        assert {entry["id"]: entry["stages"] for entry in load(MANIFEST.read_text())} == {
            "prime-uve-check": ["pre-commit", "pre-merge-commit", "manual"],
            "prime-uve-register": ["post-checkout", "post-merge", "post-rewrite", "post-commit"],
            "uve-sync": ["post-checkout", "post-merge", "post-rewrite"],
        }

    def test_each_hook_always_runs_once_and_in_python(self) -> None:
        for entry in load(MANIFEST.read_text()):
            facts = {key: entry[key] for key in ("language", "pass_filenames", "always_run")}
            assert facts == {"language": "python", "pass_filenames": False, "always_run": True}
            assert entry["minimum_pre_commit_version"] == "3.2.0"

    def test_the_readme_tells_a_configuration_that_uses_what_costs_nothing_and_names_the_rest(
        self, tmp_path: Path, run: Run
    ) -> None:
        path = tmp_path / ".pre-commit-config.yaml"
        path.write_text(readme_configuration())
        succeed(run("pre-commit", "validate-config", path, cwd=tmp_path))
        configuration, manifest = load(path.read_text()), load(MANIFEST.read_text())
        (source,) = configuration["repos"]
        assert [hook["id"] for hook in source["hooks"]] == [hook["id"] for hook in manifest if hook["id"] != "uve-sync"]
        assert "- id: uve-sync" in (ROOT / "README.md").read_text()
        assert source["rev"] == f"v{version('prime-uve')}"
        stages = {stage for hook in manifest for stage in hook["stages"]}
        assert set(configuration["default_install_hook_types"]) == stages - {"manual"}

    def test_the_page_about_hooks_tells_the_same_configuration(self) -> None:
        assert readme_configuration() in (ROOT / "docs/hooks.md").read_text()

    def test_this_project_uses_its_own_hooks(self, run: Run) -> None:
        path = ROOT / ".pre-commit-config.yaml"
        succeed(run("pre-commit", "validate-config", path, cwd=ROOT))
        configuration, manifest = load(path.read_text()), load(MANIFEST.read_text())
        ours = {hook["id"]: hook for source in configuration["repos"] for hook in source["hooks"]}
        for entry in manifest:
            if entry["id"] == "uve-sync":
                continue  # tools of this project are not its environment's
            hook = ours[entry["id"]]
            assert hook["entry"] == entry["entry"]
            assert set(hook["stages"]) <= set(entry["stages"])
            assert set(hook["stages"]) <= set(configuration["default_install_hook_types"])


@pytest.mark.slow
def test_try_repo_passes_a_good_project_and_fails_a_wrong_one(repo: Path, hooks: Path, run: Run) -> None:
    stage(repo, OLD)
    assert "Passed" in succeed(run("pre-commit", "try-repo", hooks, "prime-uve-check", cwd=repo))
    assert registered() == {str(repo): OLD}
    stage(repo, "/opt/venv")
    assert "is not portable" in stopped(run("pre-commit", "try-repo", hooks, "prime-uve-check", cwd=repo))


@pytest.mark.slow
class TestConfigured:
    """In the project of somebody who followed the README."""

    @pytest.mark.parametrize("types", [[], ["--hook-type", "pre-commit"]], ids=["all types", "pre-commit alone"])
    def test_the_first_commit_registers_the_project(self, user: Path, run: Run, runner: str, types: list[str]) -> None:
        if types:
            succeed(run(runner, "uninstall", cwd=user))
            succeed(run(runner, "install", *types, cwd=user))
        stage(user, OLD)
        assert "Passed" in succeed(run("git", "commit", "--message", "Name an environment", cwd=user))
        assert registered() == {str(user): OLD}
        assert {entry.name for entry in user.iterdir()} == {
            *(".git", ".env.uve", ".pre-commit-config.yaml", "pyproject.toml")
        }

    def test_a_changed_path_is_stopped_until_it_is_accepted(self, named: Path, home: Path, run: Run) -> None:
        stage(named, NEW)
        said = stopped(run("git", "commit", "--message", "x", cwd=named))
        for part in ("demo_00000000", "demo_11111111", "prime-uve register --accept", "checkout HEAD -- .env.uve"):
            assert part in said
        assert str(home) in said
        succeed(run("prime-uve", "register", "--accept", cwd=named))
        succeed(run("git", "commit", "--message", "x", cwd=named))
        assert registered() == {str(named): NEW}

    def test_a_changed_path_is_stopped_until_it_is_restored(self, named: Path, run: Run) -> None:
        stage(named, NEW)
        said = stopped(run("git", "commit", "--message", "x", cwd=named))
        remedy = re.search(r"git -C '[^']+' checkout HEAD -- \.env\.uve", said)
        assert remedy
        succeed(run("sh", "-c", remedy[0], cwd=named))
        succeed(run("git", "commit", "--allow-empty", "--message", "x", cwd=named))
        assert registered() == {str(named): OLD}

    def test_what_is_staged_is_checked_and_not_what_else_was_edited(self, named: Path, run: Run, git: Git) -> None:
        (named / "other").touch()
        git(named, "add", "other")
        staging.write(named, "/opt/venv")
        succeed(run("git", "commit", "--message", "x", cwd=named))
        assert "is not portable" in stopped(run("git", "commit", "--all", "--message", "x", cwd=named))

    @pytest.mark.parametrize(
        "command",
        [
            ["pull", "--ff-only", "origin", "main"],
            ["pull", "--no-rebase", "--no-edit", "origin", "main"],
            ["checkout", "--detach", "origin/main"],
            ["rebase", "origin/main"],
        ],
        ids=["fast-forward", "true merge", "checkout", "rebase"],
    )
    def test_a_colleagues_change_is_registered_without_a_question(
        self, named: Path, upstream: Path, run: Run, git: Git, command: list[str]
    ) -> None:
        assert upstream.exists()
        if "--ff-only" not in command:
            (named / "mine").touch()
            git(named, "add", "mine")
            staging.quietly(named, "commit", "--message", "mine")
        succeed(run("git", *command, cwd=named))
        assert (named / ".env.uve").read_text() == f"UV_PROJECT_ENVIRONMENT={NEW}\n"
        assert registered() == {str(named): NEW}
        succeed(run("git", "commit", "--allow-empty", "--message", "x", cwd=named))

    def test_a_worktree_has_its_own_environment_until_it_is_removed(self, named: Path, run: Run, git: Git) -> None:
        worktree = named.parent / "worktree"
        succeed(run("git", "worktree", "add", worktree, cwd=named))
        assert registered() == {str(named): OLD, str(worktree): generate_venv_path(worktree)}
        assert git(worktree, "status", "--porcelain") == ""
        succeed(run("git", "commit", "--allow-empty", "--message", "mine", cwd=worktree))
        git(named, "worktree", "remove", worktree)
        assert Cache().validate_all()[str(worktree)].is_orphaned

    def test_what_a_cherry_pick_brings_is_registered(self, named: Path, upstream: Path, run: Run) -> None:
        assert upstream.exists()
        succeed(run("git", "cherry-pick", "origin/main", cwd=named))
        assert registered() == {str(named): NEW}
        succeed(run("git", "commit", "--allow-empty", "--message", "x", cwd=named))

    def test_uve_sync_runs_when_a_colleague_has_changed_the_manifest(
        self, named: Path, upstream: Path, run: Run, fake_uv: FakeUv
    ) -> None:
        path = named / ".pre-commit-config.yaml"
        configuration = load(path.read_text())
        configuration["repos"][0]["hooks"].append({"id": "uve-sync"})
        path.write_text(import_module("yaml").safe_dump(configuration))
        succeed(run("git", "commit", "--all", "--message", "Sync", cwd=named))
        calls = len(fake_uv.calls)
        (upstream / "pyproject.toml").write_text('[project]\nname = "demo"\nversion = "0.2.0"\n')
        staging.quietly(upstream, "commit", "--all", "--message", "Version")
        succeed(run("git", "pull", "--no-rebase", "--no-edit", "origin", "main", cwd=named))
        (call,) = (call for call in fake_uv.calls[calls:] if call.argv[0] == "sync")
        assert call.argv == ["sync", "--project", str(named)]


LOCAL = """\
repos:
  - repo: local
    hooks:
      - id: prime-uve-check
        name: prime-uve check
        entry: "{entry}"
        language: system
        pass_filenames: false
        always_run: true
"""


@pytest.mark.slow
@pytest.mark.parametrize("entry", ["uv run prime-uve check", "uv run --no-project --with {hooks} prime-uve check"])
def test_a_local_hook_by_way_of_uv_checks_the_same(project: Path, hooks: Path, run: Run, git: Git, entry: str) -> None:
    """With prime-uve as a development dependency of the project, or as nothing that it knows of."""
    with (project / "pyproject.toml").open("a") as stream:
        stream.write(f'[dependency-groups]\ndev = ["prime-uve"]\n[tool.uv.sources]\nprime-uve = {{path = "{hooks}"}}\n')
    (project / ".pre-commit-config.yaml").write_text(LOCAL.format(entry=entry.format(hooks=hooks)))
    git(project, "init", "--quiet")
    git(project, "add", ".")
    succeed(run("pre-commit", "install", cwd=project))
    stage(project, OLD)
    succeed(run("git", "commit", "--message", "x", cwd=project))
    assert registered() == {str(project): OLD}
    stage(project, NEW)
    assert "prime-uve register --accept" in stopped(run("git", "commit", "--message", "x", cwd=project))


def test_a_local_hook_that_runs_the_installed_command_checks_the_same(repo: Path, run: Run) -> None:
    stage(repo, OLD)
    (repo / ".pre-commit-config.yaml").write_text(LOCAL.format(entry=f"'{SCRIPTS}/prime-uve' check"))
    commands.git(repo, "add", ".")
    assert "Passed" in succeed(run("pre-commit", "run", cwd=repo))
    assert registered() == {str(repo): OLD}
    stage(repo, "/opt/venv")
    assert "is not portable" in stopped(run("pre-commit", "run", cwd=repo))
