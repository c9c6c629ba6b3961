"""``prime-uve-hook``: the verbs, the events, and what Git and the frameworks tell about them."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from prime_uve import hook
from prime_uve.core import change
from prime_uve.core.cache import Cache
from prime_uve.core.paths import generate_venv_path
from tests import staging
from tests.commands import Git, Run
from tests.core import writers
from tests.native import script
from tests.staging import NEW, OLD, registered, stage

CHECKING = ["check", "pre-commit", "pre-merge-commit"]
REGISTERING = ["register", "post-checkout", "post-merge", "post-rewrite", "post-commit"]


@pytest.fixture
def named(repo: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return a repository in which ``OLD`` is committed and not registered, and be in it."""
    staging.commit(repo, OLD)
    monkeypatch.chdir(repo)
    return repo


@pytest.fixture
def branched(repo: Path) -> Path:
    """Return a registered repository with all hooks, which says ``OLD`` on ``main`` and ``NEW`` on ``theirs``."""
    staging.commit(repo, OLD)
    staging.quietly(repo, "switch", "--quiet", "--create", "theirs")
    staging.commit(repo, NEW)
    staging.quietly(repo, "switch", "--quiet", "main")
    (repo / "mine").touch()
    staging.quietly(repo, "add", ".")
    staging.quietly(repo, "commit", "--message", "mine")
    Cache().add_mapping(repo, OLD, "demo", "00000000")
    staging.install_hooks(repo)
    return repo


class TestCommandLine:
    @pytest.mark.parametrize("option", ["-h", "--help"])
    def test_help_is_on_stdout(self, option: str, capsys: pytest.CaptureFixture[str]) -> None:
        assert hook.main([option]) == 0
        assert capsys.readouterr() == (hook.USAGE, "")

    @pytest.mark.parametrize(
        "argv",
        [
            [],
            [""],
            ["chek"],
            ["check", "--fxi"],
            ["check", "."],
            ["register", "x"],
            ["--fix"],
            ["commit-msg", "file"],
            ["pre-push", "origin", "url"],
        ],
        ids=repr,
    )
    def test_what_is_not_understood_is_usage(
        self, argv: list[str], named: Path, capsys: pytest.CaptureFixture[str]
    ) -> None:
        assert named == Path.cwd()
        assert hook.main(argv) == 2
        assert capsys.readouterr() == ("", hook.USAGE)
        assert registered() == {}

    def test_the_usage_names_every_event_that_is_understood(self) -> None:
        for event in (*hook.CHECKING_EVENTS, *change.EVENTS):
            assert event in hook.USAGE

    def test_the_words_of_the_command_are_the_default(
        self, named: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
    ) -> None:
        monkeypatch.setattr(sys, "argv", ["prime-uve-hook", "check"])
        assert hook.main() == 0
        assert capsys.readouterr() == ("", f"prime-uve: registered {str(named)!r} with {OLD!r}\n")

    @pytest.mark.parametrize("verb", [*CHECKING, *REGISTERING])
    def test_a_good_project_is_registered_once_and_silently_passed_then(
        self, verb: str, named: Path, capsys: pytest.CaptureFixture[str]
    ) -> None:
        assert hook.main([verb]) == 0
        assert registered() == {str(named): OLD}
        assert capsys.readouterr() == ("", f"prime-uve: registered {str(named)!r} with {OLD!r}\n")
        assert hook.main([verb]) == 0
        assert capsys.readouterr() == ("", "")

    @pytest.mark.parametrize("verb", [*CHECKING, *REGISTERING])
    def test_a_wrong_file_fails_what_checks_and_only_that(
        self, verb: str, named: Path, capsys: pytest.CaptureFixture[str]
    ) -> None:
        stage(named, "/opt/venv")
        assert hook.main([verb]) == (verb in CHECKING)
        assert "/opt/venv" in capsys.readouterr().err
        assert registered() == {}

    @pytest.mark.parametrize("verb", ["check", "register"])
    @pytest.mark.parametrize("folder", ["project", "sub", "plain"])
    def test_any_folder_of_a_checkout_will_do_and_no_other(self, verb: str, folder: str, repo: Path, run: Run) -> None:
        staging.commit(repo, OLD)
        place = {"project": repo, "sub": repo / "a/b", "plain": repo.parent / "plain"}[folder]
        place.mkdir(parents=True, exist_ok=True)
        done = run("prime-uve-hook", verb, cwd=place)
        if folder == "plain":
            outside = f"prime-uve: {str(place)!r} is in no Git checkout; make one: git init\n"
            assert (done.returncode, done.stderr) == (2, outside)
        else:
            assert (done.returncode, registered()) == (0, {str(repo): OLD})

    def test_a_checkout_may_be_reached_through_a_link(self, named: Path, run: Run) -> None:
        link = named.parent / "link"
        link.symlink_to(named)
        assert run("prime-uve-hook", "check", cwd=link, env={"PWD": str(link)}).returncode == 0
        assert registered() == {str(named): OLD}

    def test_a_folder_that_is_gone_is_one_sentence(self, named: Path, run: Run) -> None:
        (named / "gone").mkdir()
        script = 'cd gone && rmdir ../gone && exec prime-uve-hook "$@"'
        done = run("sh", "-c", script, "sh", "check", cwd=named)
        assert done.returncode == 2
        assert done.stderr.splitlines()[-1].startswith("prime-uve: the working directory is gone")

    @pytest.mark.parametrize("verb", ["check", "register"])
    def test_without_git_there_is_one_sentence(self, verb: str, named: Path, run: Run) -> None:
        done = run("prime-uve-hook", verb, cwd=named, env={"PATH": str(named)})
        assert (done.returncode, done.stderr) == (2, "prime-uve: git is not on PATH; install Git\n")

    def test_a_damaged_index_is_gits_to_tell(self, named: Path, run: Run) -> None:
        (named / ".git/index").write_bytes(b"DIRC")
        done = run("prime-uve-hook", "check", cwd=named)
        assert done.returncode == 2
        assert f"git ls-files failed in {str(named)!r} (exit code 128)" in done.stderr

    def test_fix_mends_and_still_stops_what_is_staged(self, named: Path, capsys: pytest.CaptureFixture[str]) -> None:
        path = stage(named, "/home/joe/prime-uve/venvs/demo")
        assert hook.main(["check", "--fix"]) == 1
        mended, problem = capsys.readouterr().err.splitlines()
        assert mended.endswith(f"; stage it: git add {str(path)!r}")
        assert "is not portable" in problem
        assert path.read_text() == "UV_PROJECT_ENVIRONMENT=${HOME}/prime-uve/venvs/demo\n"
        stage(named, path.read_bytes())
        assert hook.main(["check", "--fix"]) == 0

    def test_fix_goes_on_after_a_file_that_it_cannot_mend(
        self, named: Path, capsys: pytest.CaptureFixture[str]
    ) -> None:
        stage(named / "a", b"'")
        path = stage(named / "b", "/home/joe/prime-uve/venvs/demo")
        assert hook.main(["check", "--fix"]) == 1
        said = capsys.readouterr().err
        assert "a quote" in said
        assert f"fixed {str(path)!r}" in said


class TestContinuousIntegration:
    @pytest.mark.parametrize("value", ["1", "true", "True", "yes", "woodpecker"])
    def test_where_ci_is_set_nothing_is_registered(
        self, value: str, named: Path, home: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
    ) -> None:
        monkeypatch.setenv("CI", value)
        for verb in ("check", "register"):
            assert hook.main([verb]) == 0
        assert capsys.readouterr() == ("", "")
        assert list(home.iterdir()) == []
        stage(named, "/opt/venv")
        assert hook.main(["check"]) == 1

    @pytest.mark.parametrize("value", ["", "0", "false", "False"])
    def test_where_ci_says_no_it_is_not_set(self, value: str, named: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("CI", value)
        assert hook.main(["check"]) == 0
        assert registered() == {str(named): OLD}


# What tells a hook which event it runs for, and whether Git brings what is committed then.
EVENTS: dict[str, tuple[list[str], dict[str, str], bool]] = {
    "checkout of a branch, native": (["post-checkout", "a", "b", "1"], {}, True),
    "checkout of a branch, framework": (["register"], {"PRE_COMMIT_CHECKOUT_TYPE": "1"}, True),
    "checkout of a file, native": (["post-checkout", "a", "b", "0"], {}, False),
    "checkout of a file, framework": (["register"], {"PRE_COMMIT_CHECKOUT_TYPE": "0"}, False),
    "merge, native": (["post-merge", "0"], {}, True),
    "merge, pre-commit": (["register"], {"PRE_COMMIT_IS_SQUASH_MERGE": "0"}, True),
    "merge, prek": (["register"], {"PREK_HOOK_STAGE": "post-merge"}, True),
    "squashed merge, prek": (["register"], {"PRE_COMMIT_SQUASH_MERGE": "1", "PREK_HOOK_STAGE": "post-merge"}, True),
    "commit, prek": (["register"], {"PREK_HOOK_STAGE": "post-commit"}, False),
    "by hand, prek": (["register"], {"PREK_HOOK_STAGE": "manual"}, False),
    "rebase, native": (["post-rewrite", "rebase"], {}, True),
    "rebase, framework": (["register"], {"PRE_COMMIT_REWRITE_COMMAND": "rebase"}, True),
    "amended commit, native": (["post-rewrite", "amend"], {}, False),
    "amended commit, framework": (["register"], {"PRE_COMMIT_REWRITE_COMMAND": "amend"}, False),
    "commit, native": (["post-commit"], {}, False),
    "commit, framework": (["register"], {"PRE_COMMIT": "1"}, False),
}


def _put_folder(path: Path) -> None:
    path.unlink()
    path.mkdir()


def _put_fifo(path: Path) -> None:
    path.unlink()
    os.mkfifo(path)


class TestEvents:
    @pytest.mark.parametrize("event", EVENTS)
    def test_a_change_is_taken_over_if_the_event_brings_it(
        self, event: str, named: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
    ) -> None:
        argv, variables, is_brought = EVENTS[event]
        for name, value in variables.items():
            monkeypatch.setenv(name, value)
        Cache().add_mapping(named, NEW, "demo", "11111111")
        assert hook.main(argv) == 0
        assert registered() == {str(named): OLD if is_brought else NEW}
        said = capsys.readouterr().err
        if is_brought:
            assert said == f"prime-uve: registered {str(named)!r} with {OLD!r}; {NEW!r} is now unused\n"
        elif "checkout of a file" in event:
            assert said == ""
        else:
            assert "prime-uve register --accept" in said

    @pytest.mark.parametrize("event", [event for event, (_, _, is_brought) in EVENTS.items() if is_brought])
    def test_an_edit_that_is_carried_along_is_not_taken_over(
        self, event: str, named: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        argv, variables, _ = EVENTS[event]
        for name, value in variables.items():
            monkeypatch.setenv(name, value)
        Cache().add_mapping(named, OLD, "demo", "00000000")
        for carry in (staging.write, stage):
            carry(named, NEW)
            assert hook.main(argv) == 0
            assert registered() == {str(named): OLD}

    @pytest.mark.parametrize("name", ["sub folder", ":(top)x", "[ab]", "ünï"])
    def test_a_project_in_a_folder_of_any_name_is_taken_over(self, name: str, named: Path) -> None:
        staging.commit(named / name, OLD)
        Cache().add_mapping(named / name, "${HOME}/prime-uve/venvs/before", "demo", "00000000")
        Cache().add_mapping(named, NEW, "demo", "00000000")
        staging.commit(named, NEW)
        assert hook.main(["post-merge", "0"]) == 0
        assert registered() == {str(named / name): OLD, str(named): NEW}

    @pytest.mark.parametrize(
        ("prepare", "said"),
        [
            (Path.unlink, ""),
            (lambda path: path.write_text("A=1\n"), ""),
            (lambda path: path.write_text("'"), "not registered: "),
            (lambda path: path.write_text("UV_PROJECT_ENVIRONMENT=/opt/venv\n"), "not registered: "),
            (_put_folder, ".env.uve"),
            (_put_fifo, "is not a file"),
        ],
        ids=["is gone", "names nothing", "does not parse", "names a place outside", "is a folder", "is a FIFO"],
    )
    def test_a_file_that_names_nothing_usable_fails_no_event(
        self, named: Path, prepare: staging.Change, said: str, capsys: pytest.CaptureFixture[str]
    ) -> None:
        prepare(named / ".env.uve")
        assert hook.main(["post-checkout", "a", "b", "1"]) == 0
        captured = capsys.readouterr().err
        assert said in captured
        assert bool(said) == bool(captured)
        assert registered() == {}

    @pytest.mark.parametrize("content", ["{", '{"version": "9.0"}', "[]"], ids=["damaged", "newer", "foreign"])
    def test_a_registry_that_cannot_be_used_fails_no_event(
        self, named: Path, content: str, capsys: pytest.CaptureFixture[str]
    ) -> None:
        assert named == Path.cwd()
        Cache().path.parent.mkdir()
        Cache().path.write_text(content)
        assert hook.main(["post-merge", "0"]) == 0
        assert "cache.json" in capsys.readouterr().err


class TestGit:
    """Real hooks of real Git: the script of this project under the name of each event."""

    @pytest.mark.parametrize(
        "command",
        [
            ["checkout", "theirs"],
            ["switch", "theirs"],
            ["checkout", "--detach", "theirs"],
            ["merge", "--ff", "theirs"],
            ["merge", "--no-ff", "--no-edit", "theirs"],
            ["pull", "--no-rebase", "--no-edit", ".", "theirs"],
            ["pull", "--rebase", ".", "theirs"],
            ["rebase", "theirs"],
        ],
        ids=" ".join,
    )
    def test_what_it_brings_is_registered_without_a_question(
        self, branched: Path, run: Run, command: list[str]
    ) -> None:
        done = run("git", *command, cwd=branched)
        assert done.returncode == 0, done.stderr
        assert registered() == {str(branched): NEW}
        assert f"{OLD!r} is now unused" in done.stderr
        assert run("git", "commit", "--allow-empty", "--message", "x", cwd=branched).returncode == 0

    def test_a_fast_forward_is_registered(self, branched: Path, run: Run) -> None:
        staging.quietly(branched, "reset", "--quiet", "--hard", "HEAD~")
        assert run("git", "merge", "--ff-only", "theirs", cwd=branched).returncode == 0
        assert registered() == {str(branched): NEW}

    def test_there_and_back_again(self, branched: Path, run: Run) -> None:
        for branch, value in (("theirs", NEW), ("main", OLD)):
            run("git", "switch", branch, cwd=branched)
            assert registered() == {str(branched): value}

    def test_a_merge_that_was_finished_by_hand_is_registered(self, branched: Path, run: Run, git: Git) -> None:
        git(branched, "merge", "--no-commit", "theirs")
        assert registered() == {str(branched): OLD}
        assert run("git", "commit", "--no-edit", cwd=branched).returncode == 0
        assert registered() == {str(branched): NEW}

    @pytest.mark.parametrize("args", [[], ["--amend"]], ids=["commit", "amended commit"])
    def test_ones_own_change_is_not_taken_over_when_the_check_is_skipped(
        self, branched: Path, run: Run, args: list[str]
    ) -> None:
        stage(branched, NEW)
        assert run("git", "commit", "--message", "x", *args, cwd=branched).returncode == 1
        done = run("git", "commit", "--no-verify", "--message", "x", *args, cwd=branched)
        assert done.returncode == 0
        assert "prime-uve register --accept" in done.stderr
        assert registered() == {str(branched): OLD}

    def test_an_edit_that_a_switch_carries_along_is_not_taken_over(self, branched: Path, run: Run) -> None:
        staging.quietly(branched, "branch", "same")
        staging.write(branched, NEW)
        done = run("git", "switch", "same", cwd=branched)
        assert done.returncode == 0
        assert "prime-uve register --accept" in done.stderr
        assert registered() == {str(branched): OLD}

    def test_restoring_a_file_changes_nothing(self, branched: Path, run: Run) -> None:
        done = run("git", "checkout", "theirs", "--", ".env.uve", cwd=branched)
        assert (done.returncode, done.stderr) == (0, "")
        assert registered() == {str(branched): OLD}

    def test_a_clone_of_a_new_project_is_registered(self, repo: Path, tmp_path: Path, run: Run) -> None:
        staging.commit(repo, OLD)
        template = tmp_path / "template"
        (template / ".git").mkdir(parents=True)
        staging.install_hooks(template, "post-checkout")
        done = run("git", "clone", f"--template={template}/.git", repo, tmp_path / "clone", cwd=tmp_path)
        assert done.returncode == 0, done.stderr
        assert registered() == {str(tmp_path / "clone"): OLD}

    @pytest.mark.parametrize(
        "command",
        [["cherry-pick", "theirs"], ["revert", "--no-edit", "theirs~0"], ["merge", "--squash", "theirs"]],
        ids=lambda command: command[0],
    )
    def test_what_another_commit_did_is_taken_over_and_the_next_commit_passes(
        self, branched: Path, run: Run, command: list[str]
    ) -> None:
        expected = NEW
        if command[0] == "revert":
            run("git", "merge", "--no-edit", "theirs", cwd=branched)
            assert registered() == {str(branched): NEW}
            expected = OLD
        done = run("git", *command, cwd=branched)
        assert done.returncode == 0, done.stderr
        assert registered() == {str(branched): expected}
        assert run("git", "commit", "--allow-empty", "--message", "next", cwd=branched).returncode == 0

    def test_a_commit_after_a_reset_to_another_path_passes_and_takes_it_over(self, branched: Path, run: Run) -> None:
        staging.quietly(branched, "reset", "--quiet", "--hard", "theirs")
        assert registered() == {str(branched): OLD}
        done = run("git", "commit", "--allow-empty", "--message", "next", cwd=branched)
        assert (done.returncode, f"{OLD!r} is now unused" in done.stderr) == (0, True)
        assert registered() == {str(branched): NEW}

    def test_a_registry_that_was_changed_by_hand_stops_a_commit_of_a_committed_file(
        self, branched: Path, run: Run
    ) -> None:
        staging.quietly(branched, "reset", "--quiet", "--hard", "HEAD")
        Cache().add_mapping(branched, NEW, "demo", "11111111")
        done = run("git", "commit", "--allow-empty", "--message", "next", cwd=branched)
        assert (done.returncode, "prime-uve register --accept" in done.stderr) == (1, True)
        assert registered() == {str(branched): NEW}

    def test_ones_own_unchecked_change_still_stops_the_next_commit(self, branched: Path, run: Run) -> None:
        stage(branched, NEW)
        staging.quietly(branched, "commit", "--message", "mine")
        done = run("git", "commit", "--allow-empty", "--message", "next", cwd=branched)
        assert (done.returncode, registered()) == (1, {str(branched): OLD})

    def test_an_edit_that_was_staged_before_a_squash_is_not_taken_over(self, branched: Path, run: Run) -> None:
        staging.quietly(branched, "switch", "--quiet", "--create", "other")
        (branched / "more").touch()
        staging.quietly(branched, "add", "more")
        staging.quietly(branched, "commit", "--message", "more")
        staging.quietly(branched, "switch", "--quiet", "main")
        stage(branched, NEW)
        done = run("git", "merge", "--squash", "other", cwd=branched)
        assert done.returncode == 0, done.stderr
        assert registered() == {str(branched): OLD}

    def test_nothing_is_written_and_nothing_fails_while_a_rebase_waits_for_a_person(
        self, branched: Path, run: Run, git: Git
    ) -> None:
        git(branched, "commit", "--quiet", "--allow-empty", "--message", "x")
        staging.commit(branched, "${HOME}/prime-uve/venvs/mine")
        Cache().add_mapping(branched, "${HOME}/prime-uve/venvs/mine", "demo", "00000000")
        assert run("git", "rebase", "theirs", cwd=branched).returncode == 1  # a conflict
        assert registered() == {str(branched): "${HOME}/prime-uve/venvs/mine"}
        stage(branched, NEW)
        done = run("git", "-c", "core.editor=true", "rebase", "--continue", cwd=branched)
        assert done.returncode == 0, done.stderr
        assert registered() == {str(branched): NEW}


class TestWorktrees:
    @pytest.fixture
    def worktree(self, branched: Path, run: Run) -> Path:
        """Return a worktree of a registered project, just added."""
        folder = branched.parent / "worktree"
        done = run("git", "worktree", "add", folder, cwd=branched)
        assert done.returncode == 0, done.stderr
        (note,) = (line for line in done.stderr.splitlines() if line.startswith("prime-uve: "))
        assert f"belongs to {str(branched)!r}" in note
        assert note.endswith(f"uve sync --project {str(folder)!r}")
        return folder

    def test_a_new_worktree_gets_its_own_environment_and_is_clean(
        self, worktree: Path, branched: Path, git: Git
    ) -> None:
        own = generate_venv_path(worktree)
        assert registered() == {str(branched): OLD, str(worktree): own}
        assert (worktree / ".env.uve.local").read_text() == f"UV_PROJECT_ENVIRONMENT={own}\n"
        for checkout in (branched, worktree):
            assert git(checkout, "status", "--porcelain") == ""

    def test_each_worktree_has_its_own(self, worktree: Path, branched: Path, run: Run) -> None:
        other = branched.parent / "other"
        assert run("git", "worktree", "add", "--detach", other, cwd=worktree).returncode == 0
        assert registered().keys() == {str(branched), str(worktree), str(other)}
        assert len(set(registered().values())) == 3

    def test_commits_in_it_are_checked_and_pass(self, worktree: Path, run: Run) -> None:
        done = run("git", "commit", "--allow-empty", "--message", "mine", cwd=worktree)
        assert done.returncode == 0, done.stderr
        stage(worktree, "/opt/venv")
        assert run("git", "commit", "--message", "mine", cwd=worktree).returncode == 1

    def test_after_it_is_removed_its_mapping_is_orphaned(self, worktree: Path, branched: Path, git: Git) -> None:
        git(branched, "worktree", "remove", worktree)
        results = Cache().validate_all()
        assert results[str(worktree)].is_orphaned
        assert "is gone" in results[str(worktree)].issues[0]

    def test_the_first_worktree_keeps_the_environment_if_it_was_never_registered(
        self, branched: Path, run: Run
    ) -> None:
        Cache().clear()
        worktree = branched.parent / "worktree"
        assert run("git", "worktree", "add", worktree, cwd=branched).returncode == 0
        assert registered() == {str(branched): OLD, str(worktree): generate_venv_path(worktree)}

    def test_a_file_of_the_user_that_names_the_environment_is_left_alone(self, branched: Path, run: Run) -> None:
        worktree = branched.parent / "worktree"
        staging.quietly(branched, "worktree", "add", worktree)
        local = worktree / ".env.uve.local"
        local.write_text(f"UV_PROJECT_ENVIRONMENT={OLD}\n")
        done = run("prime-uve-hook", "post-checkout", "0" * 40, "HEAD", "1", cwd=worktree)
        assert (done.returncode, "prime-uve init" in done.stderr) == (0, True)
        assert local.read_text() == f"UV_PROJECT_ENVIRONMENT={OLD}\n"

    @pytest.mark.parametrize("ref", ["", "HEAD"], ids=["not told", "told"])
    def test_a_checkout_that_is_not_said_to_be_the_first_is_warned_and_left_alone(
        self, branched: Path, run: Run, ref: str
    ) -> None:
        worktree = branched.parent / "worktree"
        staging.quietly(branched, "worktree", "add", worktree)
        told = {"PRE_COMMIT_CHECKOUT_TYPE": "1", "PRE_COMMIT_FROM_REF": ref, "PRE_COMMIT_TO_REF": ref}
        done = run("prime-uve-hook", "register", cwd=worktree, env=told)
        assert (done.returncode, f"prime-uve init {str(worktree)!r}" in done.stderr) == (0, True)
        assert not (worktree / ".env.uve.local").exists()

    def test_a_worktree_of_a_bare_repository_has_none_to_leave_the_environment_to(
        self, branched: Path, run: Run, git: Git
    ) -> None:
        Cache().clear()
        bare = branched.parent / "bare.git"
        git(branched, "clone", "--quiet", "--bare", branched, bare)
        staging.install_hooks_in(bare / "hooks")
        one, two = branched.parent / "one", branched.parent / "two"
        for folder in (one, two):
            assert run("git", "worktree", "add", "--detach", folder, "main", cwd=bare).returncode == 0
        assert registered() == {str(one): OLD, str(two): generate_venv_path(two)}

    def test_projects_of_a_monorepo_each_get_their_own(self, branched: Path, run: Run) -> None:
        staging.commit(branched / "a", "${HOME}/prime-uve/venvs/a")
        Cache().add_mapping(branched / "a", "${HOME}/prime-uve/venvs/a", "a", "00000000")
        worktree = branched.parent / "worktree"
        assert run("git", "worktree", "add", worktree, cwd=branched).returncode == 0
        assert registered()[str(worktree / "a")] == generate_venv_path(worktree / "a")
        assert len(set(registered().values())) == 4

    def test_a_second_clone_gets_its_own(self, branched: Path, tmp_path: Path, run: Run) -> None:
        template = tmp_path / "template"
        staging.install_hooks_in(template / "hooks")
        clone = tmp_path / "clone"
        done = run("git", "clone", f"--template={template}", branched, clone, cwd=tmp_path)
        assert done.returncode == 0, done.stderr
        assert registered() == {str(branched): OLD, str(clone): generate_venv_path(clone)}
        assert run("git", "status", "--porcelain", cwd=clone).stdout == ""

    def test_a_wrong_file_in_a_worktree_is_stopped(self, branched: Path, run: Run) -> None:
        worktree = branched.parent / "worktree"
        staging.quietly(branched, "worktree", "add", worktree)
        stage(worktree, "/opt/venv")
        done = run("git", "commit", "--message", "mine", cwd=worktree)
        assert (done.returncode, "is not portable" in done.stderr) == (1, True)

    def test_a_submodule_is_a_checkout_of_its_own(self, repo: Path, tmp_path: Path, run: Run, git: Git) -> None:
        staging.commit(repo, OLD)
        outer = tmp_path / "outer"
        git(tmp_path, "init", "--quiet", outer)
        git(outer, "submodule", "--quiet", "add", repo, "inner")
        staging.install_hooks(outer)
        assert run("git", "commit", "--message", "x", cwd=outer).returncode == 0
        assert registered() == {}
        hooks = outer / ".git/modules/inner/hooks"
        hooks.mkdir(exist_ok=True)
        (hooks / "pre-commit").symlink_to(outer / ".git/hooks/pre-commit")
        assert run("git", "commit", "--allow-empty", "--message", "x", cwd=outer / "inner").returncode == 0
        assert registered() == {str(outer / "inner"): OLD}
        stage(outer / "inner", "/opt/venv")
        assert run("git", "commit", "--message", "x", cwd=outer / "inner").returncode == 1

    def test_a_detached_head_is_checked_and_registered(self, branched: Path, run: Run) -> None:
        staging.quietly(branched, "checkout", "--quiet", "--detach", "HEAD~")
        assert run("git", "commit", "--allow-empty", "--message", "x", cwd=branched).returncode == 0
        stage(branched, NEW)
        assert run("git", "commit", "--message", "x", cwd=branched).returncode == 1

    def test_a_bare_repository_is_no_checkout(self, tmp_path: Path, run: Run, git: Git) -> None:
        git(tmp_path, "init", "--quiet", "--bare", "bare.git")
        done = run("prime-uve-hook", "check", cwd=tmp_path / "bare.git")
        assert (done.returncode, "is in no Git checkout" in done.stderr) == (2, True)

    def test_the_first_commit_of_a_repository_is_checked_and_registered(
        self, project: Path, run: Run, git: Git
    ) -> None:
        git(project, "init", "--quiet")
        staging.install_hooks(project)
        stage(project, "/opt/venv")
        assert run("git", "commit", "--message", "x", cwd=project).returncode == 1
        stage(project, OLD)
        assert run("git", "commit", "--message", "x", cwd=project).returncode == 0
        assert registered() == {str(project): OLD}

    def test_the_index_that_git_names_is_the_one_that_is_judged(self, named: Path, run: Run, git: Git) -> None:
        other = {"GIT_INDEX_FILE": str(named / ".git/other"), "GIT_DIR": str(named / ".git")}
        git(named, "read-tree", "HEAD", env=other)
        stage(named, "/opt/venv")
        assert run("prime-uve-hook", "check", cwd=named, env=other).returncode == 0
        assert run("prime-uve-hook", "check", cwd=named).returncode == 1

    def test_patterns_that_git_is_told_to_take_literally_hide_nothing(self, branched: Path, run: Run) -> None:
        stage(branched, "/opt/venv")
        assert run("git", "--literal-pathspecs", "commit", "--message", "x", cwd=branched).returncode == 1


COSTLY = {"click", "rich", "filelock", "dotenv", "json", "re", "subprocess", "pathlib", "typing", "dataclasses", "enum"}


@pytest.mark.parametrize("argv", [["check"], ["check", "--fix"], ["pre-commit"], ["register"], ["post-checkout", "1"]])
def test_a_registered_project_costs_no_import_that_a_bare_interpreter_has_not_paid(
    named: Path, argv: list[str]
) -> None:
    assert hook.main(["check"]) == 0
    source = str(Path(hook.__file__).parents[1])
    script = (
        f"import os, sys; before = set(sys.modules); sys.path.insert(0, {source!r})\n"
        f"from prime_uve.hook import main\n"
        f"assert main(sys.argv[1:]) == 0\n"
        f"print(*sorted(set(sys.modules) - before))"
    )
    variables = {name: value for name, value in os.environ.items() if not name.startswith("COV")}
    done = subprocess.run(
        [sys.executable, "-S", "-c", script, *argv],
        cwd=named,
        env=variables | writers.ENVIRONMENT,
        capture_output=True,
        text=True,
        check=True,
    )
    loaded = set(done.stdout.split())
    assert done.stderr == ""
    assert "prime_uve.hook" in loaded
    assert loaded & COSTLY == set()
    # Git's hash of a file needs this, and nothing else is needed.
    assert {name for name in loaded if not name.startswith("prime_uve")} <= {"_sha1"}


@pytest.mark.parametrize("argv", [["check"], ["pre-commit"], ["register"], ["post-checkout", "a", "b", "1"]])
def test_a_registered_project_costs_one_call_of_git(named: Path, tmp_path: Path, run: Run, argv: list[str]) -> None:
    assert hook.main(["check"]) == 0
    script(tmp_path / "bin/git", f'echo "$@" >> {tmp_path}/calls; exec {shutil.which("git")} "$@"')
    path = f"{tmp_path / 'bin'}:{os.environ['PATH']}"
    assert run("prime-uve-hook", *argv, cwd=named, env={"PATH": path}).returncode == 0
    (call,) = (tmp_path / "calls").read_text().splitlines()
    assert " ls-files " in call


@pytest.mark.parametrize("event", ["pre-commit", "post-checkout"])
def test_a_repository_without_a_work_tree_has_nothing_to_check(tmp_path: Path, git: Git, run: Run, event: str) -> None:
    git(tmp_path, "init", "--quiet", "--bare", "bare.git")
    bare = tmp_path / "bare.git"
    done = run("prime-uve-hook", event, cwd=bare, env={"GIT_DIR": str(bare)})
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


def test_an_interrupt_is_no_traceback(repo: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupted() -> str:
        raise KeyboardInterrupt

    monkeypatch.chdir(repo)
    monkeypatch.setattr("prime_uve.hook.working_directory", interrupted)
    assert hook.main(["check"]) == 130
