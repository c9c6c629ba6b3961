"""Hooks in Git's own configuration, which Git 2.54 and newer run in every repository.

Where this machine's Git is older, a program in its place says another version and hands all else on: what is written is
shown then, and not that it is run.
"""

import os
import shutil
from pathlib import Path

import pytest

from prime_uve.core.hooks import configured as ours
from prime_uve.core.hooks.text import EVENTS
from prime_uve.errors import ProjectError, RefusalError
from tests import staging
from tests.commands import SCRIPTS, Git, Run
from tests.native import script
from tests.staging import OLD, registered, stage

GIT = shutil.which("git") or ""
TOOL = str(SCRIPTS / "prime-uve-hook")
IS_NEW = ours.git_version(os.curdir) >= ours.OLDEST_GIT
runs_them = pytest.mark.skipif(not IS_NEW, reason="only Git 2.54 and newer runs hooks of its configuration")


def say_version(folder: Path, version: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Put a ``git`` first on PATH that is the real one, but for what it says of its version."""
    body = f'case " $* " in *" version "*) echo "{version}" ;; *) exec {GIT} "$@" ;; esac'
    script(folder / "bin/git", body)
    monkeypatch.setenv("PATH", str(folder / "bin"), prepend=os.pathsep)


@pytest.fixture
def settings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return this account's configuration of Git, of its own for this test, and a Git that knows configured hooks."""
    path = tmp_path / "gitconfig"
    path.write_bytes(Path(os.environ["GIT_CONFIG_GLOBAL"]).read_bytes())
    monkeypatch.setenv("GIT_CONFIG_GLOBAL", str(path))
    if not IS_NEW:
        say_version(tmp_path, "git version 2.54.0", monkeypatch)
    return path


VERSIONS = {
    "git version 2.39.5": (2, 39),
    "git version 2.54.0": (2, 54),
    "git version 2.54.0.windows.1": (2, 54),
    "git version 2.55.0-rc1": (2, 55),
    "git version 2.50.1 (Apple Git-155)": (2, 50),
    "git version 3.0.0": (3, 0),
    "hello": (),
}


@pytest.mark.parametrize(("said", "version"), VERSIONS.items())
def test_git_says_its_version_in_many_ways(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, said: str, version: tuple[int, ...]
) -> None:
    say_version(tmp_path, said, monkeypatch)
    assert ours.git_version(str(tmp_path)) == version


@pytest.mark.parametrize("version", ["2.39.5", "2.53.9"])
def test_an_old_git_is_refused_and_nothing_is_written(
    settings: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, version: str
) -> None:
    say_version(tmp_path / "old", f"git version {version}", monkeypatch)
    before = settings.read_bytes()
    with pytest.raises(RefusalError, match=r"takes no hooks from its configuration, Git 2\.54 does; update Git, or"):
        ours.install(str(tmp_path), TOOL)
    assert settings.read_bytes() == before
    settings.write_text('[hook "prime-uve-pre-commit"]\nevent = pre-commit\ncommand = prime-uve-hook pre-commit\n')
    assert ours.configured(str(tmp_path)) == [], "it does not run them"


def test_a_tool_that_is_not_there_is_refused(settings: Path, tmp_path: Path) -> None:
    before = settings.read_bytes()
    with pytest.raises(RefusalError, match="install it: uv tool install prime-uve"):
        ours.install(str(tmp_path), "")
    assert settings.read_bytes() == before


def test_each_event_is_configured_once_and_taken_out_again(settings: Path, tmp_path: Path) -> None:
    before = settings.read_bytes()
    assert ours.install(str(tmp_path), TOOL) == dict.fromkeys(EVENTS, True)
    after = settings.read_bytes()
    assert ours.install(str(tmp_path), TOOL) == dict.fromkeys(EVENTS, False)
    assert settings.read_bytes() == after
    assert [(hook.name, hook.events) for hook in ours.configured(str(tmp_path))] == [
        (f"prime-uve-{event}", (event,)) for event in EVENTS
    ]
    assert all(TOOL in hook.command for hook in ours.configured(str(tmp_path)))
    assert ours.uninstall(str(tmp_path)) == dict.fromkeys(EVENTS, True)
    assert settings.read_bytes() == before
    assert ours.uninstall(str(tmp_path)) == dict.fromkeys(EVENTS, False)


def test_an_older_command_is_brought_up_to_date_and_other_settings_stay(
    settings: Path, tmp_path: Path, git: Git
) -> None:
    git(tmp_path, "config", "--global", "hook.linter.command", "lint")
    git(tmp_path, "config", "--global", "hook.linter.event", "pre-commit")
    before = settings.read_bytes()
    ours.install(str(tmp_path), "/gone/prime-uve-hook")
    git(tmp_path, "config", "--global", "hook.prime-uve-post-merge.enabled", "false")
    assert ours.install(str(tmp_path), TOOL) == dict.fromkeys(EVENTS, True)
    assert {hook.name for hook in ours.configured(str(tmp_path))} == {
        "linter",
        *(f"prime-uve-{event}" for event in EVENTS if event != "post-merge"),
    }
    ours.uninstall(str(tmp_path))
    git(tmp_path, "config", "--global", "--unset", "hook.prime-uve-post-merge.enabled")
    assert settings.read_bytes() == before


CONFIGURED = {
    "one hook, two events": ('[hook "a"]\nevent = x\nevent = y\ncommand = c\n', [("a", ("x", "y"))]),
    "the last command counts": ('[hook "a"]\nevent = x\ncommand = b\ncommand = c\n', [("a", ("x",))]),
    "an empty event takes back": ('[hook "a"]\nevent = x\nevent =\nevent = y\ncommand = c\n', [("a", ("y",))]),
    "a hook is off": ('[hook "a"]\nevent = x\ncommand = c\nenabled = no\n', []),
    "a hook is on again": ('[hook "a"]\nevent = x\ncommand = c\nenabled = no\nenabled = yes\n', [("a", ("x",))]),
    "an event is off": ('[hook "a"]\nevent = x\nevent = y\ncommand = c\n[hook "x"]\nenabled = 0\n', [("a", ("y",))]),
    "no command": ('[hook "a"]\nevent = x\n', []),
    "no event": ('[hook "a"]\ncommand = c\n', []),
    "a name with dots": ('[hook "a.b"]\nevent = x\ncommand = c\n', [("a.b", ("x",))]),
    "a setting of another kind": ("[hook]\njobs = 2\n", []),
}


@pytest.mark.parametrize(("text", "found"), CONFIGURED.values(), ids=CONFIGURED)
def test_what_is_configured_is_read_as_git_does(
    settings: Path, tmp_path: Path, text: str, found: list[tuple[str, tuple[str, ...]]]
) -> None:
    settings.write_text(text)
    assert [(hook.name, hook.events) for hook in ours.configured(str(tmp_path))] == found
    assert {hook.command for hook in ours.configured(str(tmp_path))} <= {"c"}


def test_a_configuration_that_cannot_be_written_is_an_error(settings: Path, tmp_path: Path) -> None:
    settings.with_name("gitconfig.lock").touch()  # another git writes
    with pytest.raises(ProjectError, match="git config failed"):
        ours.install(str(tmp_path), TOOL)


@pytest.mark.parametrize("code", [0, 1, 2, 126, 127])
def test_the_command_hands_on_what_git_gives_and_only_a_missing_tool_is_forgiven(
    tmp_path: Path, run: Run, code: int
) -> None:
    tool = script(tmp_path / "it's a tool", f'printf "%s|" "$@" > "$OUT"; exit {code}')
    # As Git does with a line of shell and arguments.
    line = ours.command(str(tool), "post-merge") + ' "$@"'
    done = run("/bin/sh", "-c", line, "sh", "a b", "*", cwd=tmp_path, env={"OUT": str(tmp_path / "out")})
    assert (tmp_path / "out").read_text() == "post-merge|a b|*|"
    assert done.returncode == (code if code < 126 else 0)
    assert ("so post-merge did nothing" in done.stderr) == (code >= 126)
    tool.unlink()
    done = run("/bin/sh", "-c", line, "sh", cwd=tmp_path)
    assert done.returncode == 0
    assert "git config --global --remove-section hook.prime-uve-post-merge" in done.stderr


@runs_them
class TestRealGit:
    def test_every_repository_is_checked_and_registered(self, settings: Path, repo: Path, run: Run, git: Git) -> None:
        assert settings.exists()
        assert run("prime-uve", "hook", "install", "--global", cwd=repo).returncode == 0
        assert run("prime-uve", "hook", "status", cwd=repo).returncode == 0
        stage(repo, OLD)
        assert run("git", "commit", "--message", "x", cwd=repo).returncode == 0
        assert registered() == {str(repo): OLD}
        stage(repo, "/opt/venv")
        done = run("git", "commit", "--message", "x", cwd=repo)
        assert (done.returncode, "is not portable" in done.stderr) == (1, True)
        git(repo, "reset", "--quiet", "--hard")
        registry = registered()
        clone = repo.parent / "clone"
        done = run("git", "clone", repo, clone, cwd=repo)
        assert (done.returncode, f"prime-uve init {str(clone)!r}" in done.stderr or registered() != registry) == (
            0,
            True,
        )
        assert run("prime-uve", "hook", "uninstall", "--global", cwd=repo).returncode == 0
        assert run("prime-uve", "hook", "status", cwd=repo).returncode == 1
        stage(repo, "/opt/venv")
        assert run("git", "commit", "--message", "x", cwd=repo).returncode == 0

    def test_a_tool_that_is_gone_stops_nothing(self, settings: Path, repo: Path, run: Run) -> None:
        assert settings.exists()
        ours.install(str(repo), "/gone/prime-uve-hook")
        staging.stage(repo, OLD)
        done = run("git", "commit", "--message", "x", cwd=repo)
        assert (done.returncode, "prime-uve-hook is gone, so pre-commit did nothing" in done.stderr) == (0, True)
