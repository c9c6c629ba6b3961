"""What Git does in a repository in which ``prime-uve hook install`` was run, alone and beside other people's hooks."""

import os
import shutil
import sys
from pathlib import Path

import pytest

from prime_uve.core.cache import Cache
from prime_uve.core.hooks.folder import KEPT
from prime_uve.core.hooks.text import EVENTS, filled, shipped_text
from tests import staging
from tests.commands import SCRIPTS, Git, Run
from tests.native import install, script, uninstall
from tests.privileges import unprivileged
from tests.staging import NEW, OLD, registered, stage
from tests.trees import tree

POOR = {"PATH": "/usr/bin:/bin"}  # what a graphical program gives, which never read the user's profile
WRONG = "/opt/venv"


@pytest.fixture
def hooked(repo: Path) -> Path:
    """Return a repository with our hooks in it."""
    install(repo)
    return repo


@pytest.fixture
def named(hooked: Path) -> Path:
    """Return a repository with our hooks, in which ``OLD`` is committed and registered."""
    staging.commit(hooked, OLD)
    Cache().add_mapping(hooked, OLD, "demo", "00000000")
    return hooked


def commit(folder: Path, run: Run, *args: str, **env: str) -> tuple[int, str]:
    """Commit as a person does; return Git's exit code and what was said."""
    done = run("git", "commit", "--message", "x", *args, cwd=folder, env=env)
    return done.returncode, done.stdout + done.stderr


def test_from_the_first_commit_to_a_colleagues_change(repo: Path, tmp_path: Path, run: Run, git: Git) -> None:
    assert run("prime-uve", "hook", "install", cwd=repo).returncode == 0
    stage(repo, OLD)
    assert commit(repo, run)[0] == 0
    assert registered() == {str(repo): OLD}
    stage(repo, NEW)
    code, said = commit(repo, run)
    assert (code, "prime-uve register --accept" in said) == (1, True)
    git(repo, "checkout", "--quiet", "HEAD", "--", ".env.uve")
    colleague = tmp_path / "colleague"
    git(tmp_path, "clone", "--quiet", repo, colleague)
    staging.commit(colleague, NEW)
    assert commit(repo, run, "--allow-empty")[0] == 0
    done = run("git", "pull", "--rebase", colleague, "main", cwd=repo)
    assert done.returncode == 0, done.stderr
    assert registered() == {str(repo): NEW}
    assert run("prime-uve", "hook", "uninstall", cwd=repo).returncode == 0
    stage(repo, WRONG)
    assert commit(repo, run)[0] == 0


class TestPartialCommits:
    """What is committed is judged, and not what lies in the folder or waits in the index."""

    @pytest.fixture
    def two(self, named: Path, git: Git) -> Path:
        """Return a repository in which another file was changed, too."""
        (named / "other").write_text("x\n")
        git(named, "add", "other")
        return named

    def test_only_names_what_is_judged(self, two: Path, run: Run) -> None:
        stage(two, WRONG)
        code, said = commit(two, run, "--only", "other")
        assert (code, said.count("not portable")) == (0, 0)
        code, said = commit(two, run, "--only", ".env.uve")
        assert (code, said.count("not portable")) == (1, 1)

    def test_all_takes_what_lies_in_the_folder(self, two: Path, run: Run) -> None:
        staging.write(two, WRONG)
        assert commit(two, run)[0] == 0
        code, said = commit(two, run, "--all")
        assert (code, said.count("not portable")) == (1, 1)

    @pytest.mark.parametrize(("answers", "code"), [("y\nn\n", 0), ("n\ny\n", 1)], ids=["the good", "the bad"])
    def test_of_a_patch_the_part_that_is_taken(self, two: Path, run: Run, answers: str, code: int) -> None:
        lines = [f"A{number}=1" for number in range(20)]
        good = "\n".join([*lines, f"UV_PROJECT_ENVIRONMENT={OLD}", ""])
        staging.commit(two, good.encode())
        bad = good.replace("A0=1", "A0=2").replace(OLD, WRONG)
        staging.write(two, bad.encode())
        assert run("git", "add", "--patch", ".env.uve", cwd=two, stdin=answers).returncode == 0
        assert commit(two, run)[0] == code


class TestRepositories:
    def test_a_worktree_is_checked_by_the_hooks_of_its_repository(
        self, named: Path, tmp_path: Path, run: Run, git: Git
    ) -> None:
        tree_ = tmp_path / "tree"
        staging.quietly(named, "worktree", "add", "--quiet", tree_)
        stage(tree_, WRONG)
        assert commit(tree_, run)[0] == 1
        uninstall(tree_)
        assert commit(tree_, run)[0] == 0
        git(named, "worktree", "remove", tree_)
        assert registered() == {str(named): OLD}

    def test_a_bare_repository_has_hooks_for_its_worktrees_only(self, named: Path, run: Run, git: Git) -> None:
        bare = named.parent / "bare.git"
        git(named.parent, "clone", "--quiet", "--bare", named, bare)
        install(bare)
        git(named, "push", "--quiet", bare, "HEAD:refs/heads/pushed")
        assert run("git", "hook", "run", "--ignore-missing", "post-checkout", cwd=bare).returncode == 0
        tree_ = named.parent / "of bare"
        done = run("git", "worktree", "add", "--quiet", tree_, "pushed", cwd=bare)
        assert done.returncode == 0, done.stderr
        assert "prime-uve" in done.stderr, "the hook was run"
        stage(tree_, WRONG)
        assert commit(tree_, run)[0] == 1

    def test_a_submodule_is_judged_by_its_own_hooks(self, named: Path, tmp_path: Path, run: Run, git: Git) -> None:
        outer = tmp_path / "outer"
        git(tmp_path, "init", "--quiet", outer)
        git(outer, "-c", "core.hooksPath=/nowhere", "submodule", "--quiet", "add", named, "inner")
        stage(outer / "inner", WRONG)
        install(outer)
        assert commit(outer, run)[0] == 0
        assert commit(outer / "inner", run)[0] == 0
        install(outer / "inner")
        assert commit(outer / "inner", run, "--amend")[0] == 1

    def test_every_project_of_a_monorepo_is_registered_and_checked(self, hooked: Path, run: Run, git: Git) -> None:
        values = {f"packages/p{number}": f"${{HOME}}/prime-uve/venvs/p{number}_0" for number in range(30)}
        for folder, value in values.items():
            staging.write(hooked / folder, value)
        git(hooked, "add", ".")
        assert commit(hooked, run)[0] == 0
        assert registered() == {str(hooked / folder): value for folder, value in values.items()}
        stage(hooked / "packages/p7", WRONG)
        stage(hooked / "packages/p9", NEW)
        code, said = commit(hooked, run)
        assert code == 1
        assert f"{str(hooked / 'packages/p7/.env.uve')!r} is not portable" in said
        assert "prime-uve register --accept" in said


class TestConflicts:
    """While Git waits for a person, nothing is written and nothing fails."""

    @pytest.fixture
    def torn(self, named: Path) -> Path:
        """Return a repository in which ``theirs`` and ``main`` have changed the path."""
        staging.quietly(named, "switch", "--quiet", "--create", "theirs")
        staging.commit(named, NEW)
        staging.quietly(named, "switch", "--quiet", "main")
        staging.commit(named, "${HOME}/prime-uve/venvs/demo_22222222")
        Cache().add_mapping(named, "${HOME}/prime-uve/venvs/demo_22222222", "demo", "22222222")
        return named

    @pytest.mark.parametrize("command", ["merge", "rebase", "cherry-pick"])
    def test_a_conflict_in_the_env_file_leaves_the_registry_alone(self, torn: Path, run: Run, command: str) -> None:
        before = registered()
        done = run("git", command, "theirs", cwd=torn)
        assert done.returncode == 1
        assert "CONFLICT" in done.stdout
        assert "prime-uve" not in done.stderr
        assert registered() == before
        done = run("git", command, "--abort", cwd=torn)
        assert (done.returncode, registered()) == (0, before)

    def test_a_rebase_that_has_nothing_to_write_is_registered(self, torn: Path, run: Run) -> None:
        staging.quietly(torn, "reset", "--quiet", "--hard", "HEAD~")
        assert run("git", "rebase", "theirs", cwd=torn).returncode == 0
        assert registered() == {str(torn): NEW}

    def test_a_rebase_in_a_worktree_is_given_up_without_a_trace(self, torn: Path, tmp_path: Path, run: Run) -> None:
        staging.quietly(torn, "worktree", "add", "--quiet", tmp_path / "tree", "-b", "mine", "main")
        Cache().remove_mapping(torn)
        Cache().add_mapping(tmp_path / "tree", "${HOME}/prime-uve/venvs/demo_22222222", "demo", "22222222")
        before = registered()
        assert run("git", "rebase", "theirs", cwd=tmp_path / "tree").returncode == 1
        assert run("git", "rebase", "--abort", cwd=tmp_path / "tree").returncode == 0
        assert registered() == before

    @pytest.mark.parametrize(
        ("command", "go_on"), [("merge", ["commit", "--no-edit"]), ("rebase", ["rebase", "--continue"])]
    )
    def test_what_a_person_resolves_to_theirs_is_taken_over(
        self, torn: Path, run: Run, command: str, go_on: list[str]
    ) -> None:
        onto = "theirs"
        assert run("git", command, onto, cwd=torn).returncode == 1
        stage(torn, NEW)
        done = run("git", *go_on, cwd=torn, env={"GIT_EDITOR": "true"})
        assert done.returncode == 0, done.stderr
        assert registered() == {str(torn): NEW}


class TestMachines:
    """A good commit is stopped by no state of the machine, and a wrong file on every machine."""

    def judged(self, repo: Path, run: Run, **env: str) -> str:
        """Commit a good file and a wrong one; return what was said about the good one."""
        code, said = commit(repo, run, "--allow-empty", **env)
        assert code == 0, said
        stage(repo, WRONG)
        assert commit(repo, run, **env)[0] == 1
        return said

    def test_ci_checks_the_files_and_writes_nothing(self, hooked: Path, home: Path, run: Run) -> None:
        stage(hooked, OLD)
        assert "prime-uve" not in self.judged(hooked, run, CI="true")
        assert list(home.iterdir()) == []

    def test_a_read_only_home_is_a_note(self, hooked: Path, home: Path, run: Run) -> None:
        stage(hooked, OLD)
        home.chmod(0o555)
        done = run(*unprivileged(), "git", "commit", "--message", "x", cwd=hooked)
        assert done.returncode == 0, done.stderr
        assert "the registry was not asked" in done.stderr
        assert list(home.iterdir()) == []
        home.chmod(0o755)

    def test_no_home_is_a_note(self, hooked: Path, run: Run) -> None:
        stage(hooked, OLD)
        assert "prime-uve: the registry was not asked" in self.judged(hooked, run, HOME="/dev/null")

    def test_a_poor_environment_has_the_tool_that_was_recorded(self, hooked: Path, run: Run) -> None:
        assert run("sh", "-c", "command -v prime-uve-hook", cwd=hooked, env=POOR).returncode != 0
        stage(hooked, OLD)
        assert "registered" in self.judged(hooked, run, **POOR)


@pytest.fixture
def tool_gone(repo: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return a repository in which the tool that was recorded is not there any more."""
    folder = tmp_path / "tools"
    folder.mkdir()
    shutil.copy(SCRIPTS / "prime-uve-hook", folder)
    monkeypatch.setattr(sys, "argv", [str(folder / "prime-uve")])
    install(repo)
    (folder / "prime-uve-hook").unlink()
    stage(repo, OLD)
    return repo


class TestMissingTool:
    def test_one_sentence_stops_a_commit_and_no_checkout(self, tool_gone: Path, run: Run) -> None:
        code, said = commit(tool_gone, run, **POOR)
        assert code == 1
        assert said == (
            "prime-uve: prime-uve-hook is not there, so pre-commit did nothing; install it: uv tool install prime-uve\n"
        )
        done = run("git", "switch", "--create", "other", cwd=tool_gone, env=POOR)
        assert done.returncode == 0
        assert "so post-checkout did nothing" in done.stderr

    def test_the_folder_of_the_users_tools_is_looked_into(self, tool_gone: Path, home: Path, run: Run) -> None:
        (home / ".local/bin").mkdir(parents=True)
        (home / ".local/bin/prime-uve-hook").symlink_to(SCRIPTS / "prime-uve-hook")
        assert commit(tool_gone, run, **POOR)[0] == 0
        assert registered() == {str(tool_gone): OLD}

    def test_path_is_looked_into(self, tool_gone: Path, run: Run) -> None:
        assert commit(tool_gone, run)[0] == 0
        assert registered() == {str(tool_gone): OLD}

    @pytest.mark.parametrize("first", ["#!/nowhere/python\n", "#!/\n"], ids=["its Python is gone", "it cannot be run"])
    def test_a_tool_that_cannot_run_is_a_missing_one(
        self, tool_gone: Path, tmp_path: Path, run: Run, first: str
    ) -> None:
        (tmp_path / "tools/prime-uve-hook").write_text(first)
        (tmp_path / "tools/prime-uve-hook").chmod(0o755)
        code, said = commit(tool_gone, run, **POOR)
        assert (code, said.splitlines()[-1][:46]) == (1, "prime-uve: prime-uve-hook is not there, so pre")
        assert run("git", "switch", "--create", "other", cwd=tool_gone, env=POOR).returncode == 0
        assert commit(tool_gone, run)[0] == 0, "there is one on PATH"


SHELLS = [["dash"], ["bash", "--posix"], ["busybox", "sh"], ["ksh"], ["zsh", "--emulate", "sh"]]


@pytest.fixture(params=SHELLS, ids=" ".join)
def shell(request: pytest.FixtureRequest) -> list[str]:
    """Return a shell of this machine."""
    name, *options = request.param
    path = shutil.which(name)
    if path is None:
        pytest.skip(f"there is no {name}")
    return [path, *options]


RECORD = 'printf "%s|" "$0" "$@" > "$OUT"; cat >> "$OUT"; exit {}'
REWRITTEN = "a b\nc d\n\n\n"


class TestBesideAnother:
    @pytest.mark.parametrize("codes", [(0, 0), (3, 0), (0, 1), (3, 1)], ids=["good", "theirs", "ours", "both"])
    @pytest.mark.parametrize("event", EVENTS)
    def test_both_run_with_all_that_git_gives_and_either_fails(
        self, tmp_path: Path, run: Run, event: str, codes: tuple[int, int]
    ) -> None:
        theirs, ours = codes
        path = tmp_path / event
        script(tmp_path / f"{event}{KEPT}", RECORD.format(theirs))
        tool = script(tmp_path / "bin/prime-uve-hook", f'OUT="$OUT.ours"\n{RECORD.format(ours)}')
        path.write_bytes(filled(shipped_text(), str(tool)))
        path.chmod(0o755)
        given = REWRITTEN if event == "post-rewrite" else ""
        done = run(path, "a b", "*", cwd=tmp_path, env={"OUT": str(tmp_path / "out")}, stdin=given)
        assert (done.returncode, done.stderr) == (theirs or ours, "")
        assert (tmp_path / "out").read_text() == f"{path}{KEPT}|a b|*|{given}"
        assert (tmp_path / "out.ours").read_text() == f"{tool}|{event}|a b|*|{given}"

    def test_what_git_does_not_run_is_not_run(self, hooked: Path, run: Run) -> None:
        uninstall(hooked)
        script(hooked / ".git/hooks/pre-commit", "exit 1", mode=0o644)
        install(hooked)
        stage(hooked, OLD)
        assert commit(hooked, run)[0] == 0

    def test_a_rewrite_tells_both_what_was_rewritten(self, named: Path, tmp_path: Path, run: Run, git: Git) -> None:
        uninstall(named)
        script(named / ".git/hooks/post-rewrite", 'cat > "$OUT"; exit 0')
        install(named)
        old = git(named, "rev-parse", "HEAD").strip()
        assert commit(named, run, "--amend", OUT=str(tmp_path / "out"))[0] == 0
        new = git(named, "rev-parse", "HEAD").strip()
        assert (tmp_path / "out").read_text() == f"{old} {new}\n"


def test_every_shell_reads_it_the_same(shell: list[str], repo: Path, tmp_path: Path, run: Run) -> None:
    path = repo / ".git/hooks/post-rewrite"
    script(path, RECORD.format(3))
    stage(repo, OLD)
    install(repo)
    done = run(*shell, path, "rebase", cwd=repo, env={"OUT": str(tmp_path / "out")}, stdin=REWRITTEN)
    assert (done.returncode, done.stdout) == (3, "")
    assert done.stderr == f"prime-uve: registered {str(repo)!r} with {OLD!r}\n"
    assert (tmp_path / "out").read_text() == f"{path}{KEPT}|rebase|{REWRITTEN}"
    path.write_bytes(path.read_bytes().replace(str(SCRIPTS).encode(), b"/gone"))
    done = run(*shell, path, "rebase", cwd=repo, env={"OUT": str(tmp_path / "out"), **POOR})
    assert (done.returncode, done.stderr.count("\n")) == (3, 1)


CONFIGURATION = """\
repos:
  - repo: local
    hooks:
      - id: theirs
        name: theirs
        entry: sh -c 'echo ran >> ../ran; test ! -e refuse'
        language: system
        always_run: true
        pass_filenames: false
"""
PREK_OR_PRE_COMMIT = pytest.mark.parametrize("framework", ["pre-commit", "prek"])


@PREK_OR_PRE_COMMIT
class TestBesideAFramework:
    @pytest.fixture(autouse=True)
    def _configured(self, repo: Path, git: Git) -> None:
        (repo / ".pre-commit-config.yaml").write_text(CONFIGURATION)
        git(repo, "add", ".")
        for path in (repo / ".git/hooks").iterdir():
            path.unlink()

    def both_count(self, repo: Path, run: Run) -> None:
        """Show that theirs runs once and can stop a commit, and so can ours."""
        ran = repo.parent / "ran"
        ran.unlink(missing_ok=True)
        stage(repo, OLD)
        assert commit(repo, run, "--allow-empty")[0] == 0
        assert (ran.read_text(), registered()) == ("ran\n", {str(repo): OLD})
        (repo / "refuse").touch()
        assert commit(repo, run, "--allow-empty")[0] == 1
        (repo / "refuse").unlink()
        stage(repo, WRONG)
        code, said = commit(repo, run)
        assert (code, "is not portable" in said) == (1, True)

    def test_ours_over_theirs(self, repo: Path, run: Run, framework: str) -> None:
        assert run(framework, "install", cwd=repo).returncode == 0
        before = tree(repo / ".git/hooks")
        install(repo)
        self.both_count(repo, run)
        uninstall(repo)
        assert tree(repo / ".git/hooks") == before

    def test_theirs_over_ours(self, repo: Path, run: Run, framework: str) -> None:
        install(repo)
        assert run(framework, "install", cwd=repo).returncode == 0
        self.both_count(repo, run)
        before = tree(repo / ".git/hooks")
        assert {step.action for step in install(repo)} == {"unchanged"}
        assert tree(repo / ".git/hooks") == before
        uninstall(repo)
        assert os.listdir(repo / ".git/hooks") == ["pre-commit"]
        assert commit(repo, run)[0] == 0

    def test_theirs_over_ours_over_theirs(self, repo: Path, run: Run, framework: str) -> None:
        assert run(framework, "install", cwd=repo).returncode == 0
        install(repo)
        assert run(framework, "install", cwd=repo).returncode == 0
        self.both_count(repo, run)
        uninstall(repo)
        assert sorted(os.listdir(repo / ".git/hooks")) == ["pre-commit", f"pre-commit{KEPT}"]
        assert commit(repo, run)[0] == 0

    def test_theirs_over_ours_over_a_script(self, repo: Path, run: Run, framework: str) -> None:
        script(repo / ".git/hooks/pre-commit", "echo script >> ../ran")
        install(repo)
        assert run(framework, "install", cwd=repo).returncode == 0
        stage(repo, OLD)
        assert commit(repo, run)[0] == 0
        assert (repo.parent / "ran").read_text() == "script\nran\n"
        uninstall(repo)
        assert sorted(os.listdir(repo / ".git/hooks")) == ["pre-commit", "pre-commit.legacy"]
        assert commit(repo, run, "--allow-empty")[0] == 0
        assert (repo.parent / "ran").read_text() == "script\nran\n" * 2
