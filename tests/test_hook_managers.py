"""lefthook and husky from npm, with the lines that the documentation tells."""

import re
import shutil
from pathlib import Path

import pytest
from filelock import FileLock

from prime_uve.core.hooks.status import coverage
from prime_uve.core.hooks.text import EVENTS
from tests import staging
from tests.commands import SCRIPTS, Git, Run
from tests.isolation import ROOT
from tests.staging import NEW, OLD, registered, stage

pytestmark = pytest.mark.slow
DOCUMENT = (ROOT / "docs/hooks.md").read_text()
EMPTY = '{"name": "demo", "version": "1.0.0", "private": true}\n'


def block(language: str, heading: str) -> str:
    """Return the first code of a language below a heading of the document."""
    section = re.split(rf"^#+ {heading}$", DOCUMENT, flags=re.MULTILINE)[1]
    found = re.search(rf"^```{language}\n(.*?)^```$", section, re.DOTALL | re.MULTILINE)
    assert found, f"the document shows no {language} below {heading}"
    return found[1]


@pytest.fixture(scope="session")
def modules(shared: Path) -> Path:
    """Return a folder of npm's with lefthook and husky in it, the same for all workers."""
    if shutil.which("npm") is None:
        pytest.skip("there is no npm")
    from tests.commands import run

    folder = shared / "npm"
    with FileLock(shared / "npm.lock"):
        if not folder.exists():
            folder.mkdir()
            (folder / "package.json").write_text(EMPTY)
            options = [
                "--no-audit",
                "--no-fund",
                "--ignore-scripts",
                "--fetch-retries=0",
                f"--cache={shared / 'npm-cache'}",
            ]
            done = run("npm", "install", *options, "lefthook", "husky", cwd=folder, timeout=300)
            (folder / "failed").write_text(done.stderr if done.returncode else "")
    failure = (folder / "failed").read_text()
    if failure:
        pytest.skip(f"npm cannot install lefthook and husky: {failure.splitlines()[-1]}")
    return folder / "node_modules"


@pytest.fixture
def user(repo: Path, modules: Path) -> Path:
    """Return a repository of somebody who has both installed, which is no reason to commit them."""
    shutil.copytree(modules, repo / "node_modules", symlinks=True)
    (repo / ".git/info/exclude").write_text("node_modules\n")
    for path in (repo / ".git/hooks").iterdir():
        path.unlink()
    return repo


def succeed(run: Run, *command: str | Path, cwd: Path) -> str:
    """Run a command and return what it said; any failure is the test's."""
    done = run(*command, cwd=cwd, env={"PATH": f"{SCRIPTS}:{cwd / 'node_modules/.bin'}:/usr/local/bin:/usr/bin:/bin"})
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout + done.stderr


def with_lefthook(user: Path, run: Run) -> None:
    """Do what the document says for lefthook."""
    (user / "lefthook.yml").write_text(block("yaml", "lefthook"))
    succeed(run, "lefthook", "install", cwd=user)


def with_husky(user: Path, run: Run) -> None:
    """Do what the document says for husky."""
    succeed(run, "husky", cwd=user)
    succeed(run, "sh", "-c", block("sh", "husky"), cwd=user)


@pytest.mark.parametrize("configure", [with_lefthook, with_husky])
def test_the_lines_of_the_document_check_and_register(
    user: Path, tmp_path: Path, run: Run, git: Git, configure: staging.Manager
) -> None:
    configure(user, run)
    (name,) = {event.by for event in coverage(str(user))}
    assert name == (configure.__name__.removeprefix("with_"),)
    stage(user, OLD)
    succeed(run, "git", "commit", "--message", "x", cwd=user)
    assert registered() == {str(user): OLD}
    stage(user, NEW)
    done = run("git", "commit", "--message", "x", cwd=user)
    assert (done.returncode, "prime-uve register --accept" in done.stdout + done.stderr) == (1, True)
    git(user, "checkout", "--quiet", "HEAD", "--", ".env.uve")
    colleague = tmp_path / "colleague"
    git(tmp_path, "clone", "--quiet", user, colleague)
    staging.commit(colleague, NEW)
    succeed(run, "git", "pull", "--ff-only", colleague, "main", cwd=user)
    assert registered() == {str(user): NEW}
    succeed(run, "git", "checkout", "--detach", "HEAD~", cwd=user)
    assert registered() == {str(user): OLD}
    for event in EVENTS:
        assert f"prime-uve-hook {event}" in DOCUMENT


def test_what_lefthook_has_installed_is_kept_and_run_first(user: Path, run: Run) -> None:
    (user / "lefthook.yml").write_text("pre-commit:\n  commands:\n    theirs:\n      run: echo ran >> ../ran\n")
    succeed(run, "lefthook", "install", cwd=user)
    succeed(run, "prime-uve", "hook", "install", cwd=user)
    stage(user, OLD)
    succeed(run, "git", "commit", "--message", "x", cwd=user)
    assert (user.parent / "ran").read_text() == "ran\n"
    assert registered() == {str(user): OLD}
    stage(user, "/opt/venv")
    done = run("git", "commit", "--message", "x", cwd=user)
    assert (done.returncode, "is not portable" in done.stdout + done.stderr) == (1, True)


def test_husky_keeps_its_folder_to_itself(user: Path, run: Run) -> None:
    succeed(run, "husky", cwd=user)
    done = run("prime-uve", "hook", "install", cwd=user)
    assert (done.returncode, "echo 'prime-uve-hook pre-commit \"$@\"' >> .husky/pre-commit" in done.stderr) == (2, True)
