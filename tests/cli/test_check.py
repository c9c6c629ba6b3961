"""``prime-uve check``: what the commit hook checks, by hand."""

import json
from pathlib import Path

import pytest

from prime_uve.core.cache import Cache
from prime_uve.core.paths import generate_venv_path
from tests import staging
from tests.commands import Git, Run
from tests.trees import tree

AGREE = ".env.uve is right, and the registry agrees\n"
RIGHT = ".env.uve is right\n"
KEYS = {"ok", "problems", "notes"}


@pytest.fixture(params=["in Git, staged", "in Git, not staged", "without Git"])
def place(request: pytest.FixtureRequest, project: Path, git: Git) -> Path:
    """Return a project whose env file is in the index, beside it, or where there is no Git."""
    if request.param != "without Git":
        git(project, "init", "--quiet")
    staging.write(project, staging.OLD)
    if request.param == "in Git, staged":
        git(project, "add", ".")
    return project


def change(place: Path, value: str | bytes, git: Git) -> None:
    """Write another env file, and stage it where the old one is staged."""
    staging.write(place, value)
    if (place / ".git").exists() and git(place, "ls-files"):
        git(place, "add", ".")


def test_a_good_file_is_registered_and_agrees(run: Run, place: Path) -> None:
    first = run("prime-uve", "check", cwd=place)
    assert (first.returncode, first.stdout) == (0, RIGHT)
    assert first.stderr == f"prime-uve: registered {str(place)!r} with {staging.OLD!r}\n"
    assert staging.registered() == {str(place): staging.OLD}
    second = run("prime-uve", "check", cwd=place)
    assert (second.returncode, second.stdout, second.stderr) == (0, AGREE, "")


def test_nothing_is_said_twice_of_a_project_whose_name_is_not_ascii(call: Run, tmp_path: Path) -> None:
    project = tmp_path / "größe"
    staging.write(project, staging.OLD)
    call("prime-uve", "check", cwd=project)
    done = call("prime-uve", "check", cwd=project)
    assert (done.returncode, done.stdout, done.stderr) == (0, AGREE, "")


def test_another_path_than_the_registry_has_is_a_verdict_with_both_remedies(
    call: Run, place: Path, git: Git, home: Path
) -> None:
    call("prime-uve", "check", cwd=place)
    change(place, staging.NEW, git)
    done = call("prime-uve", "check", cwd=place)
    assert (done.returncode, done.stdout) == (1, "")
    (line,) = done.stderr.splitlines()
    for part in (
        staging.OLD.replace("${HOME}", str(home)), staging.NEW.replace("${HOME}", str(home)),
        f"prime-uve register --accept '{place}'", "or have it name that again: prime-uve init --force --venv-dir ",
    ):  # fmt: skip
        assert part in line
    assert staging.registered() == {str(place): staging.OLD}
    assert call("prime-uve", "register", "--accept", cwd=place).returncode == 0
    assert call("prime-uve", "check", cwd=place).returncode == 0


@pytest.mark.parametrize(
    ("content", "said"),
    [
        pytest.param(b"TOKEN=hunter2 hunter2\n", "line 1 (TOKEN): ", id="half-valid"),
        pytest.param(b"A=\xff\n", "line 1: bytes that are not UTF-8", id="not UTF-8"),
        pytest.param(b"A=1\n", "does not set UV_PROJECT_ENVIRONMENT", id="no key"),
        pytest.param("", "is empty", id="an empty path"),
        pytest.param("venvs/x", "is not absolute", id="a relative path"),
        pytest.param("${HOME}/prime-uve/venvs/../x", "goes through '..'", id="a path through .."),
        pytest.param("/opt/x", "is not portable", id="a path of one machine"),
        pytest.param("/home/colleague/prime-uve/venvs/x", "prime-uve check --fix", id="a home spelled out"),
        pytest.param("${HOME}/x", "is not inside '${HOME}/prime-uve/venvs'", id="a path outside of the base"),
    ],
)
def test_a_file_that_is_wrong_in_itself_is_a_verdict(
    call: Run, repo: Path, git: Git, content: str | bytes, said: str
) -> None:
    for is_staged in (False, True):
        staging.write(repo, content)
        if is_staged:
            git(repo, "add", ".")
        done = call("prime-uve", "check", cwd=repo)
        assert (done.returncode, done.stdout) == (1, "")
        assert said in done.stderr
        assert str(repo) in done.stderr
        assert "hunter2" not in done.stderr
        assert "Traceback" not in done.stderr
    assert staging.registered() == {}


def test_every_project_of_the_repository_is_checked(call: Run, repo: Path) -> None:
    staging.stage(repo, staging.OLD)
    staging.stage(repo / "packages/one", "${HOME}/x")
    done = call("prime-uve", "check", cwd=repo)
    assert done.returncode == 1
    assert f"'{repo}/packages/one/.env.uve' names '${{HOME}}/x'" in done.stderr
    assert AGREE not in done.stdout


def test_a_local_file_in_the_index_is_a_verdict(call: Run, repo: Path, git: Git) -> None:
    staging.stage(repo, staging.OLD)
    (repo / ".env.uve.local").write_text("")
    git(repo, "add", "--force", ".env.uve.local")
    done = call("prime-uve", "check", cwd=repo)
    assert done.returncode == 1
    assert f"take it out: git rm --cached '{repo}/.env.uve.local'" in done.stderr


def test_no_file_is_a_refusal_with_a_hint(call: Run, repo: Path, tmp_path: Path, home: Path) -> None:
    for folder in (repo, tmp_path):
        done = call("prime-uve", "check", cwd=folder)
        assert (done.returncode, done.stdout) == (2, "")
        assert done.stderr == (
            f"prime-uve: there is no .env.uve in {str(folder)!r} or above it; "
            f"write one: prime-uve init {str(folder)!r}\n"
        )
    assert tree(home) == {}


def test_a_path_can_be_given_and_lies_in_a_project(call: Run, place: Path, tmp_path: Path) -> None:
    (place / "src").mkdir()
    assert call("prime-uve", "check", "project/src", cwd=tmp_path).stdout == RIGHT
    assert staging.registered() == {str(place): staging.OLD}


@pytest.mark.parametrize("who", ["this person", "a colleague", "a colleague with a Mac"])
class TestFix:
    def spelled_out(self, who: str) -> str:
        home = {"a colleague": "/home/colleague", "a colleague with a Mac": "/Users/colleague"}
        return staging.OLD.replace("${HOME}", home.get(who, str(Path.home())))

    def test_writes_the_home_as_a_variable_and_keeps_every_other_byte(
        self, call: Run, place: Path, git: Git, who: str
    ) -> None:
        before = f"# why\r\nUV_PROJECT_ENVIRONMENT={self.spelled_out(who)} # here\r\nA=1".encode()
        change(place, before, git)
        assert call("prime-uve", "check", cwd=place).returncode == 1
        assert (place / ".env.uve").read_bytes() == before
        done = call("prime-uve", "check", "--fix", cwd=place)
        path = place / ".env.uve"
        assert path.read_bytes() == f"# why\r\nUV_PROJECT_ENVIRONMENT={staging.OLD} # here\r\nA=1".encode()
        assert f"prime-uve: fixed {str(path)!r}: it names {staging.OLD!r} now" in done.stderr
        if f"stage it: git add {str(path)!r}" in done.stderr:
            assert done.returncode == 1
            git(place, "add", ".")
        assert call("prime-uve", "check", cwd=place).returncode == 0
        again = path.stat().st_ino
        assert call("prime-uve", "check", "--fix", cwd=place).returncode == 0
        assert path.stat().st_ino == again


def test_what_a_commit_of_all_was_stopped_for_is_said_and_fixed(call: Run, repo: Path, git: Git, home: Path) -> None:
    staging.write(repo, staging.OLD)
    git(repo, "add", ".")
    call("prime-uve", "check", cwd=repo)
    staging.write(repo, staging.OLD.replace("${HOME}", str(home)))  # as it is after the commit, not staged
    path = str(repo / ".env.uve")
    stage = f"prime-uve: judged is what is staged, and {path!r} is another; stage it: git add {path!r}\n"
    done = call("prime-uve", "check", cwd=repo)
    assert (done.returncode, done.stdout, done.stderr) == (0, RIGHT, stage)
    done = call("prime-uve", "check", "--fix", cwd=repo)
    assert (done.returncode, done.stdout) == (0, RIGHT)
    assert done.stderr.startswith(f"prime-uve: fixed {path!r}: ")
    assert call("prime-uve", "check", cwd=repo).stdout == AGREE


def test_fix_leaves_what_it_cannot_mend(call: Run, place: Path, git: Git) -> None:
    change(place, "/opt/x", git)
    done = call("prime-uve", "check", "--fix", cwd=place)
    assert done.returncode == 1
    assert (place / ".env.uve").read_text() == "UV_PROJECT_ENVIRONMENT=/opt/x\n"
    assert "prime-uve check --fix" not in done.stderr
    assert "prime-uve init --force" in done.stderr


def test_as_json_it_is_one_document_with_these_keys(call: Run, place: Path, git: Git, home: Path) -> None:
    good = call("prime-uve", "check", "--json", cwd=place)
    document = json.loads(good.stdout)
    assert document.keys() == KEYS
    assert (document["ok"], document["problems"], good.returncode, good.stderr) == (True, [], 0, "")
    assert document["notes"] == [f"registered {str(place)!r} with {staging.OLD!r}"]
    change(place, staging.NEW, git)
    bad = call("prime-uve", "check", "--json", cwd=place)
    document = json.loads(bad.stdout)
    assert document.keys() == KEYS
    assert (document["ok"], document["notes"], bad.returncode, bad.stderr) == (False, [], 1, "")
    (problem,) = document["problems"]
    assert staging.NEW.replace("${HOME}", str(home)) in problem


@pytest.mark.parametrize("variable", ["true", "1", "yes"])
def test_in_continuous_integration_the_files_alone_are_judged_and_nothing_is_written(
    call: Run, place: Path, git: Git, home: Path, variable: str
) -> None:
    before = tree(place, home)
    done = call("prime-uve", "check", cwd=place, env={"CI": variable})
    assert (done.returncode, done.stderr) == (0, "")
    assert tree(place, home) == before
    change(place, "/opt/x", git)
    assert call("prime-uve", "check", cwd=place, env={"CI": variable}).returncode == 1
    assert tree(home) == {}


@pytest.mark.parametrize("content", ['{"version": "9.0", "venvs": {}}', None], ids=["newer", "a folder"])
def test_a_registry_that_cannot_be_used_never_fails_a_good_file(
    call: Run, place: Path, home: Path, content: str | None
) -> None:
    cache = home / ".prime-uve/cache.json"
    cache.parent.mkdir()
    if content is None:
        cache.mkdir()
    else:
        cache.write_text(content)
    before = tree(home)
    done = call("prime-uve", "check", cwd=place)
    assert done.returncode == 0
    (line,) = done.stderr.splitlines()
    assert line.startswith("prime-uve: the registry was not asked: ")
    assert tree(home) == before


def test_a_checkout_with_a_local_file_agrees_with_its_own_environment(call: Run, place: Path) -> None:
    own = generate_venv_path(place)
    (place / ".env.uve.local").write_text(f"UV_PROJECT_ENVIRONMENT={own}\n")
    done = call("prime-uve", "check", cwd=place)
    assert done.returncode == 0
    mapping = Cache().get_mapping(place)
    assert mapping is not None
    assert mapping["venv_path"] == own
