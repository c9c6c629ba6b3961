"""Native hooks put in place and taken out again, in the folders of real repositories."""

import os
import stat
import sys
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from textwrap import dedent

import pytest

from prime_uve.core.hooks.folder import KEPT, HooksFolder, find_hooks, installed_tool
from prime_uve.core.hooks.native import Action, Step, carry_out, plan_install, plan_uninstall
from prime_uve.core.hooks.text import EVENTS, Author, author, filled, shipped_text
from prime_uve.errors import PrimeUveError, ProjectError, RefusalError
from tests.commands import SCRIPTS, Git, Run
from tests.native import install, script, uninstall
from tests.privileges import unprivileged
from tests.trees import tree


@pytest.fixture
def hooks(repo: Path) -> Path:
    """Return the hooks folder of a repository, empty."""
    folder = repo / ".git/hooks"
    for sample in folder.iterdir():
        sample.unlink()
    return folder


def actions(steps: list[Step]) -> set[Action]:
    return {step.action for step in steps}


def facts(folder: Path) -> dict[str, tuple[int, bytes]]:
    """Return the mode and the content of each entry of a folder, of a link where it leads."""
    found = {}
    for path in folder.iterdir():
        content = os.fsencode(path.readlink()) if path.is_symlink() else path.read_bytes() if path.is_file() else b""
        found[path.name] = (path.lstat().st_mode, content)
    return found


# Where


def test_the_tool_is_the_one_beside_this_program() -> None:
    assert installed_tool() == str(SCRIPTS / "prime-uve-hook")


def test_worktrees_share_the_folder_of_their_repository(repo: Path, tmp_path: Path, git: Git) -> None:
    git(repo, "worktree", "add", "--quiet", tmp_path / "tree")
    (repo / "sub").mkdir()
    for folder in (repo, repo / "sub", repo / ".git", tmp_path / "tree"):
        found = find_hooks(str(folder))
        assert (found.path, found.is_private, found.is_committed) == (str(repo / ".git/hooks"), True, False)


def test_a_submodule_has_hooks_of_its_own(repo: Path, git: Git) -> None:
    git(repo, "submodule", "--quiet", "add", repo, "sub")
    assert find_hooks(str(repo / "sub")).path == str(repo / ".git/modules/sub/hooks")
    assert find_hooks(str(repo / "sub")).is_private


def test_a_bare_repository_has_hooks(tmp_path: Path, git: Git) -> None:
    git(tmp_path, "init", "--quiet", "--bare", "bare.git")
    found = find_hooks(str(tmp_path / "bare.git"))
    assert (found.path, found.is_private) == (str(tmp_path / "bare.git/hooks"), True)


PLACES = {
    ".git/hooks2": "in the repository",
    ".githooks": "in the work tree",
    "~/hooks": "elsewhere",
    "/opt/hooks": "elsewhere",
}


@pytest.mark.parametrize(("value", "place"), PLACES.items())
def test_the_folder_that_is_configured_is_the_one(repo: Path, home: Path, git: Git, value: str, place: str) -> None:
    git(repo, "config", "core.hooksPath", value)
    found = find_hooks(str(repo))
    assert found.path == os.path.normpath(repo / value.replace("~", str(home)))
    assert (found.is_private, found.is_committed) == (place == "in the repository", place == "in the work tree")


def test_a_folder_in_no_repository_has_no_hooks(tmp_path: Path) -> None:
    with pytest.raises(ProjectError, match="is in no Git checkout; make one: git init"):
        find_hooks(str(tmp_path))


def test_what_git_has_to_say_about_a_checkout_is_told(repo: Path, capfd: pytest.CaptureFixture[str]) -> None:
    (repo / ".git/HEAD").write_text("nothing like a head\n")
    with pytest.raises(ProjectError, match="git rev-parse failed"):
        find_hooks(str(repo))
    assert "not a git repository" in capfd.readouterr().err


# Install


def test_every_event_gets_the_same_executable_text(repo: Path, hooks: Path) -> None:
    assert actions(install(repo)) == {Action.INSTALL}
    content = filled(shipped_text(), installed_tool())
    assert facts(hooks) == dict.fromkeys(EVENTS, (stat.S_IFREG | 0o755, content))


def test_installing_again_changes_nothing(repo: Path, hooks: Path) -> None:
    install(repo)
    before = {path: path.stat() for path in hooks.iterdir()}
    assert actions(install(repo)) == {Action.NOTHING}
    assert {path: path.stat() for path in hooks.iterdir()} == before


def test_a_folder_that_is_not_there_is_made(repo: Path, hooks: Path) -> None:
    hooks.rmdir()
    install(repo)
    assert set(os.listdir(hooks)) == set(EVENTS)


def test_planning_writes_nothing(repo: Path, hooks: Path) -> None:
    script(hooks / "pre-commit", "echo theirs")
    before = tree(repo / ".git")
    plan_install(find_hooks(str(repo)))
    plan_uninstall(find_hooks(str(repo)))
    assert tree(repo / ".git") == before


def _older(path: Path) -> None:
    path.write_bytes(filled(shipped_text(), "/gone/prime-uve-hook"))


def _not_executable(path: Path) -> None:
    path.chmod(0o644)


def _linked(path: Path) -> None:
    path.rename(path.with_name("ours"))
    path.symlink_to("ours")


@pytest.mark.parametrize("alter", [_older, _not_executable, _linked])
def test_ours_is_brought_up_to_date(repo: Path, hooks: Path, alter: Callable[[Path], None]) -> None:
    install(repo)
    alter(hooks / "post-merge")
    steps = {step.event: step.action for step in install(repo)}
    assert steps == dict.fromkeys(EVENTS, Action.NOTHING) | {"post-merge": Action.UPDATE}
    assert facts(hooks)["post-merge"] == facts(hooks)["post-commit"]
    assert not (hooks / f"post-merge{KEPT}").exists()


def test_what_a_umask_forbids_does_not_make_a_hook_that_git_ignores(repo: Path, hooks: Path) -> None:
    before = os.umask(0o177)
    try:
        install(repo)
    finally:
        os.umask(before)
    assert {stat.S_IMODE(mode) for mode, _ in facts(hooks).values()} == {0o700}


# Somebody's hook


def _script(path: Path) -> None:
    script(path, "echo theirs")


def _bytes(path: Path) -> None:
    path.write_bytes(b"\x7fELF\0\xff")
    path.chmod(0o701)


def _ignored_by_git(path: Path) -> None:
    script(path, "echo theirs", mode=0o640)


def _link(path: Path) -> None:
    path.symlink_to("../../pyproject.toml")


def _dangling_link(path: Path) -> None:
    path.symlink_to("nowhere")


def _read_only(path: Path) -> None:
    script(path, "echo theirs", mode=0o500)


SOMEBODYS = [_script, _bytes, _ignored_by_git, _link, _dangling_link, _read_only]


@pytest.mark.parametrize("put", SOMEBODYS)
def test_somebodys_hook_is_kept_and_given_back_as_it_was(repo: Path, hooks: Path, put: Callable[[Path], None]) -> None:
    put(hooks / "pre-commit")
    put(hooks / "pre-push")  # no event of ours
    before = facts(hooks)
    assert {step.event: step.action for step in install(repo)}["pre-commit"] is Action.CHAIN
    during = facts(hooks)
    assert during[f"pre-commit{KEPT}"] == before["pre-commit"]
    assert during["pre-push"] == before["pre-push"]
    assert author(during["pre-commit"][1]) is Author.OURS
    assert actions(install(repo)) == {Action.NOTHING}
    assert facts(hooks) == during
    assert {step.event: step.action for step in uninstall(repo)}["pre-commit"] is Action.RESTORE
    assert facts(hooks) == before
    assert actions(uninstall(repo)) == {Action.NOTHING}


def test_a_keeping_that_was_broken_off_is_finished(repo: Path, hooks: Path) -> None:
    theirs = script(hooks / "pre-commit", "echo theirs")
    before = facts(hooks)
    os.link(theirs, hooks / f"pre-commit{KEPT}")
    install(repo)
    assert facts(hooks)[f"pre-commit{KEPT}"] == before["pre-commit"]
    uninstall(repo)
    assert facts(hooks) == before


@pytest.mark.parametrize("then", ["installed again", "uninstalled"])
def test_a_kept_hook_outlives_the_loss_of_ours(repo: Path, hooks: Path, then: str) -> None:
    script(hooks / "pre-commit", "echo theirs")
    before = facts(hooks)
    install(repo)
    (hooks / "pre-commit").unlink()
    if then == "installed again":
        assert actions(install(repo)) == {Action.CHAIN, Action.NOTHING}
    uninstall(repo)
    assert facts(hooks) == before


def test_what_is_not_ours_is_not_taken_out(repo: Path, hooks: Path) -> None:
    install(repo)
    script(hooks / "pre-commit", "echo theirs")
    script(hooks / f"pre-commit{KEPT}", "echo before")
    before = facts(hooks)
    steps = {step.event: step for step in uninstall(repo)}
    assert steps["pre-commit"].action is Action.LEAVE
    assert KEPT in steps["pre-commit"].note
    assert facts(hooks) == {name: fact for name, fact in before.items() if name.startswith("pre-commit")}


def _edited(path: Path) -> None:
    path.write_bytes(path.read_bytes() + b"echo mine\n")


def _replaced(path: Path) -> None:
    script(path, "echo theirs")
    script(path.with_name(path.name + KEPT), "echo before")


def _folder(path: Path) -> None:
    path.unlink()
    path.mkdir()


def _fifo(path: Path) -> None:
    path.unlink()
    os.mkfifo(path)


def _named(path: Path) -> None:
    script(path, 'case $(basename "$0") in pre-commit) exit 1;; esac')


REFUSED = {
    "ours with a line of somebody": (_edited, "is ours, but was edited; move it away: mv "),
    "another's, with an earlier one kept": (_replaced, "move one of them away: mv "),
    "a folder": (_folder, "is not a file; move it away: mv "),
    "a FIFO": (_fifo, "is not a file; move it away: mv "),
    "one that looks at its own name": (_named, "looks at its own name"),
}


@pytest.mark.parametrize(("alter", "sentence"), REFUSED.values(), ids=REFUSED)
def test_what_cannot_be_kept_is_refused_and_nothing_is_done(
    repo: Path, hooks: Path, alter: Callable[[Path], None], sentence: str
) -> None:
    install(repo)
    (hooks / "post-commit").unlink()
    alter(hooks / "pre-commit")
    before = facts(hooks)
    with pytest.raises(RefusalError) as caught:
        install(repo)
    assert repr(str(hooks / "pre-commit")) in str(caught.value)
    assert sentence in str(caught.value)
    assert facts(hooks) == before


def test_an_edited_hook_stays_when_the_others_are_taken_out(repo: Path, hooks: Path) -> None:
    install(repo)
    _edited(hooks / "pre-commit")
    (step,) = (step for step in uninstall(repo) if step.action is Action.LEAVE)
    assert "was edited; move it away: mv " in step.note
    assert os.listdir(hooks) == ["pre-commit"]


def test_a_hook_that_looks_at_its_name_is_chained_by_force(repo: Path, hooks: Path) -> None:
    _named(hooks / "pre-commit")
    before = facts(hooks)
    assert Action.CHAIN in actions(install(repo, force=True))
    uninstall(repo)
    assert facts(hooks) == before


def _nothing(_repo: Path) -> None:
    pass


def _somebodys(repo: Path) -> None:
    script(repo / ".git/hooks/pre-commit", "echo before")


def _ours(repo: Path) -> None:
    install(repo)


def _ours_of_another_release(repo: Path) -> None:
    install(repo)
    _older(repo / ".git/hooks/pre-commit")


PLANS = [
    (_nothing, plan_install),
    (_somebodys, plan_install),
    (_ours_of_another_release, plan_install),
    (_ours, plan_uninstall),
]


@pytest.mark.parametrize(("before", "plan"), PLANS)
def test_what_comes_between_plan_and_deed_is_not_lost(
    repo: Path, hooks: Path, before: Callable[[Path], None], plan: Callable[[HooksFolder], list[Step]]
) -> None:
    before(repo)
    steps = plan(find_hooks(str(repo)))
    theirs = script(hooks / "pre-commit", "echo theirs").read_bytes()
    with suppress(RefusalError):
        carry_out(steps)
    kept = hooks / f"pre-commit{KEPT}"
    assert theirs in [path.read_bytes() for path in (hooks / "pre-commit", kept) if path.exists()]


def test_of_two_who_keep_a_hook_at_once_neither_loses_it(repo: Path, hooks: Path) -> None:
    theirs = script(hooks / "pre-commit", "echo theirs").read_bytes()
    first, second = (plan_install(find_hooks(str(repo))) for _ in range(2))
    carry_out(first)
    carry_out(second)
    assert (hooks / f"pre-commit{KEPT}").read_bytes() == theirs
    assert actions(install(repo)) == {Action.NOTHING}


def test_a_legacy_hook_of_ours_that_nobody_runs_does_not_count(repo: Path, hooks: Path) -> None:
    install(repo)
    (hooks / "pre-commit").rename(hooks / "pre-commit.legacy")
    theirs = script(hooks / "pre-commit", "echo theirs").read_bytes()
    assert {step.event: step.action for step in install(repo)}["pre-commit"] is Action.CHAIN
    assert (hooks / f"pre-commit{KEPT}").read_bytes() == theirs


# A folder of others


@pytest.mark.parametrize("verb", [install, uninstall])
def test_a_folder_that_other_repositories_share_needs_force(
    repo: Path, home: Path, git: Git, verb: Callable[..., object]
) -> None:
    git(repo, "config", "core.hooksPath", "~/hooks")
    install(repo, force=True)
    assert set(os.listdir(home / "hooks")) == set(EVENTS)
    before = facts(home / "hooks")
    with pytest.raises(RefusalError, match="--force") as caught:
        verb(repo)
    assert repr(str(home / "hooks")) in str(caught.value)
    assert facts(home / "hooks") == before
    uninstall(repo, force=True)
    assert os.listdir(home / "hooks") == []
    assert actions(uninstall(repo)) == {Action.NOTHING}


def test_a_folder_that_is_committed_gets_a_text_for_every_machine(repo: Path, git: Git) -> None:
    git(repo, "config", "core.hooksPath", ".githooks")
    install(repo)
    assert {path.read_bytes() for path in (repo / ".githooks").iterdir()} == {shipped_text()}


def test_the_folder_of_husky_is_refused_with_the_lines_that_it_needs(repo: Path, git: Git) -> None:
    script(repo / ".husky/_/pre-commit", '. "$(dirname "$0")/h"')
    script(repo / ".husky/_/h", "exit 0")
    git(repo, "config", "core.hooksPath", ".husky/_")
    before = tree(repo / ".husky")
    with pytest.raises(RefusalError) as caught:
        install(repo)
    for event in EVENTS:
        assert f"echo 'prime-uve-hook {event} \"$@\"' >> .husky/{event}" in str(caught.value)
    assert tree(repo / ".husky") == before


# Faults


def test_a_folder_that_may_not_be_written_is_a_sentence_and_nothing_is_done(repo: Path, hooks: Path, run: Run) -> None:
    script(hooks / "pre-commit", "echo theirs")
    hooks.chmod(0o555)
    before = facts(hooks)
    done = run(*unprivileged(), SCRIPTS / "prime-uve", "hook", "install", cwd=repo)
    assert done.returncode == 2
    assert done.stderr == (
        f"prime-uve: cannot write {str(hooks / 'pre-commit')!r}: Permission denied; see who may: ls -ld '{hooks}'\n"
    )
    assert facts(hooks) == before
    hooks.chmod(0o755)


def test_a_file_in_the_place_of_the_folder_is_a_sentence(repo: Path, hooks: Path) -> None:
    hooks.rmdir()
    hooks.write_text("")
    with pytest.raises(PrimeUveError, match="cannot write"):
        install(repo)
    assert hooks.read_text() == ""


INJECTED = """
    import os, sys
    from pathlib import Path
    from prime_uve.errors import PrimeUveError
    from tests.native import install
    def hook(event, args):
        {}
    sys.addaudithook(hook)
    try:
        install(Path(sys.argv[1]))
    except PrimeUveError as error:
        sys.exit(str(error))
"""


def install_with(fault: str, repo: Path, run: Run) -> str:
    """Install while something goes wrong, which is said in Python and looks at each `event`; return what is told."""
    root = Path(__file__).parents[3]
    code = dedent(INJECTED).format(fault)
    done = run(sys.executable, "-c", code, repo, cwd=root, env={"PYTHONPATH": str(root)})
    assert done.returncode == bool(done.stderr), done.stderr
    return done.stderr


def test_a_file_system_without_hard_links_keeps_hooks_all_the_same(repo: Path, hooks: Path, run: Run) -> None:
    script(hooks / "pre-commit", "echo theirs")
    before = facts(hooks)
    assert install_with('if event == "os.link": raise OSError(1, "Operation not permitted")', repo, run) == ""
    assert facts(hooks)[f"pre-commit{KEPT}"] == before["pre-commit"]
    uninstall(repo)
    assert facts(hooks) == before


def test_a_name_that_is_taken_at_the_last_moment_is_not_overwritten(repo: Path, hooks: Path, run: Run) -> None:
    script(hooks / "pre-commit", "echo theirs")
    before = facts(hooks)
    said = install_with('if event == "os.link": open(args[1], "w").write("another")', repo, run)
    assert "File exists" in said
    assert facts(hooks)["pre-commit"] == before["pre-commit"]
    assert (hooks / f"pre-commit{KEPT}").read_text() == "another"


def test_a_hook_that_cannot_be_replaced_leaves_nothing_behind(repo: Path, hooks: Path, run: Run) -> None:
    said = install_with('if event == "os.rename": raise OSError(28, "No space left on device")', repo, run)
    assert "No space left on device; see who may: ls -ld " in said
    assert facts(hooks) == {}
