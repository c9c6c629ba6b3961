"""What we ask Git, in real repositories."""

import os
import sys
from pathlib import Path
from textwrap import dedent

import pytest

from prime_uve.core import git as ours
from prime_uve.core.env_file import LOCAL_NAME, NAME
from prime_uve.errors import ProjectError
from tests.commands import Git, Run
from tests.privileges import unprivileged

CONTENT = b"UV_PROJECT_ENVIRONMENT=${HOME}/prime-uve/venvs/demo_0a1b2c3d\n"
PATTERN = f"**/{NAME}"


@pytest.fixture(params=["sha1", "sha256"])
def checkout(request: pytest.FixtureRequest, project: Path, git: Git) -> Path:
    """Return an empty repository."""
    git(project, "init", "--quiet", f"--object-format={request.param}")
    return project


def add(checkout: Path, path: str, content: bytes, git: Git) -> ours.Entry:
    """Put a file into the index and return its entry."""
    (checkout / path).parent.mkdir(parents=True, exist_ok=True)
    (checkout / path).write_bytes(content)
    git(checkout, "--literal-pathspecs", "add", "--", path)
    return next(entry for entry in ours.index_entries(str(checkout), "**") if entry.path == path)


def paths_in_index(checkout: Path, *patterns: str) -> list[str]:
    return [entry.path for entry in ours.index_entries(str(checkout), *patterns)]


# The checkout


def test_the_checkout_is_the_folder_with_git(repo: Path, tmp_path: Path) -> None:
    (repo / "a/b").mkdir(parents=True)
    (tmp_path / "link").symlink_to(repo / "a")

    assert ours.find_checkout(str(repo)) == str(repo)
    assert ours.find_checkout(str(repo / "a/b")) == str(repo)
    assert ours.find_checkout(str(tmp_path / "link/b")) == str(repo)
    assert ours.find_checkout(str(tmp_path)) is None


def test_worktrees_and_submodules_are_checkouts_of_their_own(repo: Path, tmp_path: Path, git: Git) -> None:
    git(repo, "worktree", "add", "--quiet", tmp_path / "tree")
    git(repo, "submodule", "--quiet", "add", repo, "sub")

    assert ours.find_checkout(str(tmp_path / "tree")) == str(tmp_path / "tree")
    assert ours.find_checkout(str(repo / "sub")) == str(repo / "sub")


def test_a_folder_in_no_checkout_is_told_how_to_become_one(tmp_path: Path) -> None:
    assert str(ours.no_checkout(str(tmp_path))) == f"{str(tmp_path)!r} is in no Git checkout; make one: git init"


# The index


def test_the_index_gives_mode_blob_and_path(checkout: Path, git: Git) -> None:
    entry = add(checkout, NAME, CONTENT, git)

    assert (entry.mode, entry.path) == ("100644", NAME)
    assert entry.oid == git(checkout, "hash-object", NAME).strip()
    assert ours.blob(str(checkout), entry) == CONTENT


def test_only_what_a_pattern_matches_is_given(checkout: Path, git: Git) -> None:
    names = [NAME, LOCAL_NAME, f"a/b/{NAME}", f"a/{LOCAL_NAME}", f"x{NAME}", f"{NAME}.orig", f"{NAME}.d/x", "a.py"]
    for name in names:
        add(checkout, name, b"", git)

    assert paths_in_index(checkout, PATTERN) == [NAME, f"a/b/{NAME}"]
    assert paths_in_index(checkout, PATTERN, f"**/{LOCAL_NAME}") == [
        NAME,
        LOCAL_NAME,
        f"a/{LOCAL_NAME}",
        f"a/b/{NAME}",
    ]
    assert paths_in_index(checkout / "a", PATTERN) == [NAME, f"a/b/{NAME}"], "paths are those from the top"


ODD = ["two words", "it's", 'a"b', "a\nb", "a\tb", "a\\b", "[a]*?", ":x", ":(top)", "-n", "caf\udce9", "日本", "$HOME"]


@pytest.mark.parametrize("name", ODD, ids=ascii)
def test_a_path_in_the_index_may_hold_anything(name: str, checkout: Path, git: Git) -> None:
    path = f"{name}/{NAME}"
    (checkout / name).mkdir()
    entry = add(checkout, path, CONTENT, git)
    git(checkout, "commit", "--quiet", "--message", "A file")

    assert paths_in_index(checkout, PATTERN) == [path]
    assert ours.blob(str(checkout), entry) == CONTENT
    assert ours.committed_blob(str(checkout), path) == CONTENT
    assert ours.is_unchanged(str(checkout), path, since="HEAD")
    (checkout / path).write_bytes(b"")
    assert ours.blob(str(checkout), entry) == CONTENT
    assert not ours.is_unchanged(str(checkout), path, since="HEAD")


def test_an_index_without_files_is_empty(checkout: Path, git: Git) -> None:
    assert paths_in_index(checkout, PATTERN) == []
    (checkout / NAME).write_bytes(CONTENT)
    assert paths_in_index(checkout, PATTERN) == []
    git(checkout, "add", "--intent-to-add", NAME)
    assert paths_in_index(checkout, PATTERN) == [NAME]


def test_links_and_executables_say_so(checkout: Path, git: Git) -> None:
    (checkout / "a").mkdir()
    (checkout / "a" / NAME).symlink_to("../target")
    (checkout / NAME).touch(0o755)
    git(checkout, "add", ".")

    entries = ours.index_entries(str(checkout), PATTERN)

    assert [(entry.mode, entry.path) for entry in entries] == [("100755", NAME), ("120000", f"a/{NAME}")]
    assert ours.blob(str(checkout), entries[1]) == b"../target"


def test_an_unmerged_file_is_left_out(repo: Path, git: Git, run: Run) -> None:
    add(repo, NAME, b"A=1\n", git)
    git(repo, "commit", "--quiet", "--message", "Base")
    for branch, content in (("ours", b"A=2\n"), ("theirs", b"A=3\n")):
        git(repo, "checkout", "--quiet", "-b", branch, "main")
        add(repo, NAME, content, git)
        git(repo, "commit", "--quiet", "--message", branch)

    assert run("git", "merge", "ours", cwd=repo).returncode == 1
    assert paths_in_index(repo, PATTERN) == []
    (repo / NAME).write_bytes(b"A=2\n")
    git(repo, "add", NAME)
    assert paths_in_index(repo, PATTERN) == [NAME]
    assert ours.is_from_elsewhere(str(repo), NAME, b"A=2\n")
    assert not ours.is_from_elsewhere(str(repo), NAME, b"A=3\n")


@pytest.mark.parametrize("variable", ["GIT_LITERAL_PATHSPECS", "GIT_GLOB_PATHSPECS", "GIT_NOGLOB_PATHSPECS"])
def test_how_the_caller_of_git_means_names_makes_no_difference(
    variable: str, repo: Path, git: Git, monkeypatch: pytest.MonkeyPatch
) -> None:
    """``git --literal-pathspecs commit`` hands this on to the hooks; that is how Magit commits."""
    add(repo, f"a/{NAME}", CONTENT, git)
    git(repo, "commit", "--quiet", "--message", "A file")
    monkeypatch.setenv(variable, "1")

    assert paths_in_index(repo, PATTERN) == [f"a/{NAME}"]
    assert ours.is_unchanged(str(repo), f"a/{NAME}", since="HEAD")
    assert ours.is_staged(str(repo), f"a/{NAME}")


# What it holds


def test_the_blob_is_that_of_the_index_and_not_of_the_work_tree(checkout: Path, git: Git) -> None:
    entry = add(checkout, NAME, CONTENT, git)
    path = checkout / NAME

    path.write_bytes(b"A=2\n")
    assert ours.blob(str(checkout), entry) == CONTENT
    path.unlink()
    assert ours.blob(str(checkout), entry) == CONTENT
    path.mkdir()
    assert ours.blob(str(checkout), entry) == CONTENT
    path.rmdir()
    path.symlink_to("nope")
    assert ours.blob(str(checkout), entry) == CONTENT
    path.unlink()
    os.mkfifo(path)
    assert ours.blob(str(checkout), entry) == CONTENT


@pytest.mark.parametrize("content", [b"", b"\0" * 70_000, bytes(range(256)) * 1000], ids=["empty", "NULs", "large"])
def test_a_blob_is_given_whole_from_work_tree_and_index(content: bytes, checkout: Path, git: Git) -> None:
    entry = add(checkout, NAME, content, git)
    assert ours.blob(str(checkout), entry) == content
    (checkout / NAME).write_bytes(b"other")
    assert ours.blob(str(checkout), entry) == content


def test_without_the_module_for_it_the_hash_is_the_same(
    checkout: Path, git: Git, monkeypatch: pytest.MonkeyPatch
) -> None:
    entry = add(checkout, NAME, CONTENT, git)
    (checkout / ".git/objects" / entry.oid[:2] / entry.oid[2:]).unlink()  # it can only come from the work tree
    monkeypatch.setitem(sys.modules, "_sha1", None)
    assert ours.blob(str(checkout), entry) == CONTENT


def test_a_file_that_git_converts_is_given_as_the_index_has_it(checkout: Path, git: Git) -> None:
    git(checkout, "config", "core.autocrlf", "true")
    git(checkout, "config", "core.safecrlf", "false")
    entry = add(checkout, NAME, b"A=1\r\nB=2\r\n", git)

    assert ours.is_staged(str(checkout), NAME)
    assert ours.blob(str(checkout), entry) == b"A=1\nB=2\n"


def test_a_file_that_passes_a_filter_is_given_as_the_index_has_it(checkout: Path, git: Git) -> None:
    git(checkout, "config", "filter.upper.clean", "tr a-z A-Z")
    (checkout / ".gitattributes").write_text(f"{NAME} filter=upper\n")
    entry = add(checkout, NAME, b"a=1\n", git)

    assert ours.blob(str(checkout), entry) == b"A=1\n"


def test_a_commit_gives_what_it_holds(checkout: Path, git: Git) -> None:
    assert ours.committed_blob(str(checkout), NAME) is None, "there is no commit yet"
    for content in (b"A=1\n", b"A=2\n"):
        add(checkout, f"a/{NAME}", content, git)
        git(checkout, "commit", "--quiet", "--message", "A file")

    assert ours.committed_blob(str(checkout), f"a/{NAME}") == b"A=2\n"
    assert ours.committed_blob(str(checkout), f"a/{NAME}", "HEAD^") == b"A=1\n"
    assert ours.committed_blob(str(checkout), NAME) is None
    assert ours.committed_blob(str(checkout), f"a/{NAME}", "nope") is None
    assert ours.committed_blob(str(checkout), "a") is None, "a folder is no file"


def test_a_question_about_what_may_not_be_there_is_quiet(repo: Path, capfd: pytest.CaptureFixture[str]) -> None:
    assert ours.committed_blob(str(repo), NAME) is None
    assert not ours.is_unchanged(str(repo), NAME, since="HEAD^2")
    assert capfd.readouterr() == ("", "")


def test_a_file_is_unchanged_and_staged_until_it_is_changed(repo: Path, git: Git) -> None:
    add(repo, NAME, b"A=1\n", git)
    git(repo, "commit", "--quiet", "--message", "A file")
    path = repo / NAME

    os.utime(path, (1, 1))
    assert ours.is_unchanged(str(repo), NAME, since="HEAD"), "only its time is another"
    assert not ours.is_unchanged(str(repo), NAME, since="HEAD^"), "it was not there"
    assert ours.is_staged(str(repo), NAME)
    path.write_bytes(b"A=2\n")
    assert not ours.is_unchanged(str(repo), NAME, since="HEAD")
    assert not ours.is_staged(str(repo), NAME)
    git(repo, "add", NAME)
    assert ours.is_staged(str(repo), NAME)
    assert not ours.is_unchanged(str(repo), NAME, since="HEAD")
    path.unlink()
    assert not ours.is_unchanged(str(repo), NAME, since="HEAD")


@pytest.mark.parametrize("verb", ["merge", "cherry-pick", "rebase"])
def test_what_a_merge_brings_is_from_elsewhere(verb: str, repo: Path, git: Git, run: Run) -> None:
    for branch, content in (("there", b"A=there\n"), ("here", b"A=here\n")):
        git(repo, "checkout", "--quiet", "-b", branch, "main")
        add(repo, NAME, content, git)
        git(repo, "commit", "--quiet", "--message", branch)
    assert not ours.is_from_elsewhere(str(repo), NAME, b"A=there\n")

    assert run("git", verb, "there", cwd=repo).returncode != 0, "both have changed the file"

    brought = b"A=here\n" if verb == "rebase" else b"A=there\n"  # a rebase brings our commits onto the others
    assert ours.is_from_elsewhere(str(repo), NAME, brought)
    assert not ours.is_from_elsewhere(str(repo), NAME, b"A=neither\n")


def test_what_a_merge_brings_is_known_before_git_writes_it_down(
    repo: Path, git: Git, monkeypatch: pytest.MonkeyPatch
) -> None:
    git(repo, "checkout", "--quiet", "-b", "there")
    add(repo, NAME, b"A=there\n", git)
    git(repo, "commit", "--quiet", "--message", "there")
    commit = git(repo, "rev-parse", "HEAD").strip()
    git(repo, "checkout", "--quiet", "main")

    assert not ours.is_from_elsewhere(str(repo), NAME, b"A=there\n")
    monkeypatch.setenv(f"GITHEAD_{commit}", "there")
    assert ours.is_from_elsewhere(str(repo), NAME, b"A=there\n")


# The exclude file


def status(folder: Path, git: Git) -> str:
    return git(folder, "status", "--porcelain", "--untracked-files=all")


def test_a_pattern_is_excluded_once(repo: Path, git: Git) -> None:
    (repo / LOCAL_NAME).touch()
    assert LOCAL_NAME in status(repo, git)

    assert ours.exclude(str(repo), LOCAL_NAME) is True
    assert status(repo, git) == ""
    before = (repo / ".git/info/exclude").read_bytes()
    assert ours.exclude(str(repo), LOCAL_NAME) is False
    assert (repo / ".git/info/exclude").read_bytes() == before


EXCLUDES = {
    "nothing": (b"", b"NAME\n"),
    "lines": (b"# mine\n*.o\n", b"# mine\n*.o\nNAME\n"),
    "no newline at the end": (b"*.o", b"*.o\nNAME\n"),
    "the name within another": (b"NAME.bak\nmy-NAME\n", b"NAME.bak\nmy-NAME\nNAME\n"),
    "the name in a comment": (b"# NAME\n", b"# NAME\nNAME\n"),
    "the pattern": (b"*.o\nNAME\n*.a\n", b"*.o\nNAME\n*.a\n"),
    "the pattern without a newline": (b"NAME", b"NAME"),
    "the pattern with CRLF": (b"*.o\r\nNAME\r\n", b"*.o\r\nNAME\r\n"),
    "bytes that are not UTF-8": (b"\xff\xfe\n", b"\xff\xfe\nNAME\n"),
}


@pytest.mark.parametrize(("before", "after"), EXCLUDES.values(), ids=EXCLUDES)
def test_what_the_exclude_file_holds_stays(before: bytes, after: bytes, repo: Path) -> None:
    path = repo / ".git/info/exclude"
    path.write_bytes(before.replace(b"NAME", LOCAL_NAME.encode()))
    ours.exclude(str(repo), LOCAL_NAME)
    assert path.read_bytes() == after.replace(b"NAME", LOCAL_NAME.encode())


def test_an_exclude_file_is_made_where_there_is_none(repo: Path) -> None:
    (repo / ".git/info/exclude").unlink()
    (repo / ".git/info").rmdir()
    assert ours.exclude(str(repo), LOCAL_NAME)
    assert (repo / ".git/info/exclude").read_text() == f"{LOCAL_NAME}\n"


@pytest.mark.parametrize("name", ["tree", "two words", "a\nb\n", "caf\udce9"], ids=ascii)
def test_a_worktree_excludes_for_the_whole_repository(name: str, repo: Path, tmp_path: Path, git: Git) -> None:
    tree = tmp_path / name
    git(repo, "worktree", "add", "--quiet", "--detach", tree)
    (tree / LOCAL_NAME).touch()

    assert ours.exclude(str(tree), LOCAL_NAME)
    assert status(tree, git) == ""
    assert not ours.exclude(str(repo), LOCAL_NAME)


def test_a_submodule_excludes_for_itself(repo: Path, git: Git) -> None:
    git(repo, "submodule", "--quiet", "add", repo, "sub")
    (repo / "sub" / LOCAL_NAME).touch()

    assert ours.exclude(str(repo / "sub"), LOCAL_NAME)
    assert status(repo / "sub", git) == ""
    assert LOCAL_NAME in (repo / ".git/modules/sub/info/exclude").read_text()
    assert LOCAL_NAME not in (repo / ".git/info/exclude").read_text()


def test_an_exclude_file_that_cannot_be_written_is_an_error_that_says_what_to_add(repo: Path) -> None:
    path = repo / ".git/info/exclude"
    path.unlink()
    path.mkdir()
    with pytest.raises(ProjectError, match="it is not a regular file") as caught:
        ours.exclude(str(repo), LOCAL_NAME)
    assert str(caught.value).startswith(f"cannot write {str(path)!r}")
    assert f"add the line {LOCAL_NAME} to it yourself" in str(caught.value)


def test_a_read_only_exclude_file_that_has_the_pattern_is_right(repo: Path, run: Run) -> None:
    (repo / ".git/info/exclude").chmod(0o444)
    script = f"""
        from prime_uve.core.git import exclude
        from prime_uve.errors import ProjectError
        try:
            print(exclude(".", "{LOCAL_NAME}"))
        except ProjectError as error:
            print(error)
    """
    ask = [*unprivileged(), sys.executable, "-c", dedent(script)]
    assert "Permission denied; add the line" in run(*ask, cwd=repo).stdout

    ours.exclude(str(repo), LOCAL_NAME)
    assert run(*ask, cwd=repo).stdout == "False\n"


# Git's own variables


@pytest.fixture
def within(repo: Path, tmp_path: Path, git: Git, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Be in a repository as in a hook that Git runs for a partial commit; return another one."""
    other = tmp_path / "other"
    git(tmp_path, "clone", "--quiet", repo, other)
    add(repo, f"here/{NAME}", CONTENT, git)
    add(other, f"there/{NAME}", CONTENT, git)
    (repo / ".git/index").rename(repo / ".git/next-index-1.lock")
    monkeypatch.chdir(repo)
    for name, value in {"DIR": ".git", "INDEX_FILE": ".git/next-index-1.lock", "PREFIX": "", "WORK_TREE": "."}.items():
        monkeypatch.setenv(f"GIT_{name}", value)
    return other


def test_the_checkout_that_git_runs_a_hook_for_is_seen_as_git_sees_it(within: Path, repo: Path) -> None:
    assert within.exists()
    assert paths_in_index(repo, PATTERN) == [f"here/{NAME}"]


def test_a_hollow_repository_hides_nothing_that_the_one_above_it_tracks(repo: Path, git: Git) -> None:
    add(repo, f"inner/{LOCAL_NAME}", CONTENT, git)
    (repo / "inner/.git").mkdir()
    assert ours.find_checkout(str(repo / "inner")) == str(repo / "inner")
    assert ours.is_tracked(str(repo / "inner"), LOCAL_NAME)
    assert not ours.is_tracked(str(repo / "inner"), NAME)


def test_another_checkout_is_seen_as_if_git_ran_no_hook(within: Path, tmp_path: Path) -> None:
    (within / "there" / LOCAL_NAME).touch()
    assert paths_in_index(within, PATTERN) == [f"there/{NAME}"]
    assert ours.is_tracked(str(within), f"there/{NAME}")
    assert ours.find_checkout(str(within / "there")) == str(within)
    assert ours.exclude(str(within), LOCAL_NAME)
    assert LOCAL_NAME in (within / ".git/info/exclude").read_text()
    assert ours.find_checkout(str(tmp_path)) is None, "the checkout of the hook does not hold it"


def test_a_submodule_of_the_checkout_that_git_runs_a_hook_for_is_another(
    repo: Path, git: Git, monkeypatch: pytest.MonkeyPatch
) -> None:
    git(repo, "submodule", "--quiet", "add", repo, "sub")
    add(repo / "sub", NAME, CONTENT, git)
    monkeypatch.chdir(repo)
    monkeypatch.setenv("GIT_DIR", str(repo / ".git"))
    monkeypatch.setenv("GIT_INDEX_FILE", str(repo / ".git/index"))
    assert paths_in_index(repo, PATTERN) == []
    assert paths_in_index(repo / "sub", PATTERN) == [NAME]


def test_settings_that_a_caller_hands_on_are_for_every_checkout(within: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in {"COUNT": "1", "KEY_0": "core.quotePath", "VALUE_0": "maybe"}.items():
        monkeypatch.setenv(f"GIT_CONFIG_{name}", value)
    assert ours.ask(str(within), "config", "core.quotePath") == b"maybe\n"


# Git that does not work


def test_a_question_that_git_cannot_answer_is_an_error(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(ProjectError, match=r"git ls-files failed in .* \(exit code 128\)") as caught:
        ours.index_entries(str(tmp_path), PATTERN)
    assert repr(str(tmp_path)) in str(caught.value)
    assert "not a git repository" in capfd.readouterr().err
    with pytest.raises(ProjectError, match="git rev-parse failed"):
        ours.exclude(str(tmp_path / "nope"), LOCAL_NAME)


def test_a_damaged_index_is_an_error(repo: Path, git: Git, capfd: pytest.CaptureFixture[str]) -> None:
    add(repo, NAME, CONTENT, git)
    (repo / ".git/index").write_bytes(b"nothing like an index")
    with pytest.raises(ProjectError, match="git ls-files failed"):
        ours.index_entries(str(repo), PATTERN)
    assert "index" in capfd.readouterr().err


def test_a_blob_that_is_lost_is_an_error(repo: Path, git: Git, capfd: pytest.CaptureFixture[str]) -> None:
    entry = add(repo, NAME, CONTENT, git)
    (repo / NAME).write_bytes(b"")
    (repo / ".git/objects" / entry.oid[:2] / entry.oid[2:]).unlink()
    with pytest.raises(ProjectError, match="git cat-file failed"):
        ours.blob(str(repo), entry)
    assert entry.oid in capfd.readouterr().err


def test_a_git_that_is_not_there_is_an_error(repo: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    for ask in (
        lambda: ours.index_entries(str(repo), PATTERN),
        lambda: ours.committed_blob(str(repo), NAME),
        lambda: ours.is_unchanged(str(repo), NAME, since="HEAD"),
        lambda: ours.exclude(str(repo), LOCAL_NAME),
    ):
        with pytest.raises(ProjectError, match="git is not on PATH; install Git"):
            ask()


@pytest.mark.parametrize(("mode", "reason"), [(0o644, "Permission denied"), (0o755, "Exec format error")])
def test_a_git_that_cannot_be_run_is_an_error(
    mode: int, reason: str, repo: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "git").write_bytes(b"\x7fELF")
    (tmp_path / "git").chmod(mode)
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(ProjectError, match=f"cannot run git: {reason}"):
        ours.index_entries(str(repo), PATTERN)


def test_a_git_that_is_killed_is_an_error(repo: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "git").write_text("#!/bin/sh\nprintf '100644 half of a li'\nkill -9 $$\n")
    (tmp_path / "git").chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path), prepend=os.pathsep)
    with pytest.raises(ProjectError, match="exit code -9"):
        ours.index_entries(str(repo), PATTERN)


def test_asking_leaves_no_descriptor_open(
    repo: Path, git: Git, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    entry = add(repo, NAME, CONTENT, git)
    (repo / NAME).unlink()

    def ask() -> None:
        ours.blob(str(repo), entry)
        ours.committed_blob(str(repo), "nope")

    ask()
    before = sorted(os.listdir("/proc/self/fd"))
    ask()
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(ProjectError):
        ask()
    assert sorted(os.listdir("/proc/self/fd")) == before


@pytest.mark.parametrize("closed", ["<&-", ">&-", "<&- >&-"], ids=["stdin", "stdout", "both"])
def test_git_answers_a_process_whose_standard_streams_are_closed(closed: str, repo: Path, git: Git, run: Run) -> None:
    add(repo, NAME, CONTENT, git)
    script = f"""
        from prime_uve.core import git
        assert [entry.path for entry in git.index_entries(".", "{PATTERN}")] == ["{NAME}"]
    """

    done = run("sh", "-c", f'exec "$@" {closed}', "sh", sys.executable, "-c", dedent(script), cwd=repo)

    assert (done.returncode, done.stderr) == (0, "")


def test_a_work_tree_without_a_repository_in_it_is_found_by_its_variable(
    project: Path, tmp_path: Path, git: Git, monkeypatch: pytest.MonkeyPatch
) -> None:
    elsewhere = tmp_path / "settings.git"
    git(tmp_path, "init", "--quiet", "--bare", elsewhere)
    assert ours.find_checkout(str(project)) is None
    monkeypatch.setenv("GIT_DIR", str(elsewhere))
    monkeypatch.setenv("GIT_WORK_TREE", str(project))
    monkeypatch.chdir(project)
    git(project, "add", "pyproject.toml")
    assert ours.find_checkout(str(project)) == str(project)
    assert [entry.path for entry in ours.index_entries(str(project), "*.toml")] == ["pyproject.toml"]


def test_a_work_tree_does_not_hold_what_lies_outside_of_it(
    project: Path, tmp_path: Path, git: Git, monkeypatch: pytest.MonkeyPatch
) -> None:
    git(tmp_path, "init", "--quiet", "--bare", "settings.git")
    git(tmp_path / "settings.git", "config", "core.bare", "false")
    git(tmp_path / "settings.git", "config", "core.worktree", project)
    (project / "a").mkdir()
    monkeypatch.chdir(project)
    monkeypatch.setenv("GIT_DIR", str(tmp_path / "settings.git"))
    assert ours.find_checkout(str(project / "a")) == str(project)
    assert ours.find_checkout(str(tmp_path)) is None
    monkeypatch.setenv("GIT_WORK_TREE", str(project))
    assert ours.find_checkout(str(project / "a")) == str(project)
    assert ours.find_checkout(str(tmp_path)) is None
