"""``prime-uve-hook sync``: uv runs when Git has changed what an environment is made from, and only then."""

from pathlib import Path

import pytest

from prime_uve.core.cache import Cache
from prime_uve.core.paths import expand, generate_venv_path
from tests import staging
from tests.commands import Git, Run
from tests.fake_uv import FakeUv
from tests.staging import NEW, OLD, registered
from tests.trees import tree

HOOK = """\
#!/bin/sh
exec prime-uve-hook sync "${0##*/}" "$@"
"""
EVENTS = ("post-checkout", "post-merge", "post-rewrite")
ZEROS = "0" * 40


def add(repo: Path, path: str, content: str = "") -> None:
    """Commit a file without a hook."""
    (repo / path).parent.mkdir(parents=True, exist_ok=True)
    (repo / path).write_text(content)
    staging.quietly(repo, "add", "--force", path)
    staging.quietly(repo, "commit", "--message", path)


@pytest.fixture
def synced(repo: Path, fake_uv: FakeUv) -> Path:
    """Return a registered repository that syncs, with a branch ``theirs`` on which nothing is different yet."""
    assert fake_uv.calls == []
    staging.commit(repo, OLD)
    Cache().add_mapping(repo, OLD, "demo", "00000000")
    staging.quietly(repo, "branch", "theirs")
    for event in EVENTS:
        hook = repo / ".git/hooks" / event
        hook.parent.mkdir(exist_ok=True)
        hook.write_text(HOOK)
        hook.chmod(0o755)
    return repo


def theirs(repo: Path, path: str, content: str = "") -> None:
    """Commit a file on ``theirs``."""
    staging.quietly(repo, "switch", "--quiet", "theirs")
    add(repo, path, content)
    staging.quietly(repo, "switch", "--quiet", "main")


COMMANDS = [
    ["switch", "theirs"],
    ["merge", "--ff-only", "theirs"],
    ["merge", "--squash", "theirs"],
    ["pull", "--rebase", ".", "theirs"],
]


@pytest.mark.parametrize("command", COMMANDS, ids=" ".join)
@pytest.mark.parametrize("path", ["uv.lock", "pyproject.toml", "member/pyproject.toml", "README.md", "src/uv.lock.md"])
def test_uv_runs_if_a_file_that_counts_is_another_and_only_then(
    synced: Path, fake_uv: FakeUv, run: Run, path: str, command: list[str]
) -> None:
    workspace = '[tool.uv.workspace]\nmembers = ["member"]\n[project]\nname = "demo"\nversion = "0"\n'
    if path.startswith("member"):
        add(synced, "pyproject.toml", workspace)
        staging.quietly(synced, "branch", "--force", "theirs")
    theirs(synced, path, workspace if path == "pyproject.toml" else "# theirs\n")

    done = run("git", *command, cwd=synced)

    assert done.returncode == 0, done.stderr
    if path in ("README.md", "src/uv.lock.md"):
        assert fake_uv.calls == []
    else:
        assert fake_uv.call.argv == ["sync", "--project", str(synced)]
        assert fake_uv.call.env["UV_PROJECT_ENVIRONMENT"] == expand(OLD)


def test_a_rebase_of_own_commits_syncs_once_at_its_end(synced: Path, fake_uv: FakeUv, run: Run) -> None:
    theirs(synced, "uv.lock", "theirs")
    add(synced, "mine", "mine")
    assert run("git", "rebase", "theirs", cwd=synced).returncode == 0
    assert fake_uv.call.argv[0] == "sync"


def test_an_amended_commit_syncs_if_it_changes_what_counts(synced: Path, fake_uv: FakeUv, git: Git) -> None:
    git(synced, "commit", "--quiet", "--amend", "--message", "another message")
    assert fake_uv.calls == []
    (synced / "uv.lock").write_text("mine")
    git(synced, "add", "uv.lock")
    git(synced, "commit", "--quiet", "--amend", "--message", "another message")
    assert fake_uv.call.argv[0] == "sync"


def test_a_changed_env_file_is_taken_over_first(synced: Path, fake_uv: FakeUv, run: Run) -> None:
    staging.quietly(synced, "switch", "--quiet", "theirs")
    staging.commit(synced, NEW)
    staging.quietly(synced, "switch", "--quiet", "main")
    assert run("git", "switch", "theirs", cwd=synced).returncode == 0
    assert registered() == {str(synced): NEW}
    assert fake_uv.call.env["UV_PROJECT_ENVIRONMENT"] == expand(NEW)


def test_restored_files_and_continuous_integration_sync_nothing(synced: Path, fake_uv: FakeUv, run: Run) -> None:
    theirs(synced, "uv.lock", "theirs")
    assert run("git", "checkout", "theirs", "--", "uv.lock", cwd=synced).returncode == 0
    assert run("git", "switch", "--force", "theirs", cwd=synced, env={"CI": "true"}).returncode == 0
    assert fake_uv.calls == []


def test_a_sync_that_fails_is_told_and_fails_no_checkout(synced: Path, fake_uv: FakeUv, run: Run) -> None:
    theirs(synced, "uv.lock", "theirs")
    fake_uv.exits(1)
    done = run("git", "switch", "theirs", cwd=synced)
    assert done.returncode == 0
    assert f"uv sync failed (exit code 1); try again: uve sync --project {str(synced)!r}" in done.stderr


def test_a_project_that_names_no_environment_is_left_alone(synced: Path, fake_uv: FakeUv, run: Run) -> None:
    staging.quietly(synced, "rm", "--quiet", ".env.uve")
    staging.quietly(synced, "commit", "--message", "none")
    theirs(synced, "uv.lock", "theirs")
    assert run("git", "merge", "--no-edit", "theirs", cwd=synced).returncode == 0
    assert fake_uv.calls == []


def test_a_new_worktree_gets_its_own_environment_before_anything_is_installed(
    synced: Path, fake_uv: FakeUv, run: Run
) -> None:
    worktree = synced.parent / "worktree"
    assert run("git", "worktree", "add", worktree, cwd=synced).returncode == 0
    own = generate_venv_path(worktree)
    assert registered() == {str(synced): OLD, str(worktree): own}
    assert fake_uv.call.argv == ["sync", "--project", str(worktree)]
    assert fake_uv.call.env["UV_PROJECT_ENVIRONMENT"] == expand(own)


def test_an_environment_of_another_checkout_is_never_synced_into(synced: Path, fake_uv: FakeUv, run: Run) -> None:
    worktree = synced.parent / "worktree"
    staging.quietly(synced, "worktree", "add", worktree)
    (worktree / ".env.uve.local").write_text(f"UV_PROJECT_ENVIRONMENT={OLD}\n")
    done = run("prime-uve-hook", "sync", "post-checkout", ZEROS, "HEAD", "1", cwd=worktree)
    assert done.returncode == 0
    assert f"not synced: {OLD!r} belongs to {str(synced)!r}" in done.stderr
    assert fake_uv.calls == []


def test_uv_is_not_told_which_repository_git_runs_a_hook_for(synced: Path, fake_uv: FakeUv, run: Run) -> None:
    theirs(synced, "uv.lock", "theirs")
    variables = {"GIT_DIR": str(synced / ".git"), "GIT_INDEX_FILE": str(synced / ".git/index"), "GIT_PREFIX": "x"}
    oids = [staging.quietly(synced, "rev-parse", name).strip() for name in ("main", "theirs")]
    done = run("prime-uve-hook", "sync", "post-checkout", *oids, "1", cwd=synced, env=variables)
    assert done.returncode == 0, done.stderr
    assert not variables.keys() & fake_uv.call.env.keys()
    assert "GIT_CONFIG_GLOBAL" in fake_uv.call.env


@pytest.mark.parametrize(
    ("variables", "calls"),
    [
        ({"PRE_COMMIT_FROM_REF": "main", "PRE_COMMIT_TO_REF": "theirs", "PRE_COMMIT_CHECKOUT_TYPE": "1"}, 1),
        ({"PRE_COMMIT_FROM_REF": "main", "PRE_COMMIT_TO_REF": "main", "PRE_COMMIT_CHECKOUT_TYPE": "1"}, 0),
        ({"PRE_COMMIT_FROM_REF": "main", "PRE_COMMIT_TO_REF": "theirs", "PRE_COMMIT_CHECKOUT_TYPE": "0"}, 0),
        ({"PRE_COMMIT_FROM_REF": ZEROS, "PRE_COMMIT_TO_REF": "main", "PRE_COMMIT_CHECKOUT_TYPE": "1"}, 1),
        ({"PRE_COMMIT_FROM_REF": "gone", "PRE_COMMIT_TO_REF": "main", "PRE_COMMIT_CHECKOUT_TYPE": "1"}, 0),
    ],
    ids=["another lock", "the same", "files only", "a first checkout", "a revision that is not there"],
)
def test_what_a_framework_tells_of_a_checkout_counts(
    synced: Path, fake_uv: FakeUv, run: Run, variables: dict[str, str], calls: int
) -> None:
    theirs(synced, "uv.lock", "theirs")
    assert run("prime-uve-hook", "sync", cwd=synced, env=variables).returncode == 0
    assert len(fake_uv.calls) == calls


def test_real_uv_makes_the_environment_outside(local_package: Path, run: Run, git: Git, home: Path) -> None:
    git(local_package, "init", "--quiet")
    run("prime-uve", "init", cwd=local_package)
    git(local_package, "add", ".")
    git(local_package, "commit", "--quiet", "--message", "x")
    worktree = local_package.parent / "worktree"
    git(local_package, "worktree", "add", "--quiet", worktree)
    done = run("prime-uve-hook", "sync", "post-checkout", ZEROS, "HEAD", "1", cwd=worktree, env={"UV_OFFLINE": "1"})
    assert done.returncode == 0, done.stderr
    (environment,) = (home / "prime-uve/venvs").iterdir()
    assert str(environment) == expand(generate_venv_path(worktree))
    assert (environment / "bin/greet").is_file()
    assert ".venv" not in tree(worktree)
    assert git(worktree, "status", "--porcelain", "--", ".env.uve", ".env.uve.local") == ""
