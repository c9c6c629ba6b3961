"""``prime-uve register`` and ``unregister``: the registry in a person's hands."""

import json
import shutil
from pathlib import Path

import pytest

from prime_uve.core.cache import Cache
from tests.commands import Run
from tests.trees import tree

ONE, TWO = "${HOME}/prime-uve/venvs/one", "${HOME}/prime-uve/venvs/two"
REGISTRATION = {"outcome", "project", "venv_path", "previous", "other", "no_longer_kept", "file", "is_restorable"}


def name_environment(project: Path, value: str = ONE) -> None:
    (project / ".env.uve").write_text(f"UV_PROJECT_ENVIRONMENT={value}\n")


def registered() -> dict[str, str]:
    return {project: row["venv_path"] for project, row in Cache().list_all().items()}


class TestRegister:
    def test_takes_what_the_file_names(self, run: Run, project: Path) -> None:
        name_environment(project)
        done = run("prime-uve", "register", cwd=project)
        assert (done.returncode, done.stderr) == (0, "")
        assert done.stdout == f"registered {str(project)!r} with {ONE!r}\n"
        assert registered() == {str(project): ONE}

    def test_says_so_and_writes_nothing_where_nothing_is_to_be_done(self, call: Run, project: Path, home: Path) -> None:
        name_environment(project)
        call("prime-uve", "register", cwd=project)
        before = tree(home)
        done = call("prime-uve", "register", cwd=project)
        assert (done.returncode, done.stdout) == (0, f"{str(project)!r} is registered with {ONE!r}\n")
        assert tree(home) == before

    def test_takes_a_path_and_finds_the_project_above_it(self, run: Run, project: Path, tmp_path: Path) -> None:
        (project / "src").mkdir()
        name_environment(project)
        assert run("prime-uve", "register", project / "src", cwd=tmp_path).returncode == 0
        assert registered() == {str(project): ONE}

    def test_refuses_a_change_with_both_values_and_both_remedies(self, call: Run, project: Path, home: Path) -> None:
        name_environment(project)
        call("prime-uve", "register", cwd=project)
        name_environment(project, TWO)
        done = call("prime-uve", "register", cwd=project)
        assert (done.returncode, done.stdout) == (1, "")
        (line,) = done.stderr.splitlines()
        for part in (
            f"{home}/prime-uve/venvs/one", f"{home}/prime-uve/venvs/two",
            f"prime-uve register --accept '{project}'",
            f"prime-uve init --force --venv-dir '{home}/prime-uve/venvs/one' '{project}'",
        ):  # fmt: skip
            assert part in line
        assert registered() == {str(project): ONE}

    def test_takes_a_change_over_that_is_accepted(self, run: Run, project: Path) -> None:
        name_environment(project)
        run("prime-uve", "register", cwd=project)
        name_environment(project, TWO)
        done = run("prime-uve", "register", "--accept", cwd=project)
        assert done.returncode == 0
        assert done.stdout == f"registered {str(project)!r} with {TWO!r}; {ONE!r} is now unused\n"
        assert registered() == {str(project): TWO}

    @pytest.mark.parametrize("options", [[], ["--accept"]], ids=["plainly", "with --accept"])
    def test_refuses_what_belongs_to_another_checkout(
        self, call: Run, project: Path, tmp_path: Path, options: list[str]
    ) -> None:
        name_environment(project)
        call("prime-uve", "register", cwd=project)
        copy = shutil.copytree(project, tmp_path / "copy")
        done = call("prime-uve", "register", *options, cwd=copy)
        assert (done.returncode, done.stdout) == (1, "")
        assert f"{ONE!r} belongs to {str(project)!r}" in done.stderr
        assert f"prime-uve init {str(copy)!r}" in done.stderr
        assert registered() == {str(project): ONE}

    def test_prints_one_json_document_with_these_keys_and_the_same_exit_code(self, call: Run, project: Path) -> None:
        name_environment(project)
        found = []
        for value, options in ((ONE, []), (ONE, []), (TWO, []), (TWO, ["--accept"])):
            name_environment(project, value)
            done = call("prime-uve", "register", "--json", *options, cwd=project)
            document = json.loads(done.stdout)
            assert document.keys() == REGISTRATION
            assert done.stderr == ""
            found.append((document["outcome"], document["previous"], done.returncode))
        assert found == [("added", None, 0), ("unchanged", ONE, 0), ("mismatch", ONE, 1), ("updated", ONE, 0)]

    @pytest.mark.parametrize(
        ("content", "said"),
        [
            pytest.param(None, "there is no .env.uve in", id="no file"),
            pytest.param(b"A=1\n", "does not set UV_PROJECT_ENVIRONMENT; add it: prime-uve init", id="no key"),
            pytest.param(b"A=\xff\n", "line 1: bytes that are not UTF-8", id="not UTF-8"),
            pytest.param(b"TOKEN=hunter2 hunter2\n", "line 1 (TOKEN): ", id="half-valid"),
            pytest.param(
                b"UV_PROJECT_ENVIRONMENT=/opt/x\n", "prime-uve init --force --venv-dir '/opt/x'", id="outside"
            ),
        ],
    )
    def test_refuses_what_names_no_environment(
        self, call: Run, project: Path, home: Path, content: bytes | None, said: str
    ) -> None:
        if content is not None:
            (project / ".env.uve").write_bytes(content)
        for options in ([], ["--json"], ["--accept"]):
            done = call("prime-uve", "register", *options, cwd=project)
            assert (done.returncode, done.stdout) == (2, "")
            (line,) = done.stderr.splitlines()
            assert said in line
            assert "hunter2" not in line
        assert tree(home) == {}


class TestUnregister:
    @pytest.fixture
    def known(self, call: Run, project: Path, home: Path) -> Path:
        """Return a project that is registered and has an environment."""
        (home / "prime-uve/venvs/one").mkdir(parents=True)
        (home / "prime-uve/venvs/one/pyvenv.cfg").write_text("home = /usr/bin\n")
        name_environment(project)
        assert call("prime-uve", "register", cwd=project).returncode == 0
        return project

    def test_does_not_take_a_path_that_is_not_there_for_the_project_around_it(self, call: Run, known: Path) -> None:
        done = call("prime-uve", "unregister", "typo", cwd=known)
        assert done.returncode == 1
        assert f"{known}/typo" in done.stderr
        assert call("prime-uve", "check", cwd=known).stderr == "", "it is registered still"

    @pytest.mark.parametrize("command", ["init", "check", "register"])
    def test_no_other_command_does_either(self, call: Run, known: Path, command: str) -> None:
        done = call("prime-uve", command, "typo", cwd=known)
        assert done.returncode == 2
        assert f"'{known}/typo' does not exist" in done.stderr

    @pytest.mark.parametrize("where", [".", "src", "../project", "{link}"])
    def test_forgets_the_project_and_touches_nothing_else(self, call: Run, known: Path, home: Path, where: str) -> None:
        (known / "src").mkdir()
        (known.parent / "link").symlink_to(known)
        before = tree(known, home / "prime-uve")
        done = call("prime-uve", "unregister", where.format(link=known.parent / "link"), cwd=known)
        assert (done.returncode, done.stderr) == (0, "")
        assert done.stdout == f"{str(known)!r} is no longer registered; its environment stays: {ONE!r}\n"
        assert registered() == {}
        assert tree(known, home / "prime-uve") == before

    def test_forgets_a_project_that_is_gone(self, run: Run, known: Path) -> None:
        shutil.rmtree(known)
        assert run("prime-uve", "unregister", known, cwd=known.parent).returncode == 0
        assert registered() == {}

    def test_forgets_a_project_whose_file_is_broken(self, call: Run, known: Path) -> None:
        (known / ".env.uve").write_text("TOKEN=two words\n")
        assert call("prime-uve", "unregister", cwd=known).returncode == 0
        assert registered() == {}

    def test_of_what_is_not_registered_is_a_verdict(self, run: Run, known: Path, tmp_path: Path) -> None:
        done = run("prime-uve", "unregister", cwd=tmp_path)
        assert (done.returncode, done.stdout) == (1, "")
        assert done.stderr == f"prime-uve: {str(tmp_path)!r} is not registered; see what is: prime-uve list\n"
        assert registered() == {str(known): ONE}

    def test_prints_one_json_document_with_these_keys(self, call: Run, known: Path) -> None:
        first = call("prime-uve", "unregister", "--json", cwd=known)
        document = json.loads(first.stdout)
        assert document.keys() == {"project", "removed", "mapping"}
        assert (document["project"], document["removed"], first.returncode) == (str(known), True, 0)
        assert document["mapping"]["venv_path"] == ONE
        second = call("prime-uve", "unregister", "--json", cwd=known)
        assert json.loads(second.stdout) == {"project": str(known), "removed": False, "mapping": None}
        assert (second.returncode, second.stderr) == (1, "")
