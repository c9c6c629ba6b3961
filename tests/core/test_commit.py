"""The check of a commit, on the index of real repositories."""

import json
import os
import shutil
import stat
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from prime_uve.core.cache import Cache
from prime_uve.core.commit import Verdict, check_index, check_work_tree, fix_index, fix_work_tree
from prime_uve.core.env_file import KEY
from prime_uve.core.paths import expand
from tests import commands, staging
from tests.commands import SCRIPTS, Git, Run
from tests.privileges import unprivileged
from tests.staging import NEW, OLD, registered, stage

Arrange = Callable[[Path], object]


def problems(checkout: Path, *, static: bool = False) -> list[str]:
    return check_index(str(checkout), static=static).problems


def problem(checkout: Path) -> str:
    """Return the only problem that there is."""
    (sentence,) = problems(checkout)
    return sentence


def told(verdict: Verdict) -> str:
    assert verdict.problems == []
    return "\n".join(verdict.notes)


@pytest.fixture
def checkout(project: Path, git: Git) -> Path:
    """Return a project in a repository without a commit."""
    git(project, "init", "--quiet", "--template=")
    return project


GOOD = {
    "a plain line": f"{KEY}={OLD}\n",
    "no newline at the end": f"{KEY}={OLD}",
    "CRLF": f"{KEY}={OLD}\r\nA=1\r\n",
    "a byte order mark": f"\ufeff{KEY}={OLD}\n",
    "double quotes": f'{KEY}="{OLD}"\n',
    "export": f"export {KEY}={OLD}\n",
    "a reference without braces": f"{KEY}=$HOME/prime-uve/venvs/demo\n",
    "the base variable": f"{KEY}=${{PRIME_UVE_VENVS}}/demo\n",
    "comments and other variables": f"# mine\n\nUV_LINK_MODE=copy\n{KEY}={OLD}\nPLACE=${{USER}}/x\n",
    "a folder in a base": f"{KEY}=${{HOME}}/prime-uve/venvs/team/demo\n",
    "a doubled slash": f"{KEY}=${{HOME}}//prime-uve/venvs/demo\n",
    "letters that are not ASCII": f"{KEY}=${{HOME}}/prime-uve/venvs/démo\n",
}


@pytest.mark.parametrize("text", GOOD.values(), ids=GOOD)
def test_a_right_file_passes(checkout: Path, text: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PRIME_UVE_VENVS", expand("${HOME}/prime-uve/venvs"))
    stage(checkout, text.encode())
    assert told(check_index(str(checkout))).startswith(f"registered {str(checkout)!r} with '${{HOME}}/")
    assert told(check_index(str(checkout))) == ""


BAD = {
    "no line that sets it": ("A=1\n", "does not set UV_PROJECT_ENVIRONMENT"),
    "an empty file": ("", "does not set UV_PROJECT_ENVIRONMENT"),
    "an empty value": (f"{KEY}=\n", "is empty"),
    "a quote that is not closed": (f"{KEY}='{OLD}\n", "line 1 (UV_PROJECT_ENVIRONMENT): a quote"),
    "a line that is no assignment": (f"# x\n{KEY}={OLD}\nhello\n", "line 3: there is no `=`"),
    "a home spelled out": (f"{KEY}=/home/joe/prime-uve/venvs/demo\n", "not portable: '/home/joe/prime-uve/venvs/demo'"),
    "a home of a Mac spelled out": (f"{KEY}=/Users/joe/prime-uve/venvs/demo\n", "prime-uve check --fix"),
    "a place of one machine": (f"{KEY}=/opt/venvs/demo\n", "prime-uve init --force"),
    "a relative path": (f"{KEY}=.venv\n", "is not absolute: '.venv'"),
    "a tilde": (f"{KEY}=~/prime-uve/venvs/demo\n", "is not absolute"),
    "two dots": (f"{KEY}=${{HOME}}/prime-uve/venvs/../../.ssh\n", "goes through '..'"),
    "another variable at the start": (f"{KEY}=${{WORKON_HOME}}/demo\n", "not portable: '/demo'"),
    "another variable in the name": (f"{KEY}={OLD}-${{USER}}\n", "depends on something else than HOME"),
    "another variable without braces": (f"{KEY}={OLD}-$USER\n", "depends on something else than HOME"),
    "a variable of the file": (f"BASE=${{HOME}}/prime-uve/venvs\n{KEY}=${{BASE}}/demo\n", "depends on something else"),
    "a variable twice": (f"{KEY}={OLD}/${{HOME}}\n", "depends on something else than HOME"),
    "a variable in single quotes": (f"{KEY}='/{OLD}'\n", "depends on something else than HOME"),
    "an escaped variable": (f"{KEY}=/\\{OLD}\n", "is ambiguous"),
    "two lines of which uv takes the first": (f"{KEY}={OLD}\n{KEY}={NEW}\n", "is ambiguous: uv takes "),
    "a home next to letters": (f"{KEY}=${{HOME}}less/prime-uve/venvs/demo\n", "not portable"),
    "a place in the home that is no base": (f"{KEY}=${{HOME}}/.venvs/demo\n", "not inside '${HOME}/prime-uve/venvs'"),
    "a neighbour of the base": (f"{KEY}=${{HOME}}/prime-uve/venvs2/demo\n", "not inside '${HOME}/prime-uve/venvs'"),
    "the home": (f"{KEY}=${{HOME}}/\n", "not inside '${HOME}/prime-uve/venvs'"),
    "the base itself": (f"{KEY}=${{HOME}}/prime-uve/venvs/\n", "not inside '${HOME}/prime-uve/venvs'"),
    "the base itself, by way of a dot": (
        f"{KEY}=${{HOME}}/prime-uve/venvs/./.\n",
        "not inside '${HOME}/prime-uve/venvs'",
    ),
    "the base variable itself": (f"{KEY}=${{PRIME_UVE_VENVS}}/.\n", "not inside '${HOME}/prime-uve/venvs'"),
}


@pytest.mark.parametrize(("text", "fragment"), BAD.values(), ids=BAD)
def test_a_wrong_file_is_a_problem_here_and_in_ci(checkout: Path, text: str, fragment: str) -> None:
    path = stage(checkout, text.encode())
    verdict = check_index(str(checkout))
    (sentence,) = verdict.problems
    assert problems(checkout, static=True) == [sentence]
    assert sentence.startswith(repr(str(path)))
    assert fragment in sentence
    assert verdict.notes == []
    assert registered() == {}


NAMES = {
    "a drive or a stream of Windows": "demo:x",
    "a wild card": "dem*",
    "a dot at the end": "demo.",
    "a dot at the end of a folder": "a./demo",
    "a device": "con",
    "a device with an ending": "Com1.venv",
    "a name of 256 bytes": "d" * 256,
    "a name of 128 letters of two bytes": "é" * 128,
}


@pytest.mark.parametrize("name", NAMES.values(), ids=NAMES)
def test_a_name_that_not_every_system_takes_is_a_problem(checkout: Path, name: str) -> None:
    stage(checkout, f'{KEY}="${{HOME}}/prime-uve/venvs/{name}"\n'.encode())
    assert "is not portable: not every system takes" in problem(checkout)


@pytest.mark.parametrize("name", ["demo_é", "a b", "console", "com10", "d" * 255, "a.b", ".demo", "a/./b"])
def test_a_name_that_every_system_takes_passes(checkout: Path, name: str) -> None:
    stage(checkout, f'{KEY}="${{HOME}}/prime-uve/venvs/{name}"\n'.encode())
    assert problems(checkout, static=True) == []


def test_a_folder_in_the_place_of_the_file_is_one_problem(checkout: Path, git: Git) -> None:
    for folder in ("", "sub/"):
        for name in ("a", "b", ".env.uve"):
            path = checkout / folder / ".env.uve" / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.touch()
    git(checkout, "add", ".")
    outer, inner = problems(checkout)
    place = str(checkout / ".env.uve")
    assert outer == (
        f"{place!r} is a folder in the index, where the env file belongs; take it out: git rm -r --cached '{place}'"
    )
    assert repr(str(checkout / "sub/.env.uve")) in inner


@pytest.mark.parametrize(
    ("content", "fragment"),
    [(b"A=\xff\n", "line 1: bytes that are not UTF-8"), (b"A='\0'\n", "NUL"), (b"\xff\xfeA\0", "not UTF-8")],
    ids=["a bad byte", "a NUL", "UTF-16"],
)
def test_bytes_that_are_no_text_are_a_problem(checkout: Path, content: bytes, fragment: str) -> None:
    stage(checkout, content)
    assert fragment in problem(checkout)


def test_a_problem_never_shows_other_values(checkout: Path) -> None:
    stage(checkout, f"TOKEN=hunter2\n{KEY}=/opt/x\nSECRET='hunter2\n".encode())
    assert "hunter2" not in problem(checkout)


def test_a_base_of_this_machine_is_as_good(checkout: Path, home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    stage(checkout, "${HOME}/.venvs/demo")
    assert "not inside" in problem(checkout)
    monkeypatch.setenv("PRIME_UVE_VENVS", f"/nowhere{os.pathsep}{home}/.venvs")
    assert told(check_index(str(checkout))) == f"registered {str(checkout)!r} with '${{HOME}}/.venvs/demo'"


def test_everybodys_base_is_right_where_this_machine_has_another(
    checkout: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PRIME_UVE_VENVS", str(tmp_path))
    stage(checkout, OLD)
    assert "not inside" in told(check_index(str(checkout)))
    assert registered() == {}


@pytest.mark.parametrize("value", [None, "", "/one:/two"], ids=["unset", "empty", "a list"])
def test_a_base_variable_that_names_no_folder_here_stops_nothing(
    checkout: Path, value: str | None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    stage(checkout, "${PRIME_UVE_VENVS}/demo")
    monkeypatch.setenv("PRIME_UVE_VENVS", str(tmp_path / "big"))
    assert told(check_index(str(checkout))) == f"registered {str(checkout)!r} with '{tmp_path}/big/demo'"
    monkeypatch.delenv("PRIME_UVE_VENVS")
    if value is not None:
        monkeypatch.setenv("PRIME_UVE_VENVS", value)
    assert "needs PRIME_UVE_VENVS; set it to one folder" in told(check_index(str(checkout)))


def test_the_local_file_is_a_problem_only_in_the_index(checkout: Path, git: Git) -> None:
    stage(checkout, OLD)
    (checkout / ".env.uve.local").write_text(f"{KEY}=/fast/disk/venv\n")
    assert problems(checkout) == []
    assert registered() == {str(checkout): "/fast/disk/venv"}
    git(checkout, "add", "--force", ".env.uve.local")
    path = str(checkout / ".env.uve.local")
    assert problem(checkout) == f"{path!r} is for this machine alone; take it out: git rm --cached {path!r}"
    git(checkout, "rm", "--cached", "--quiet", path)
    assert problems(checkout) == []


def test_a_broken_local_file_is_this_machines_matter(checkout: Path) -> None:
    stage(checkout, OLD)
    (checkout / ".env.uve.local").write_text("'")
    assert ".env.uve.local', line 1" in told(check_index(str(checkout)))


def test_a_link_in_the_index_is_a_problem_which_its_remedy_mends(checkout: Path, git: Git, run: Run) -> None:
    staging.write(checkout.parent / "elsewhere", OLD)
    (checkout / ".env.uve").symlink_to("../elsewhere/.env.uve")
    git(checkout, "add", ".env.uve")
    sentence = problem(checkout)
    assert "is no file, but a link" in sentence
    remedy = sentence.partition("put a file in its place: ")[2]
    assert run("sh", "-c", remedy, cwd=checkout).returncode == 0
    git(checkout, "add", ".env.uve")
    assert problems(checkout) == []


def test_a_module_in_the_place_of_the_file_is_a_problem(repo: Path, git: Git) -> None:
    head = git(repo, "rev-parse", "HEAD").strip()
    git(repo, "update-index", "--add", "--cacheinfo", f"160000,{head},.env.uve")
    assert "is no file, but a link or a module" in problem(repo)


def test_an_executable_file_is_a_file(checkout: Path, git: Git) -> None:
    stage(checkout, OLD)
    git(checkout, "update-index", "--chmod=+x", ".env.uve")
    assert problems(checkout) == []


def test_each_project_in_a_repository_is_judged_and_registered(checkout: Path) -> None:
    stage(checkout, OLD)
    stage(checkout / "tools/one", NEW)
    path = stage(checkout / "two", "/opt/venv")
    verdict = check_index(str(checkout))
    assert [sentence.split(" is ")[0] for sentence in verdict.problems] == [repr(str(path))]
    assert f"--force {str(checkout / 'two')!r}" in verdict.problems[0]
    assert registered() == {str(checkout): OLD, str(checkout / "tools/one"): NEW}


@pytest.mark.parametrize(
    "name",
    [
        "with space",
        "it's",
        'a "quote"',
        "$HOME",
        "new\nline",
        "[ab]*",
        ":(top)x",
        "ünï",
        os.fsdecode(b"\xff"),
        "-x",
        "\\",
    ],
    ids=ascii,
)
def test_a_project_may_lie_in_a_folder_of_any_name(checkout: Path, name: str) -> None:
    path = stage(checkout / name, OLD)
    assert problems(checkout) == []
    assert registered() == {str(checkout / name): OLD}
    assert told(check_index(str(checkout))) == ""
    stage(checkout / name, NEW)
    assert repr(str(checkout / name)) in problem(checkout)
    path.write_bytes(b"")
    assert "but its .env.uve names" in problem(checkout)


def test_a_repository_with_sha256_is_read(project: Path, git: Git) -> None:
    git(project, "init", "--quiet", "--object-format=sha256")
    path = stage(project, OLD)
    assert problems(project) == []
    stage(project, NEW)
    path.unlink()
    assert "prime-uve register --accept" in problem(project)


def test_a_repository_without_env_file_has_nothing_to_judge(repo: Path) -> None:
    verdict = check_index(str(repo))
    assert (verdict.problems, verdict.notes) == ([], [])


def test_a_project_that_is_not_checked_out_is_judged_but_not_registered(repo: Path) -> None:
    staging.commit(repo / "one", OLD)
    stage(repo / "two", "/opt/venv")
    shutil.rmtree(repo / "one")
    shutil.rmtree(repo / "two")
    assert "not portable" in problem(repo)
    assert registered() == {}


# The index is what is committed.


def test_what_is_staged_counts_and_not_what_lies_in_the_work_tree(checkout: Path) -> None:
    stage(checkout, OLD)
    staging.write(checkout, "/opt/venv")
    assert problems(checkout) == []
    stage(checkout, "/opt/venv")
    staging.write(checkout, OLD)
    assert "'/opt/venv' is a path of one machine" in problems(checkout)[0]


@pytest.mark.parametrize("replace", [Path.mkdir, os.mkfifo], ids=["a folder", "a FIFO"])
def test_what_lies_in_the_place_of_a_staged_file_does_not_count(checkout: Path, replace: Arrange) -> None:
    path = stage(checkout, OLD)
    path.unlink()
    replace(path)
    assert problems(checkout) == []
    assert registered() == {str(checkout): OLD}


def test_a_deletion_is_not_judged(repo: Path, git: Git) -> None:
    staging.commit(repo, "/opt/venv")
    git(repo, "rm", "--cached", "--quiet", ".env.uve")
    assert problems(repo) == []


def test_what_is_not_staged_is_not_judged(checkout: Path) -> None:
    staging.write(checkout, "/opt/venv")
    assert problems(checkout) == []


@pytest.mark.parametrize(
    ("args", "is_stopped"),
    [
        (["--all"], True),
        (["--", ".env.uve"], True),
        (["--", "other"], False),
        (["--include", "--", "other"], False),
    ],
    ids=["all that changed", "the env file alone", "another file alone", "another file and what is staged"],
)
def test_the_index_of_the_commit_is_judged(
    repo: Path, git: Git, run: Run, args: list[str], *, is_stopped: bool
) -> None:
    staging.commit(repo, OLD)
    (repo / "other").write_text("1")
    git(repo, "add", "other")
    staging.install_hooks(repo, "pre-commit")
    staging.write(repo, "/opt/venv")
    before = git(repo, "rev-parse", "HEAD")
    done = run("git", "commit", "--message", "x", *args, cwd=repo)
    assert (done.returncode != 0) == is_stopped, done.stderr
    assert ("is not portable" in done.stderr) == is_stopped
    assert (git(repo, "rev-parse", "HEAD") == before) == is_stopped


def test_a_commit_of_another_file_passes_though_a_wrong_one_is_staged(repo: Path, run: Run, git: Git) -> None:
    staging.commit(repo, OLD)
    stage(repo, "/opt/venv")
    (repo / "other").write_text("1")
    git(repo, "add", "--intent-to-add", "other")
    staging.install_hooks(repo, "pre-commit")
    assert run("git", "commit", "--message", "x", "--", "other", cwd=repo).returncode == 0
    done = run("git", "commit", "--message", "x", cwd=repo)
    assert (done.returncode, "is not portable" in done.stderr) == (1, True)


@pytest.fixture
def conflict(repo: Path, run: Run) -> Path:
    """Return a repository with the mapping to ``OLD`` in the middle of a merge in which a branch brings ``NEW``."""
    staging.commit(repo, "${HOME}/prime-uve/venvs/base")
    staging.quietly(repo, "switch", "--quiet", "--create", "theirs")
    staging.commit(repo, NEW)
    staging.quietly(repo, "switch", "--quiet", "main")
    staging.commit(repo, OLD)
    assert problems(repo) == []
    assert run("git", "merge", "theirs", cwd=repo).returncode == 1
    return repo


def test_an_unmerged_file_is_left_alone(conflict: Path) -> None:
    verdict = check_index(str(conflict))
    assert (verdict.problems, verdict.notes) == ([], [])
    assert fix_index(str(conflict)) == []


# The registry.


def test_a_changed_path_is_a_problem_with_both_paths_and_both_remedies(repo: Path, home: Path) -> None:
    staging.commit(repo, OLD)
    assert problems(repo) == []
    stage(repo, NEW)
    sentence = problem(repo)
    for part in (
        str(repo),
        f"{home}/prime-uve/venvs/demo_00000000",
        f"{home}/prime-uve/venvs/demo_11111111",
        "prime-uve register --accept",
        "checkout HEAD -- .env.uve",
    ):
        assert part in sentence
    assert registered() == {str(repo): OLD}


@pytest.mark.parametrize("remedy", ["accept the file: ", "or restore it: "])
def test_each_remedy_mends_a_changed_path(repo: Path, run: Run, remedy: str) -> None:
    staging.commit(repo, OLD)
    assert problems(repo) == []
    stage(repo, NEW)
    command = problem(repo).partition(remedy)[2].partition(", or")[0]
    assert run("sh", "-c", command, cwd=repo.parent).returncode == 0
    assert problems(repo) == []
    assert registered() == {str(repo): NEW if "accept" in remedy else OLD}


def test_a_changed_path_that_is_wrong_in_itself_is_told_as_both(checkout: Path) -> None:
    stage(checkout, OLD)
    assert problems(checkout) == []
    stage(checkout, "/opt/venv")
    wrong, changed = problems(checkout)
    assert "not portable" in wrong
    assert "'/opt/venv'; accept the file" in changed


def test_another_spelling_of_the_same_place_is_no_change(checkout: Path) -> None:
    stage(checkout, OLD)
    assert problems(checkout) == []
    stage(checkout, f'"{OLD}/."')
    assert told(check_index(str(checkout))) == ""
    assert registered() == {str(checkout): OLD}


def test_in_ci_a_changed_path_is_no_problem_and_nothing_is_registered(checkout: Path, home: Path) -> None:
    stage(checkout, OLD)
    verdict = check_index(str(checkout), static=True)
    assert (verdict.problems, verdict.notes, list(home.iterdir())) == ([], [], [])
    assert problems(checkout) == []
    stage(checkout, NEW)
    assert problems(checkout, static=True) == []
    assert registered() == {str(checkout): OLD}


def test_a_second_checkout_of_one_environment_is_warned_and_not_registered(
    repo: Path, tmp_path: Path, git: Git
) -> None:
    staging.commit(repo, OLD)
    assert problems(repo) == []
    git(tmp_path, "clone", "--quiet", repo, "second")
    note = told(check_index(str(tmp_path / "second")))
    assert f"belongs to {str(repo)!r}" in note
    assert f"prime-uve init {str(tmp_path / 'second')!r}" in note
    assert registered() == {str(repo): OLD}


def test_a_checkout_that_was_moved_keeps_its_environment(checkout: Path, tmp_path: Path) -> None:
    stage(checkout, OLD)
    assert problems(checkout) == []
    checkout.rename(tmp_path / "moved")
    assert f"{str(checkout)!r} has moved to" in told(check_index(str(tmp_path / "moved")))
    assert registered() == {str(tmp_path / "moved"): OLD}


def _registry(home: Path) -> Path:
    (home / ".prime-uve").mkdir()
    return home / ".prime-uve/cache.json"


def _read_only(home: Path) -> None:
    _registry(home).parent.chmod(0o555)


def _unwritable_home(home: Path) -> None:
    home.chmod(0o555)


def _unreadable(home: Path) -> None:
    _registry(home).write_text('{"version": "1.0", "venvs": {}}')
    (home / ".prime-uve/cache.json").chmod(0)


def _locked_in(home: Path) -> None:
    _registry(home).parent.chmod(0)


# What is the matter with this machine, and what is said about it: the registry lies in the home unless a variable says
# otherwise.
MACHINES: dict[str, tuple[Arrange, dict[str, str], str]] = {
    "there is no registry yet": (lambda _: None, {}, "registered "),
    "the registry is read-only": (_read_only, {}, "Permission denied"),
    "the registry is unreadable": (_unreadable, {}, "Permission denied"),
    "the folder of the registry is closed": (_locked_in, {}, "Permission denied"),
    "the home is read-only": (_unwritable_home, {}, "Permission denied"),
    "the registry is a folder": (lambda home: _registry(home).mkdir(), {}, "cache.json"),
    "the registry is a FIFO": (lambda home: os.mkfifo(_registry(home)), {}, "cache.json"),
    "the registry is newer": (lambda home: _registry(home).write_text('{"version": "9.0", "venvs": {}}'), {}, "9.0"),
    "the registry is damaged": (lambda home: _registry(home).write_text('{"version": "1.0", "ven'), {}, "cache.json"),
    "the registry is foreign": (lambda home: _registry(home).write_text("[1, 2]"), {}, "cache.json"),
    "the registry's folder is a file": (lambda home: (home / ".prime-uve").touch(), {}, ".prime-uve"),
    "the home is a file": (lambda home: (home / "file").touch(), {"HOME": "{home}/file"}, "file"),
    "the home does not exist": (lambda _: None, {"HOME": "/proc/nobody"}, "/proc/nobody"),
    "the place of the registry is relative": (lambda _: None, {"PRIME_UVE_CACHE": "cache.json"}, "PRIME_UVE_CACHE"),
    "the bases are relative": (lambda _: None, {"PRIME_UVE_VENVS": "venvs"}, "PRIME_UVE_VENVS"),
}


@pytest.mark.parametrize("machine", MACHINES)
def test_the_state_of_this_machine_stops_no_good_file_and_lets_no_wrong_one_pass(
    checkout: Path, home: Path, run: Run, machine: str
) -> None:
    arrange, env, fragment = MACHINES[machine]
    arrange(home)
    env = {name: value.format(home=home) for name, value in env.items()}
    check = [*unprivileged(), str(SCRIPTS / "prime-uve-hook"), "check"]
    stage(checkout, OLD)
    try:
        good = run(*check, cwd=checkout, env=env)
        stage(checkout, "/opt/venv")
        wrong = run(*check, cwd=checkout, env=env)
    finally:
        for folder in (home, home / ".prime-uve"):
            if folder.is_dir():
                folder.chmod(0o755)
    assert good.returncode == 0, good.stderr
    assert fragment in good.stderr
    assert good.stderr.startswith("prime-uve: ")
    assert wrong.returncode == 1, wrong.stderr
    assert "is not portable" in wrong.stderr
    assert "Traceback" not in good.stderr + wrong.stderr
    assert not (checkout / "cache.json").exists()


@pytest.mark.parametrize("value", [None, "", "relative"], ids=["unset", "empty", "relative"])
def test_a_home_that_is_not_set_is_the_one_of_the_account(
    checkout: Path, tmp_path: Path, run: Run, value: str | None
) -> None:
    """An editor or a service may start Git without ``HOME``."""
    env = {"HOME": value, "PRIME_UVE_CACHE": str(tmp_path / "cache.json")}
    stage(checkout, OLD)
    first, second = (run("prime-uve-hook", "check", cwd=checkout, env=env) for _ in range(2))
    assert (first.returncode, second.returncode, second.stderr) == (0, 0, "")
    assert first.stderr == f"prime-uve: registered {str(checkout)!r} with {OLD!r}\n"
    assert {entry.name for entry in checkout.iterdir()} == {".git", ".env.uve", "pyproject.toml"}


@pytest.fixture
def public(git: Git) -> Iterator[Path]:
    """Return a repository that other accounts can reach."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        folder.chmod(0o755)
        git(folder, "init", "--quiet", "--template=")
        yield folder.resolve()


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can become an account that does not exist")
def test_without_any_home_a_good_file_passes_and_a_wrong_one_does_not(public: Path, run: Run) -> None:
    """As in a container that runs under a number."""
    rights = "+dac_override,+dac_read_search"  # to reach this Python wherever it is
    as_nobody = ("setpriv", "--reuid=54321", "--clear-groups", f"--inh-caps={rights}", f"--ambient-caps={rights}")
    trust = {"GIT_CONFIG_COUNT": "1", "GIT_CONFIG_KEY_0": "safe.directory", "GIT_CONFIG_VALUE_0": "*"}
    env = {"HOME": None, **trust}
    if run(*as_nobody, SCRIPTS / "prime-uve-hook", "--help", cwd=public, env=env).returncode != 0:
        pytest.skip("another account cannot run this Python here")
    for value, code in ((OLD, 0), ("${HOME}/.venvs/demo", 1), ("/home/joe/prime-uve/venvs/demo", 1), ("/x", 1)):
        stage(public, value)
        done = run(*as_nobody, SCRIPTS / "prime-uve-hook", "check", "--fix", cwd=public, env=env)
        assert done.returncode == code, done.stderr
        assert "Traceback" not in done.stderr


def test_a_registered_project_needs_no_lock(checkout: Path, home: Path, run: Run) -> None:
    """Also where the look without json does not find it: the registry escapes letters that are not ASCII."""
    stage(checkout / "ünï", OLD)
    assert problems(checkout) == []
    (home / ".prime-uve").chmod(0o555)
    try:
        done = run(*unprivileged(), SCRIPTS / "prime-uve-hook", "check", cwd=checkout)
    finally:
        (home / ".prime-uve").chmod(0o755)
    assert (done.returncode, done.stderr) == (0, "")


@pytest.mark.parametrize("row", ["text", None, {}, {"venv_path": 7}], ids=str)
def test_a_row_without_sense_is_no_mismatch(checkout: Path, row: object) -> None:
    Cache().path.parent.mkdir()
    Cache().path.write_text(json.dumps({"version": "1.0", "venvs": {str(checkout): row}}))
    stage(checkout, OLD)
    assert problems(checkout) == []
    assert registered() == {str(checkout): OLD}


# What comes in through Git.


@pytest.fixture
def branch(repo: Path) -> Path:
    """Return a repository with the mapping to ``OLD``, and with a branch ``theirs`` on which it is ``NEW``."""
    staging.commit(repo, OLD)
    assert problems(repo) == []
    staging.quietly(repo, "switch", "--quiet", "--create", "theirs")
    staging.commit(repo, NEW)
    staging.quietly(repo, "switch", "--quiet", "main")
    (repo / "mine").touch()
    staging.quietly(repo, "add", ".")
    staging.quietly(repo, "commit", "--message", "mine")
    return repo


@pytest.mark.parametrize(
    "command",
    [
        ["merge", "--no-edit", "theirs"],
        ["pull", "--quiet", "--no-rebase", "--no-edit", ".", "theirs"],
        ["cherry-pick", "--edit", "theirs"],
        ["rebase", "theirs"],
    ],
    ids=" ".join,
)
def test_a_change_that_git_brings_is_not_stopped(branch: Path, run: Run, command: list[str]) -> None:
    staging.install_hooks(branch, "pre-commit", "pre-merge-commit")
    done = run("git", *command, cwd=branch, env={"GIT_EDITOR": "true"})
    assert done.returncode == 0, done.stderr
    assert (branch / ".env.uve").read_text() == f"{KEY}={NEW}\n"


def test_a_merge_that_is_not_committed_yet_is_not_stopped(branch: Path, run: Run, git: Git) -> None:
    git(branch, "merge", "--no-commit", "theirs")
    staging.install_hooks(branch, "pre-commit")
    done = run("git", "commit", "--no-edit", cwd=branch)
    assert done.returncode == 0
    assert "the registry has" in done.stderr


def test_what_a_person_adds_to_a_merge_is_stopped(branch: Path, run: Run, git: Git) -> None:
    git(branch, "merge", "--no-commit", "theirs")
    stage(branch, "${HOME}/prime-uve/venvs/of-my-own")
    staging.install_hooks(branch, "pre-commit")
    done = run("git", "commit", "--no-edit", cwd=branch)
    assert done.returncode == 1
    assert "prime-uve register --accept" in done.stderr


def test_a_wrong_file_is_stopped_whoever_brings_it(repo: Path, run: Run, git: Git) -> None:
    staging.commit(repo, OLD)
    git(repo, "switch", "--quiet", "--create", "theirs")
    staging.commit(repo, "/opt/venv")
    git(repo, "switch", "--quiet", "main")
    staging.install_hooks(repo, "pre-merge-commit")
    done = run("git", "merge", "--no-ff", "--no-edit", "theirs", cwd=repo)
    assert done.returncode != 0
    assert "is not portable" in done.stderr


@pytest.mark.parametrize(
    ("value", "is_stopped"),
    [(NEW, False), (OLD, False), ("${HOME}/prime-uve/venvs/of-my-own", True)],
    ids=["their side", "our side", "a third one"],
)
def test_a_conflict_in_a_merge_that_is_resolved_by_hand(
    conflict: Path, run: Run, value: str, *, is_stopped: bool
) -> None:
    staging.install_hooks(conflict, "pre-commit")
    stage(conflict, value)
    done = run("git", "commit", "--no-edit", cwd=conflict)
    assert done.returncode == is_stopped, done.stderr


@pytest.mark.parametrize("command", ["cherry-pick", "rebase"])
@pytest.mark.parametrize("is_theirs", [True, False], ids=["as they have it", "with a third path"])
def test_a_conflict_in_picked_commits_that_is_resolved_by_hand(
    repo: Path, run: Run, git: Git, command: str, *, is_theirs: bool
) -> None:
    staging.commit(repo, "${HOME}/prime-uve/venvs/base")
    git(repo, "switch", "--quiet", "--create", "one")
    staging.commit(repo, OLD)
    git(repo, "switch", "--quiet", "--create", "two", "main")
    staging.commit(repo, NEW)
    Cache().add_mapping(repo, "${HOME}/prime-uve/venvs/base", "demo", "00000000")
    assert run("git", command, "one", cwd=repo).returncode == 1
    staging.install_hooks(repo, "pre-commit")
    picked = OLD if command == "cherry-pick" else NEW
    stage(repo, picked if is_theirs else "${HOME}/prime-uve/venvs/of-my-own")
    done = run("git", "commit", "--no-edit", cwd=repo)
    assert done.returncode == (not is_theirs), done.stderr


def test_the_same_change_is_stopped_when_the_merge_is_over(branch: Path, git: Git) -> None:
    git(branch, "merge", "--quiet", "--no-edit", "theirs")
    assert "prime-uve register --accept" in problem(branch)


# Mending.


def fixed(checkout: Path) -> str:
    """Return what one file that was mended holds."""
    (sentence,) = fix_index(str(checkout))
    path = str(checkout / ".env.uve")
    assert sentence.startswith(f"fixed {path!r}: it names '${{HOME}}/prime-uve/venvs/")
    assert sentence.endswith(f"; stage it: git add {path!r}")
    assert "not " in problem(checkout)  # what is staged is as it was
    commands.git(checkout, "add", ".env.uve")
    assert problems(checkout) == []
    return (checkout / ".env.uve").read_bytes().decode()


@pytest.mark.parametrize(
    "home_of",
    ["{home}", "/home/joe", "/Users/joe", "C:/Users/joe", "/home/with space"],
    ids=["one's own", "somebody's", "a Mac's", "a Windows'", "one with a space"],
)
def test_a_home_that_is_spelled_out_becomes_the_variable(checkout: Path, home: Path, home_of: str) -> None:
    stage(checkout, f'"{home_of.format(home=home)}/prime-uve/venvs/demo"')
    assert fixed(checkout) == f"{KEY}=${{HOME}}/prime-uve/venvs/demo\n"


@pytest.mark.parametrize("end", ["\r\n", "\n", ""], ids=["CRLF", "LF", "no line end"])
def test_a_mended_file_keeps_every_other_byte(checkout: Path, end: str) -> None:
    before, after = f"\ufeff# hé\r\n\nA='x  y' # z\n  export {KEY}=", f"{end}B=\u2028\r\n" if end else ""
    stage(checkout, f"{before}/home/joe/prime-uve/venvs/demo{after}".encode())
    assert fixed(checkout) == f"{before}${{HOME}}/prime-uve/venvs/demo{after}"


@pytest.mark.parametrize("mode", [0o600, 0o644, 0o664, 0o755], ids=oct)
def test_a_mended_file_keeps_its_permissions(checkout: Path, mode: int) -> None:
    path = stage(checkout, "/home/joe/prime-uve/venvs/demo")
    path.chmod(mode)
    commands.git(checkout, "add", ".env.uve")
    fixed(checkout)
    assert stat.S_IMODE(path.stat().st_mode) == mode


def test_a_file_is_mended_where_git_turns_line_ends_around(repo: Path, git: Git) -> None:
    git(repo, "config", "core.autocrlf", "true")
    staging.commit(repo, f"{KEY}=/home/joe/prime-uve/venvs/demo\r\n".encode())
    assert b"\r" not in git(repo, "show", ":.env.uve").encode()
    assert fixed(repo) == f"{KEY}=${{HOME}}/prime-uve/venvs/demo\r\n"


def test_each_project_in_a_repository_is_mended(checkout: Path) -> None:
    stage(checkout, OLD)
    for name in ("one", "[two]", ":three"):
        stage(checkout / name, "/home/joe/prime-uve/venvs/demo")
    assert len(fix_index(str(checkout))) == 3
    assert (checkout / "[two]/.env.uve").read_text() == f"{KEY}=${{HOME}}/prime-uve/venvs/demo\n"


@pytest.mark.parametrize(
    "text",
    [
        f"{KEY}={OLD}\n",
        f"{KEY}=/opt/venv\n",
        f"{KEY}=/home/joe/.venvs/demo\n",
        f"{KEY}=/home/joe\n",
        f"{KEY}=/home/joe/prime-uve/venvs/../x\n",
        f"{KEY}='/home/joe/prime-uve/venvs/demo\n",
        f"{KEY}=/home/joe/prime-uve/venvs/a\n{KEY}=/home/joe/prime-uve/venvs/b\n",
        f"{KEY}=/home/joe/prime-uve/venvs/$\n",
        "A=1\n",
        "",
    ],
    ids=[
        "a right file",
        "a place that is no home",
        "a place in a home that is no base",
        "a home and nothing else",
        "two dots",
        "a file that does not parse",
        "a file that stays ambiguous",
        "a name with a bare dollar",
        "no environment",
        "an empty file",
    ],
)
def test_what_a_variable_does_not_mend_is_not_touched(checkout: Path, text: str) -> None:
    path = stage(checkout, text.encode())
    before = path.stat()
    assert fix_index(str(checkout)) == []
    assert path.stat().st_mtime_ns == before.st_mtime_ns
    assert path.stat().st_ino == before.st_ino


@pytest.mark.parametrize("now", [f"{KEY}=/home/joe/prime-uve/venvs/other\n", f"{KEY}={OLD}\n", None])
def test_a_file_that_was_changed_since_it_was_staged_is_not_mended(checkout: Path, now: str | None) -> None:
    path = stage(checkout, "/home/joe/prime-uve/venvs/demo")
    if now is None:
        path.unlink()
    else:
        path.write_text(now)
    (sentence,) = fix_index(str(checkout))
    assert sentence == f"{str(path)!r} is not what is staged, and was not fixed; stage it: git add {str(path)!r}"
    assert (path.read_text() if path.exists() else None) == now


@pytest.mark.parametrize("replace", [Path.mkdir, os.mkfifo], ids=["a folder", "a FIFO"])
def test_mending_does_not_stop_at_what_is_no_file(checkout: Path, replace: Arrange) -> None:
    path = stage(checkout, "/home/joe/prime-uve/venvs/demo")
    path.unlink()
    replace(path)
    (sentence,) = fix_index(str(checkout))
    assert repr(str(path)) in sentence
    assert "not portable" in problem(checkout)


def test_a_file_that_cannot_be_written_is_told_and_stays_a_problem(checkout: Path, run: Run) -> None:
    path = stage(checkout / "sub", "/home/joe/prime-uve/venvs/demo")
    path.parent.chmod(0o555)
    try:
        done = run(*unprivileged(), SCRIPTS / "prime-uve-hook", "check", "--fix", cwd=checkout)
    finally:
        path.parent.chmod(0o755)
    assert done.returncode == 1
    assert f"not fixed: cannot write {str(path)!r}: Permission denied" in done.stderr
    assert "is not portable" in done.stderr
    assert [entry.name for entry in path.parent.iterdir()] == [".env.uve"]


# A file that Git does not have yet.


def test_a_file_in_the_work_tree_is_judged_and_registered_alike(project: Path) -> None:
    staging.write(project, "/opt/venv")
    (sentence,) = check_work_tree(str(project)).problems
    assert "not portable" in sentence
    staging.write(project, OLD)
    assert told(check_work_tree(str(project))) == f"registered {str(project)!r} with {OLD!r}"
    staging.write(project, NEW)
    assert check_work_tree(str(project), static=True).problems == []
    (sentence,) = check_work_tree(str(project)).problems
    assert "prime-uve register --accept" in sentence


def test_a_file_that_is_gone_names_nothing(project: Path) -> None:
    (sentence,) = check_work_tree(str(project)).problems
    assert "does not set" in sentence


def test_a_file_in_the_work_tree_is_mended(project: Path) -> None:
    path = staging.write(project, "/home/joe/prime-uve/venvs/demo")
    assert fix_work_tree(str(project)) == [f"fixed {str(path)!r}: it names '${{HOME}}/prime-uve/venvs/demo' now"]
    assert path.read_text() == f"{KEY}=${{HOME}}/prime-uve/venvs/demo\n"
    assert fix_work_tree(str(project)) == []


def test_verdicts_add_up() -> None:
    one, other = Verdict(), Verdict()
    one.problems, other.problems, other.notes = ["a"], ["b"], ["c"]
    one.add(other)
    assert (one.problems, one.notes) == (["a", "b"], ["c"])


def test_a_file_that_is_only_intended_to_be_added_is_not_judged(repo: Path, git: Git) -> None:
    (repo / ".env.uve").write_text("TOKEN=two words\n")
    git(repo, "add", "--intent-to-add", ".env.uve")
    assert check_index(str(repo)).problems == []
    git(repo, "add", ".env.uve")
    assert len(check_index(str(repo)).problems) == 1
