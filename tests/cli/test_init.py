"""``prime-uve init``: a checkout gets its environment, in words and files."""

import json
import os
import re
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from prime_uve.core.cache import Cache
from prime_uve.core.paths import generate_venv_path
from tests import commands
from tests.commands import Git, Run
from tests.fake_uv import FakeUv
from tests.privileges import unprivileged
from tests.terminal import INTERRUPT, converse
from tests.trees import tree

LINE = "UV_PROJECT_ENVIRONMENT=${HOME}/prime-uve/venvs/demo_1\n"
KEYS = {
    "project", "venv_path", "venv_path_expanded", "written", "set_aside", "registration", "notes", "dry_run",
}  # fmt: skip


def env_file(project: Path) -> str:
    return (project / ".env.uve").read_text()


def local_file(project: Path) -> str:
    return (project / ".env.uve.local").read_text()


def registered(project: Path) -> str | None:
    mapping = Cache().get_mapping(project)
    return str(mapping["venv_path"]) if mapping is not None else None


class TestFresh:
    def test_writes_the_file_registers_and_says_what_to_do_next(self, run: Run, project: Path, home: Path) -> None:
        done = run("prime-uve", "init", cwd=project)
        assert (done.returncode, done.stderr) == (0, "")
        path = generate_venv_path(project)
        assert re.fullmatch(r"\$\{HOME\}/prime-uve/venvs/demo_[0-9a-f]{8}", path)
        assert env_file(project) == f"UV_PROJECT_ENVIRONMENT={path}\n"
        assert registered(project) == path
        assert done.stdout.splitlines() == [
            f"written: {project}/.env.uve",
            f"project:     {project}",
            f"environment: {path.replace('${HOME}', str(home))}",
            f"registered {str(project)!r} with {path!r}",
            "nothing was installed; next: uve sync",
        ]
        assert {entry.name for entry in project.iterdir()} == {"pyproject.toml", ".env.uve"}

    def test_changes_nothing_the_second_time(self, run: Run, repo: Path, home: Path) -> None:
        run("prime-uve", "init", cwd=repo)
        before, inode = tree(repo, home), (home / ".prime-uve/cache.json").stat().st_ino
        done = run("prime-uve", "init", cwd=repo)
        assert done.returncode == 0
        assert "written" not in done.stdout
        assert tree(repo, home) == before
        assert (home / ".prime-uve/cache.json").stat().st_ino == inode

    def test_takes_a_path_and_goes_up_to_the_project(self, run: Run, project: Path, tmp_path: Path) -> None:
        (project / "src/deep").mkdir(parents=True)
        assert run("prime-uve", "init", "project/src/deep", cwd=tmp_path).returncode == 0
        assert registered(project) == generate_venv_path(project)

    def test_gives_a_workspace_one_environment_at_its_root(self, call: Run, project: Path) -> None:
        with (project / "pyproject.toml").open("a") as manifest:
            manifest.write('[tool.uv.workspace]\nmembers = ["packages/*"]\n')
        member = project / "packages/one"
        member.mkdir(parents=True)
        (member / "pyproject.toml").touch()
        assert call("prime-uve", "init", cwd=member).returncode == 0
        assert (project / ".env.uve").exists()
        assert not (member / ".env.uve").exists()

    @pytest.mark.parametrize("start", ["", "A=1\n", LINE, "A=two words\n"], ids=repr)
    def test_writes_nothing_at_all_in_a_dry_run(self, call: Run, repo: Path, home: Path, start: str) -> None:
        if start:
            (repo / ".env.uve").write_text(start)
        before = tree(repo, home)
        done = call("prime-uve", "init", "--dry-run", "--force", "--sync", cwd=repo)
        assert done.returncode == 0
        assert f"would be written: {repo}/.env.uve" in done.stdout.splitlines()
        assert "would have registered" in done.stdout
        assert tree(repo, home) == before

    def test_prints_one_json_document_with_these_keys(self, run: Run, project: Path, home: Path) -> None:
        path = generate_venv_path(project)
        for is_dry in (True, False):
            done = run("prime-uve", "init", "--json", *["--dry-run"][: int(is_dry)], cwd=project)
            document = json.loads(done.stdout)
            assert document.keys() == KEYS
            assert document == {
                "project": str(project),
                "venv_path": path,
                "venv_path_expanded": path.replace("${HOME}", str(home)),
                "written": [f"{project}/.env.uve"],
                "set_aside": {},
                "registration": {
                    "outcome": "added", "project": str(project), "venv_path": path, "previous": None, "other": None,
                    "no_longer_kept": None, "file": ".env.uve", "is_restorable": False,
                },
                "notes": [],
                "dry_run": is_dry,
            }  # fmt: skip
        assert document["registration"]["outcome"] == "added"

    @pytest.mark.parametrize(
        ("make", "said"),
        [
            pytest.param(
                lambda venv: (venv / "pyvenv.cfg").touch(),
                "the environment that uv made in the project",
                id="one of uv",
            ),
            pytest.param(lambda venv: (venv / "file").touch(), "not an environment", id="something else"),
        ],
    )
    def test_says_what_a_venv_in_the_project_is_and_leaves_it(
        self, call: Run, project: Path, make: Callable[[Path], None], said: str
    ) -> None:
        (project / ".venv").mkdir()
        make(project / ".venv")
        before = tree(project / ".venv")
        done = call("prime-uve", "init", cwd=project)
        assert f"'{project}/.venv' is {said}; it is no longer used and stays until you delete it" in done.stdout
        assert tree(project / ".venv") == before


class TestRefusals:
    def test_a_folder_that_is_in_no_project(self, run: Run, tmp_path: Path, home: Path) -> None:
        done = run("prime-uve", "init", cwd=tmp_path)
        assert (done.returncode, done.stdout) == (2, "")
        assert done.stderr == (
            f"prime-uve: there is no pyproject.toml in {str(tmp_path)!r} or above it; make a project: uv init\n"
        )
        assert tree(home) == {}

    @pytest.mark.parametrize(
        ("content", "said"),
        [
            pytest.param(b"A=1\nTOKEN=hunter2 hunter2\n", "line 2 (TOKEN): ", id="half-valid"),
            pytest.param(b"A=\xff\n", "line 1: bytes that are not UTF-8", id="not UTF-8"),
            pytest.param(b"UV_PROJECT_ENVIRONMENT=\n", "is empty", id="an empty path"),
            pytest.param(b"UV_PROJECT_ENVIRONMENT=venvs/x\n", "is not absolute", id="a relative path"),
            pytest.param(LINE.encode().strip() + b"/../../x", "goes through '..'", id="a path through .."),
            pytest.param(b"UV_PROJECT_ENVIRONMENT=/opt/x\n", "is not portable", id="a path of one machine"),
        ],
    )
    def test_a_file_that_is_wrong_in_itself_stays_as_it_is(
        self, call: Run, project: Path, home: Path, content: bytes, said: str
    ) -> None:
        (project / ".env.uve").write_bytes(content)
        before = tree(project, home)
        done = call("prime-uve", "init", cwd=project)
        assert (done.returncode, done.stdout) == (2, "")
        (line,) = done.stderr.splitlines()
        assert said in line
        assert "hunter2" not in line
        assert tree(project, home) == before

    def test_a_file_that_disagrees_with_the_registry_is_a_verdict_with_both_remedies(
        self, call: Run, repo: Path, home: Path
    ) -> None:
        call("prime-uve", "init", cwd=repo)
        (repo / ".env.uve").write_text(LINE)
        before = tree(repo, home)
        done = call("prime-uve", "init", cwd=repo)
        assert done.returncode == 1
        (line,) = done.stderr.splitlines()
        for part in (
            generate_venv_path(repo).replace("${HOME}", str(home)), f"{home}/prime-uve/venvs/demo_1",
            f"prime-uve register --accept '{repo}'", f"prime-uve init --force --venv-dir '{home}/",
        ):  # fmt: skip
            assert part in line
        assert tree(repo, home) == before

    def test_an_unwritable_project_is_a_sentence_and_not_registered(self, run: Run, project: Path, home: Path) -> None:
        project.chmod(0o555)
        done = run(*unprivileged(), commands.SCRIPTS / "prime-uve", "init", cwd=project)
        project.chmod(0o755)
        assert (done.returncode, done.stdout) == (2, "")
        assert done.stderr == (
            f"prime-uve: cannot write '{project}/.env.uve': Permission denied; see ls -ld '{project}'\n"
        )
        assert tree(home) == {}

    def test_an_unwritable_registry_is_a_sentence(self, run: Run, project: Path, home: Path) -> None:
        home.chmod(0o555)
        done = run(*unprivileged(), commands.SCRIPTS / "prime-uve", "init", cwd=project)
        home.chmod(0o755)
        assert done.returncode == 2
        assert done.stderr == f"prime-uve: could not make the folder {home}/.prime-uve: Permission denied\n"

    def test_a_newer_registry_stops_it_before_anything_is_written(self, run: Run, project: Path, home: Path) -> None:
        (home / ".prime-uve").mkdir()
        (home / ".prime-uve/cache.json").write_text('{"version": "9.0", "venvs": {}}')
        before = tree(project, home)
        done = run("prime-uve", "init", cwd=project)
        assert (done.returncode, done.stdout) == (2, "")
        assert "upgrade prime-uve" in done.stderr
        assert tree(project, home) == before


class TestForce:
    @pytest.fixture
    def taken(self, call: Run, project: Path) -> Path:
        """Return a project that is registered with an environment of another name."""
        (project / ".env.uve").write_text(f"# why\r\n{LINE}A=1\n")
        assert call("prime-uve", "init", cwd=project).returncode == 0
        return project

    def test_replaces_only_the_path(self, run: Run, taken: Path) -> None:
        done = run("prime-uve", "init", "--force", "--yes", cwd=taken)
        assert done.returncode == 0
        path = generate_venv_path(taken)
        assert (taken / ".env.uve").read_bytes().decode() == f"# why\r\nUV_PROJECT_ENVIRONMENT={path}\nA=1\n"
        assert "'${HOME}/prime-uve/venvs/demo_1' is now unused" in done.stdout
        assert registered(taken) == path

    def test_refuses_where_there_is_nobody_to_ask(self, run: Run, taken: Path, home: Path) -> None:
        before = tree(taken, home)
        done = run("prime-uve", "init", "--force", cwd=taken, stdin="y\n")
        assert (done.returncode, done.stdout) == (2, "")
        assert f"this would replace '{home}/prime-uve/venvs/demo_1' by " in done.stderr
        assert done.stderr.endswith("and there is nobody to ask; if that is right, add --yes\n")
        assert tree(taken, home) == before

    def test_asks_and_goes_on_at_a_yes(self, taken: Path) -> None:
        code, said = converse("prime-uve", "init", "--force", cwd=taken, prompt="[y/N]", answer="y\n")
        assert code == 0, said
        assert registered(taken) == generate_venv_path(taken)

    @pytest.mark.parametrize(
        ("answer", "code", "said"),
        [
            pytest.param("\n", 1, "nothing was changed", id="return"),
            pytest.param("n\n", 1, "nothing was changed", id="no"),
            pytest.param(INTERRUPT, 130, "interrupted; nothing more was done", id="Ctrl-C"),
        ],
    )
    def test_asks_and_leaves_all_as_it_is_at_anything_else(
        self, taken: Path, home: Path, answer: str, code: int, said: str
    ) -> None:
        before = tree(taken, home)
        found, output = converse("prime-uve", "init", "--force", cwd=taken, prompt="[y/N]", answer=answer)
        assert found == code
        assert output.endswith(f"prime-uve: {said}\r\n")
        assert "Traceback" not in output
        assert tree(taken, home) == before

    def test_keeps_a_file_that_cannot_be_used_under_a_free_name(self, call: Run, project: Path) -> None:
        for number, name in enumerate([".env.uve.rejected", ".env.uve.rejected-2"]):
            content = f"A={number}\nTOKEN=two words\n"
            (project / ".env.uve").write_text(content)
            refused = call("prime-uve", "init", "--force", cwd=project)
            assert refused.returncode == 2
            assert f"would move '{project}/.env.uve', which cannot be used, to '{project}/{name}'" in refused.stderr
            done = call("prime-uve", "init", "--force", "--yes", cwd=project)
            assert done.returncode == 0
            assert f"kept: {project}/.env.uve as {project}/{name}" in done.stdout
            assert (project / name).read_text() == content
            assert env_file(project) == f"UV_PROJECT_ENVIRONMENT={generate_venv_path(project)}\n"

    def test_replaces_a_path_of_one_machine(self, call: Run, project: Path) -> None:
        (project / ".env.uve").write_text("UV_PROJECT_ENVIRONMENT=/opt/x\nA=1\n")
        assert call("prime-uve", "init", "--force", "--yes", cwd=project).returncode == 0
        assert env_file(project) == f"UV_PROJECT_ENVIRONMENT={generate_venv_path(project)}\nA=1\n"


@pytest.mark.parametrize(
    ("before", "after"),
    [
        pytest.param(b"", b"LINE\n", id="empty"),
        pytest.param(b"A=1", b"A=1\nLINE\n", id="no line end"),
        pytest.param(b"A='x\ny'\n\n# end \n", b"A='x\ny'\n\n# end \nLINE\n", id="several lines and a comment"),
        pytest.param(b"A=1\r\nB=2\r\n", b"A=1\r\nB=2\r\nLINE\r\n", id="line ends of Windows"),
        pytest.param(b"\xef\xbb\xbfA=\xc3\xa9\n", b"\xef\xbb\xbfA=\xc3\xa9\nLINE\n", id="a byte order mark"),
    ],
)
def test_a_file_without_the_key_gets_a_line_and_keeps_every_byte(
    call: Run, project: Path, before: bytes, after: bytes
) -> None:
    (project / ".env.uve").write_bytes(before)
    assert call("prime-uve", "init", cwd=project).returncode == 0
    line = f"UV_PROJECT_ENVIRONMENT={generate_venv_path(project)}".encode()
    assert (project / ".env.uve").read_bytes() == after.replace(b"LINE", line)


class TestVenvDir:
    def test_inside_a_base_is_for_everybody(self, run: Run, project: Path, home: Path) -> None:
        done = run("prime-uve", "init", "--venv-dir", home / "prime-uve/venvs/mine", cwd=project)
        assert done.returncode == 0
        assert env_file(project) == "UV_PROJECT_ENVIRONMENT=${HOME}/prime-uve/venvs/mine\n"
        assert registered(project) == "${HOME}/prime-uve/venvs/mine"
        assert not (project / ".env.uve.local").exists()

    @pytest.mark.parametrize("place", ["{home}/envs/mine", "{parent}/envs/mine", "../envs/mine"])
    def test_elsewhere_is_for_this_machine_alone(self, call: Run, repo: Path, git: Git, home: Path, place: str) -> None:
        place = place.format(home=home, parent=repo.parent)
        done = call("prime-uve", "init", "--venv-dir", place, cwd=repo)
        assert done.returncode == 0
        wanted = os.path.normpath(repo / place).replace(str(home), "${HOME}")
        assert (
            f"{wanted!r} is a place of this machine alone: it goes into .env.uve.local, which is not committed"
            in done.stdout.splitlines()
        )
        assert env_file(repo) == f"UV_PROJECT_ENVIRONMENT={generate_venv_path(repo)}\n"
        assert local_file(repo) == f"UV_PROJECT_ENVIRONMENT={wanted}\n"
        assert registered(repo) == wanted
        assert git(repo, "status", "--porcelain") == "?? .env.uve\n"
        again = call("prime-uve", "init", cwd=repo)
        assert again.returncode == 0
        assert registered(repo) == wanted

    def test_another_than_the_file_names_needs_force(self, call: Run, project: Path, home: Path) -> None:
        call("prime-uve", "init", cwd=project)
        before = tree(project, home)
        wanted = f"{home}/prime-uve/venvs/mine"
        done = call("prime-uve", "init", "--venv-dir", wanted, cwd=project)
        assert (done.returncode, done.stdout) == (2, "")
        assert done.stderr.endswith(f"replace it: prime-uve init --force --venv-dir {wanted!r} {str(project)!r}\n")
        assert tree(project, home) == before
        assert call("prime-uve", "init", "--force", "--yes", "--venv-dir", wanted, cwd=project).returncode == 0
        assert registered(project) == "${HOME}/prime-uve/venvs/mine"

    def test_inside_a_base_goes_where_this_machine_has_its_own_line(
        self, call: Run, project: Path, tmp_path: Path, home: Path
    ) -> None:
        call("prime-uve", "init", "--venv-dir", tmp_path / "envs/mine", cwd=project)
        before, wanted = env_file(project), home / "prime-uve/venvs/mine"
        refused = call("prime-uve", "init", "--venv-dir", wanted, cwd=project)
        assert refused.returncode == 2
        assert f"{str(project / '.env.uve.local')!r} names {str(tmp_path / 'envs/mine')!r}" in refused.stderr
        done = call("prime-uve", "init", "--force", "--yes", "--venv-dir", wanted, cwd=project)
        assert done.returncode == 0, done.stderr
        assert env_file(project) == before
        assert local_file(project) == "UV_PROJECT_ENVIRONMENT=${HOME}/prime-uve/venvs/mine\n"
        assert registered(project) == "${HOME}/prime-uve/venvs/mine"

    @pytest.mark.parametrize("place", ["venv", ".", "..", "../project/venv"])
    def test_in_or_around_the_project_is_refused(self, call: Run, project: Path, home: Path, place: str) -> None:
        before = tree(project, home)
        done = call("prime-uve", "init", "--venv-dir", place, cwd=project)
        assert (done.returncode, done.stdout) == (2, "")
        assert "inside its own project, or around it" in done.stderr
        assert tree(project, home) == before

    @pytest.mark.parametrize("name", ["a b", "it's", "größe", "#1"])
    def test_of_any_name_is_written_so_that_it_is_read_again(
        self, call: Run, project: Path, home: Path, name: str
    ) -> None:
        done = call("prime-uve", "init", "--venv-dir", home / "prime-uve/venvs" / name, cwd=project)
        assert done.returncode == 0, done.stderr
        assert registered(project) == f"${{HOME}}/prime-uve/venvs/{name}"
        assert call("prime-uve", "check", cwd=project).returncode == 0

    @pytest.mark.parametrize("name", ['say "x"', "a:b", "con", "what?"])
    def test_of_a_name_that_not_every_system_takes_is_for_this_machine_alone(
        self, call: Run, project: Path, home: Path, name: str
    ) -> None:
        done = call("prime-uve", "init", "--venv-dir", home / "prime-uve/venvs" / name, cwd=project)
        assert done.returncode == 0, done.stderr
        assert registered(project) == f"${{HOME}}/prime-uve/venvs/{name}"
        assert env_file(project) == f"UV_PROJECT_ENVIRONMENT={generate_venv_path(project)}\n"
        assert call("prime-uve", "check", cwd=project).returncode == 0

    def test_in_the_project_is_refused_in_the_local_file_too(self, call: Run, project: Path, home: Path) -> None:
        (project / ".env.uve.local").write_text(f"UV_PROJECT_ENVIRONMENT={project}/venv\nA=1\n")
        before = tree(project, home)
        done = call("prime-uve", "init", cwd=project)
        assert (done.returncode, done.stdout) == (2, "")
        assert f"'{project}/.env.uve.local' names an environment inside its own project" in done.stderr
        assert tree(project, home) == before
        done = call("prime-uve", "init", "--force", cwd=project)
        assert done.returncode == 0
        assert "this machine cannot use what .env.uve.local names" in done.stdout
        assert local_file(project) == f"UV_PROJECT_ENVIRONMENT={generate_venv_path(project)}\nA=1\n"

    def test_of_a_name_that_no_file_can_hold_is_refused(self, call: Run, project: Path, home: Path) -> None:
        before = tree(project, home)
        for name in ("two\nlines", "\udcff", "it's $x"):
            done = call("prime-uve", "init", "--venv-dir", home / "prime-uve/venvs" / name, cwd=project)
            assert (done.returncode, done.stdout) == (2, "")
            assert done.stderr.count("\n") == 1
        assert tree(project, home) == before


class TestSecondCheckout:
    def assert_own(self, git: Git, checkout: Path, other: Path) -> None:
        """The checkout has an environment of its own, which Git does not see."""
        assert registered(checkout) == generate_venv_path(checkout) != registered(other)
        assert env_file(checkout) == env_file(other)
        assert local_file(checkout) == f"UV_PROJECT_ENVIRONMENT={generate_venv_path(checkout)}\n"
        assert git(checkout, "status", "--porcelain") == ""

    @pytest.fixture
    def committed(self, call: Run, repo: Path, git: Git) -> Path:
        call("prime-uve", "init", cwd=repo)
        git(repo, "add", ".")
        git(repo, "commit", "--quiet", "--message", "An environment")
        return repo

    @pytest.mark.parametrize("how", ["clone", "worktree", "copy"])
    def test_gets_its_own_environment_through_the_local_file(
        self, run: Run, git: Git, committed: Path, tmp_path: Path, how: str
    ) -> None:
        second = tmp_path / "second"
        if how == "clone":
            git(tmp_path, "clone", "--quiet", committed, second)
        elif how == "worktree":
            git(committed, "worktree", "add", "--quiet", second)
        else:
            shutil.copytree(committed, second)
        first_environment = registered(committed)
        done = run("prime-uve", "init", cwd=second)
        assert done.returncode == 0
        assert f"{first_environment!r} belongs to {str(committed)!r}: this checkout gets its own" in done.stdout
        self.assert_own(git, second, committed)
        assert registered(committed) == first_environment
        before = tree(second)
        assert run("prime-uve", "init", cwd=second).returncode == 0
        assert tree(second) == before

    def test_that_was_copied_with_its_local_file_asks_before_that_is_changed(
        self, call: Run, git: Git, committed: Path, tmp_path: Path
    ) -> None:
        second, third = tmp_path / "second", tmp_path / "third"
        git(tmp_path, "clone", "--quiet", committed, second)
        call("prime-uve", "init", cwd=second)
        shutil.copytree(second, third)
        before = tree(third)
        done = call("prime-uve", "init", cwd=third)
        assert (done.returncode, done.stdout) == (2, "")
        assert done.stderr.endswith("if that is right, add --yes\n")
        assert tree(third) == before
        assert call("prime-uve", "init", "--yes", cwd=third).returncode == 0
        self.assert_own(git, third, committed)
        assert registered(second) == generate_venv_path(second)

    def test_takes_the_path_of_its_colleagues_where_nobody_here_has_it(
        self, call: Run, git: Git, committed: Path, tmp_path: Path
    ) -> None:
        path = registered(committed)
        git(tmp_path, "clone", "--quiet", committed, "second")
        shutil.rmtree(committed)
        done = call("prime-uve", "init", cwd=tmp_path / "second")
        assert done.returncode == 0
        assert registered(tmp_path / "second") == path
        assert registered(committed) is None
        assert "has moved to" in done.stdout

    def test_keeps_what_the_exclude_file_had(self, call: Run, repo: Path) -> None:
        exclude = repo / ".git/info/exclude"
        exclude.parent.mkdir(exist_ok=True)
        exclude.write_bytes(b"# mine\nbuild")
        for _ in range(2):
            assert call("prime-uve", "init", cwd=repo).returncode == 0
            assert exclude.read_bytes() == b"# mine\nbuild\n.env.uve.local\n"
        assert not (repo / ".gitignore").exists()


class TestBases:
    def test_one_outside_of_the_home_is_named_by_its_variable(self, run: Run, project: Path, tmp_path: Path) -> None:
        done = run("prime-uve", "init", cwd=project, env={"PRIME_UVE_VENVS": f"{tmp_path}/big"})
        assert done.returncode == 0
        assert re.fullmatch(r"UV_PROJECT_ENVIRONMENT=\$\{PRIME_UVE_VENVS\}/demo_[0-9a-f]{8}\n", env_file(project))
        assert not (project / ".env.uve.local").exists()
        assert (registered(project) or "").startswith(f"{tmp_path}/big/demo_")

    def test_several_outside_of_the_home_have_no_name_for_everybody(
        self, call: Run, project: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setenv("PRIME_UVE_VENVS", f"{tmp_path}/big{os.pathsep}{tmp_path}/old")
        assert call("prime-uve", "init", cwd=project).returncode == 0
        path = generate_venv_path(project)
        assert path.startswith(f"{tmp_path}/big/demo_")
        assert local_file(project) == f"UV_PROJECT_ENVIRONMENT={path}\n"
        assert env_file(project) == f"UV_PROJECT_ENVIRONMENT=${{HOME}}/prime-uve/venvs/{os.path.basename(path)}\n"
        assert registered(project) == path

    def test_one_in_the_home_is_named_by_the_home(self, call: Run, project: Path, home: Path) -> None:
        done = call("prime-uve", "init", cwd=project, env={"PRIME_UVE_VENVS": f"{home}/big"})
        assert done.returncode == 0
        assert env_file(project).startswith("UV_PROJECT_ENVIRONMENT=${HOME}/big/demo_")
        assert call("prime-uve", "init", cwd=project, env={"PRIME_UVE_VENVS": f"{home}/big"}).returncode == 0

    def test_that_do_not_hold_the_colleagues_path_give_this_checkout_its_own(
        self, call: Run, project: Path, tmp_path: Path
    ) -> None:
        (project / ".env.uve").write_text(LINE)
        done = call("prime-uve", "init", cwd=project, env={"PRIME_UVE_VENVS": f"{tmp_path}/big"})
        assert done.returncode == 0
        assert "this machine cannot use what .env.uve names: this checkout gets its own" in done.stdout
        assert env_file(project) == LINE
        assert local_file(project).startswith("UV_PROJECT_ENVIRONMENT=${PRIME_UVE_VENVS}/demo_")
        assert (registered(project) or "").startswith(f"{tmp_path}/big/demo_")


class TestSync:
    def test_runs_uv_with_the_environment(self, run: Run, project: Path, tmp_path: Path, fake_uv: FakeUv) -> None:
        done = run("prime-uve", "init", "--sync", project, cwd=tmp_path)
        assert (done.returncode, done.stderr) == (0, "")
        assert "next: uve sync" not in done.stdout
        call = fake_uv.call
        assert call.argv == ["sync", "--project", str(project)]
        assert call.env["VIRTUAL_ENV"] == generate_venv_path(project).replace("${HOME}", os.environ["HOME"])

    def test_that_fails_is_a_failure_and_the_project_is_registered(
        self, run: Run, project: Path, fake_uv: FakeUv
    ) -> None:
        fake_uv.exits(7)
        done = run("prime-uve", "init", "--sync", cwd=project)
        assert done.returncode == 1
        assert done.stderr == (
            "prime-uve: uv sync failed (exit code 7); the project is registered; try again: uve sync\n"
        )
        assert registered(project) is not None

    @pytest.mark.parametrize("options", [[], ["--json"]], ids=["in words", "as json"])
    def test_comes_after_the_report_and_not_into_the_document(
        self, run: Run, project: Path, tmp_path: Path, options: list[str]
    ) -> None:
        folder = tmp_path / "stand-in"
        folder.mkdir()
        (folder / "uv").write_text("#!/bin/sh\necho uv was here\n")
        (folder / "uv").chmod(0o755)
        path = f"{folder}{os.pathsep}{os.environ['PATH']}"
        done = run("prime-uve", "init", "--sync", *options, cwd=project, env={"PATH": path})
        assert done.returncode == 0
        if options:
            assert json.loads(done.stdout).keys() == KEYS
            assert done.stderr == "uv was here\n"
        else:
            assert done.stdout.splitlines()[-1] == "uv was here"
