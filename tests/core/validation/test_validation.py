"""Is a mapping true? Over real folders, files, links and mounts; and the judgement by itself, as a table."""

import json
import os
import re
import shutil
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from prime_uve.core.validation import Observation, ValidationResult, judge, observe, observe_all, presence
from prime_uve.core.validation.presence import GONE, HERE, Presence, Sight, same_place, witness
from tests.core import checkouts
from tests.core.checkouts import ENVIRONMENT, child, output
from tests.privileges import unprivileged

SECRET = "hunter2"  # noqa: S105  # what an env file can hold besides the path

# What a person can type: a remedy that names none of these is none.
COMMANDS = re.compile(r"\b(prime-uve (init|list|register|unregister)|uve sync|git -C|ls -l)")


@dataclass
class Scene:
    """A checkout that is registered, synced and right, until a test changes it."""

    home: Path
    project: Path
    environment: Path
    mapping: dict[str, object] = field(default_factory=dict)

    @property
    def env_file(self) -> Path:
        return self.project / ".env.uve"

    def observation(self) -> Observation:
        return observe(str(self.project), self.mapping)

    def result(self) -> ValidationResult:
        return judge(self.observation())

    def write(self, content: str | bytes) -> None:
        self.env_file.write_bytes(content.encode() if isinstance(content, str) else content)

    def name(self, value: str) -> None:
        self.write(f"UV_PROJECT_ENVIRONMENT={value}\n")

    def remove_project(self) -> None:
        shutil.rmtree(self.project)

    def remove_environment(self) -> None:
        shutil.rmtree(self.environment)

    def replace_parent(self) -> None:
        """Put an empty folder in the place of the one that the project lies in."""
        self.project.parent.rename(self.home / "kept")  # so that its inode is not used again
        self.project.parent.mkdir()

    def unmount(self) -> None:
        """Have the row name a mount point that is none."""
        self.mapping[presence.MOUNT] = str(self.home)

    def forget_witnesses(self) -> None:
        """Make the row one of an older registry."""
        for name in witness(str(self.project)):
            del self.mapping[name]


@pytest.fixture
def scene(home: Path, tmp_path: Path) -> Scene:
    project = checkouts.make(tmp_path / "shares" / "two words" / "demo")
    mapping = {"venv_path": ENVIRONMENT, "project_name": "demo", **witness(str(project))}
    return Scene(home, project, checkouts.make_environment(), mapping)


def changes(*steps: Callable[[Scene], object]) -> Callable[[Scene], None]:
    def change(scene: Scene) -> None:
        for step in steps:
            step(scene)

    return change


def put_link_to_nowhere(path: Path) -> None:
    shutil.rmtree(path) if path.is_dir() else path.unlink()
    path.symlink_to("nowhere")


def put_file(path: Path) -> None:
    shutil.rmtree(path)
    path.touch()


GONE_PROJECT = "the project '{project}' is gone; forget it: prime-uve unregister '{project}'"
NO_ENVIRONMENT = "the environment '{environment}' does not exist; make it: uve sync --project '{project}'"
NOTHING_LEFT = "the environment '{environment}' does not exist; nothing but the mapping is left: prime-uve unregister"
NOTHING_LOST = (
    "the environment '{environment}' does not exist; nothing is lost by accepting the file: "
    "prime-uve register --accept '{project}'"
)
NO_ENV_FILE = "'{project}' has no .env.uve; write one: prime-uve init '{project}'"
OTHER_FOLDER = "'{project}' is out of reach: '{parent}' is another folder than when it was registered"
NO_PARENT = "'{project}' is out of reach: '{parent}': No such file"
NOT_MOUNTED = "'{project}' is out of reach: nothing is mounted at '{home}'; mount it"
MISMATCH = "the registry has '{environment}' for '{project}', but its .env.uve names '{home}/other'; accept the file"
SILENT = "the registry has '{environment}' for '{project}', but its .env.uve names no environment; write one"
UNUSABLE = "'{project}/.env.uve'"


@pytest.mark.parametrize(
    ("change", "status", "issues"),
    [
        pytest.param(lambda _: None, "valid", [], id="nothing is wrong"),
        pytest.param(Scene.forget_witnesses, "valid", [], id="nothing is wrong, nothing witnessed"),
        # The project cannot be looked at, or its absence is not witnessed.
        pytest.param(
            lambda scene: scene.project.parent.rename(scene.home / "kept"),
            "error",
            [NO_PARENT],
            id="the parent is gone",
        ),
        pytest.param(
            lambda scene: shutil.rmtree(scene.project.parent.parent),
            "error",
            [NO_PARENT],
            id="the parent's parent is gone",
        ),
        pytest.param(Scene.replace_parent, "error", [OTHER_FOLDER], id="the parent is another, empty folder"),
        pytest.param(
            changes(Scene.replace_parent, lambda scene: scene.project.mkdir()),
            "error",
            [OTHER_FOLDER],
            id="the parent is another folder with an empty folder of the project's name",
        ),
        pytest.param(
            changes(Scene.remove_project, Scene.unmount),
            "error",
            [NOT_MOUNTED],
            id="the project is not there, nor what was mounted",
        ),
        pytest.param(
            changes(lambda scene: scene.env_file.unlink(), Scene.unmount),
            "error",
            [NOT_MOUNTED],
            id="the project is an empty folder, and what was mounted is not there",
        ),
        pytest.param(
            lambda scene: put_link_to_nowhere(scene.project),
            "error",
            ["'{project}' is a link that leads nowhere"],
            id="the project is a link to nowhere",
        ),
        pytest.param(
            changes(
                lambda scene: scene.project.parent.rename(scene.home / "kept"),
                lambda scene: scene.project.parent.symlink_to(scene.project.parent),
            ),
            "error",
            ["'{project}' cannot be looked at: Too many levels"],
            id="the parent is a loop of links",
        ),
        pytest.param(
            changes(Scene.replace_parent, Scene.remove_environment),
            "error",
            [OTHER_FOLDER, NO_ENVIRONMENT],
            id="the parent is another folder, and the environment is not there",
        ),
        # The project is gone, and that is witnessed.
        pytest.param(Scene.remove_project, "orphaned", [GONE_PROJECT], id="the project is gone"),
        pytest.param(
            changes(Scene.forget_witnesses, Scene.remove_project),
            "orphaned",
            [GONE_PROJECT],
            id="the project is gone, and an older row witnesses nothing",
        ),
        pytest.param(
            changes(Scene.forget_witnesses, Scene.replace_parent),
            "orphaned",
            [GONE_PROJECT],
            id="an older row does not know that its parent is another",
        ),
        pytest.param(
            changes(Scene.remove_project, lambda scene: scene.mapping.update(mount="/")),
            "orphaned",
            [GONE_PROJECT],
            id="the project is gone, and what was mounted is there",
        ),
        pytest.param(lambda scene: put_file(scene.project), "orphaned", [GONE_PROJECT], id="the project is a file"),
        pytest.param(
            changes(Scene.remove_project, Scene.remove_environment),
            "orphaned",
            [GONE_PROJECT, NOTHING_LEFT],
            id="project and environment are gone",
        ),
        pytest.param(
            changes(Scene.remove_project, lambda scene: scene.mapping.update(mount=7, parent_inode=True)),
            "orphaned",
            [GONE_PROJECT],
            id="witnesses of a wrong type witness nothing",
        ),
        # The env file.
        pytest.param(lambda scene: scene.env_file.unlink(), "orphaned", [NO_ENV_FILE], id="there is no env file"),
        pytest.param(
            changes(lambda scene: scene.env_file.rename(scene.project / ".env.uve.local"), Scene.remove_environment),
            "orphaned",
            [NO_ENV_FILE, NO_ENVIRONMENT],
            id="there is only a local env file, and no environment",
        ),
        pytest.param(lambda scene: scene.name("${HOME}/other"), "mismatch", [MISMATCH], id="the file names another"),
        pytest.param(
            lambda scene: scene.name("${HOME}/other"),
            "mismatch",
            ["', or have it name that again: prime-uve init --force --venv-dir '{environment}' '{project}'"],
            id="the file names another: both remedies",
        ),
        pytest.param(
            changes(lambda scene: scene.name("${HOME}/other"), Scene.remove_environment),
            "mismatch",
            [MISMATCH, NOTHING_LOST],
            id="the file names another, and the environment is not there",
        ),
        pytest.param(lambda scene: scene.write(""), "mismatch", [SILENT], id="the file is empty"),
        pytest.param(lambda scene: scene.write(f"TOKEN={SECRET}\n"), "mismatch", [SILENT], id="the file names none"),
        pytest.param(
            lambda scene: (scene.project / ".env.uve.local").write_text("UV_PROJECT_ENVIRONMENT=${HOME}/other\n"),
            "mismatch",
            [MISMATCH.replace(".env.uve", ".env.uve.local")],
            id="the local file names another",
        ),
        pytest.param(lambda scene: scene.name(""), "error", [UNUSABLE], id="the file names an empty path"),
        pytest.param(lambda scene: scene.name("venvs/demo"), "error", [UNUSABLE], id="the file names a relative path"),
        pytest.param(
            lambda scene: scene.name("${HOME}/x/../demo"), "error", [UNUSABLE], id="the file's path goes back"
        ),
        pytest.param(
            lambda scene: put_link_to_nowhere(scene.env_file), "error", [UNUSABLE], id="the file leads nowhere"
        ),
        pytest.param(
            changes(lambda scene: scene.env_file.unlink(), lambda scene: scene.env_file.mkdir()),
            "error",
            [UNUSABLE],
            id="the file is a folder",
        ),
        pytest.param(
            changes(lambda scene: scene.env_file.unlink(), lambda scene: os.mkfifo(scene.env_file)),
            "error",
            [UNUSABLE],
            id="the file is a FIFO",
        ),
        pytest.param(
            lambda scene: scene.write("#" * (1 << 20) + "\n"), "error", [UNUSABLE], id="the file is too large"
        ),
        pytest.param(
            changes(lambda scene: scene.write("BROKEN\n"), Scene.remove_environment),
            "error",
            [UNUSABLE + ", line 1", NO_ENVIRONMENT],
            id="the file is invalid, and the environment is not there",
        ),
        # The environment.
        pytest.param(Scene.remove_environment, "orphaned", [NO_ENVIRONMENT], id="there is no environment"),
        pytest.param(
            lambda scene: put_file(scene.environment), "orphaned", [NO_ENVIRONMENT], id="the environment is a file"
        ),
        pytest.param(
            lambda scene: put_link_to_nowhere(scene.environment),
            "error",
            ["'{environment}' is a link that leads nowhere; see ls -ld '{environment}'"],
            id="the environment is a link to nowhere",
        ),
        pytest.param(
            changes(lambda scene: scene.mapping.update(venv_path=""), lambda scene: scene.env_file.unlink()),
            "error",
            ["the registry names no environment for '{project}'; register one: prime-uve init", NO_ENV_FILE],
            id="the row names none, and there is no env file",
        ),
    ],
)
def test_a_real_state_has_its_status_and_every_issue(
    scene: Scene, change: Callable[[Scene], object], status: str, issues: Sequence[str]
) -> None:
    change(scene)
    result = scene.result()
    assert observe_all({str(scene.project): scene.mapping}) == {str(scene.project): scene.observation()}
    wanted = [
        issue.format(project=scene.project, parent=scene.project.parent, environment=scene.environment, home=scene.home)
        for issue in issues
    ]
    assert result.status == status, result
    assert len(result.issues) == len(wanted), result
    for issue, part in zip(result.issues, wanted, strict=True):
        assert part in issue
        assert str(scene.project) in issue or str(scene.environment) in issue
        assert COMMANDS.search(issue), issue
        assert "\n" not in issue
        assert SECRET not in issue


@pytest.mark.parametrize(
    "content",
    [
        pytest.param("UV_PROJECT_ENVIRONMENT=${{HOME}}/{rest}\n", id="plain"),
        pytest.param('UV_PROJECT_ENVIRONMENT="${{HOME}}/{rest}"\n', id="in double quotes"),
        pytest.param("UV_PROJECT_ENVIRONMENT='{home}/{rest}'\n", id="in single quotes"),
        pytest.param("export UV_PROJECT_ENVIRONMENT=${{HOME}}/{rest}\n", id="with export"),
        pytest.param("A=1\nUV_PROJECT_ENVIRONMENT=${{HOME}}/{rest}\nB='two words'\n", id="among other variables"),
        pytest.param("# why\n\nUV_PROJECT_ENVIRONMENT=${{HOME}}/{rest} # this\n", id="with comments"),
        pytest.param("UV_PROJECT_ENVIRONMENT=$HOME/{rest}\n", id="without braces"),
        pytest.param("UV_PROJECT_ENVIRONMENT={home}/{rest}\n", id="spelled out"),
        pytest.param("UV_PROJECT_ENVIRONMENT=${{HOME}}/{rest}/\n", id="with a slash at the end"),
        pytest.param("UV_PROJECT_ENVIRONMENT=${{HOME}}//./{rest}\n", id="with needless parts"),
        pytest.param("UV_PROJECT_ENVIRONMENT={home}-link/{rest}\n", id="by a link"),
        pytest.param("BASE=${{HOME}}/prime-uve\nUV_PROJECT_ENVIRONMENT=${{BASE}}/venvs/{name}\n", id="by a variable"),
        pytest.param("UV_PROJECT_ENVIRONMENT=${{HOME}}/{rest}", id="without a line end"),
        pytest.param("A=1\r\nUV_PROJECT_ENVIRONMENT=${{HOME}}/{rest}\r\n", id="with line ends of Windows"),
        pytest.param("\ufeffUV_PROJECT_ENVIRONMENT=${{HOME}}/{rest}\n", id="with a byte order mark"),
        pytest.param("A='x'y\nUV_PROJECT_ENVIRONMENT=${{HOME}}/{rest}\n", id="beside what python-dotenv cannot read"),
        pytest.param(
            "UV_PROJECT_ENVIRONMENT=${{HOME}}/{rest}\nUV_PROJECT_ENVIRONMENT={home}/{rest}\n", id="twice the same"
        ),
        pytest.param(
            "UV_PROJECT_ENVIRONMENT={home}/{rest}\nUV_PROJECT_ENVIRONMENT='x'y\n", id="twice, of which dotenv reads one"
        ),
    ],
)
def test_a_file_that_names_the_same_place_is_valid_however_it_is_spelled(
    scene: Scene, content: str, capfd: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture
) -> None:
    Path(f"{scene.home}-link").symlink_to(scene.home)
    name = scene.environment.name
    scene.write(content.format(home=scene.home, rest=f"prime-uve/venvs/{name}", name=name))
    assert scene.result() == ValidationResult("valid", [])
    assert capfd.readouterr() == ("", "")
    assert not caplog.records


@pytest.mark.parametrize(
    ("committed", "local", "registered"),
    [
        pytest.param(
            "UV_PROJECT_ENVIRONMENT=${HOME}/shared", "UV_PROJECT_ENVIRONMENT=${HOME}/own", "own", id="over it"
        ),
        pytest.param("UV_PROJECT_ENVIRONMENT=${HOME}/shared", "A=1", "shared", id="silent about the environment"),
        pytest.param("A=1", "UV_PROJECT_ENVIRONMENT=${HOME}/own", "own", id="where the shared one is silent"),
        pytest.param("UV_PROJECT_ENVIRONMENT=${HOME}/$WHO", "WHO=own", "own", id="giving a variable"),
        pytest.param("", "UV_PROJECT_ENVIRONMENT='/data/own'", "/data/own", id="anywhere"),
    ],
)
def test_the_local_file_lies_over_the_shared_one(scene: Scene, committed: str, local: str, registered: str) -> None:
    scene.write(f"{committed}\n")
    (scene.project / ".env.uve.local").write_text(f"{local}\n")
    seen = observe(str(scene.project), {"venv_path": os.path.join("${HOME}", registered)})
    assert seen.named == os.path.join(scene.home, registered)
    assert not judge(seen).has_mismatch


@pytest.mark.parametrize(
    ("content", "line"),
    [
        pytest.param(f"A=1\nTOKEN {SECRET}\n", 2, id="no equals sign"),
        pytest.param(f"TOKEN='{SECRET}\n", 1, id="an open quote"),
        pytest.param(f"A=1\n\nTOKEN={SECRET} {SECRET}\n", 3, id="a blank"),
        pytest.param(f"TOKEN={SECRET}\\q\n", 1, id="an unknown escape"),
        pytest.param(f"# x\n{SECRET}-1=2\n", 2, id="a bad name"),
        pytest.param(f"A={SECRET}\0\n", 1, id="a NUL"),
        pytest.param(f"A={SECRET}\nB=${{\n", 2, id="an open reference"),
        pytest.param(f"A=1\nTOKEN={SECRET}".encode() + b"\xff\n", 2, id="bytes that are not UTF-8"),
        pytest.param(f"A={SECRET}\n".encode("utf-16"), 1, id="UTF-16"),
    ],
)
@pytest.mark.parametrize("name", [".env.uve", ".env.uve.local"])
def test_an_invalid_file_is_an_error_with_its_line_and_without_its_text(
    scene: Scene, name: str, content: str | bytes, line: int
) -> None:
    path = scene.project / name
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    result = scene.result()
    assert result.status == "error"
    (issue,) = result.issues
    assert issue.startswith(f"'{path}', line {line}")
    assert issue.endswith(f"correct that line, or write a new file: prime-uve init --force '{scene.project}'")
    assert SECRET not in issue


@pytest.mark.parametrize(
    "content",
    [
        pytest.param("UV_PROJECT_ENVIRONMENT={mine}\nUV_PROJECT_ENVIRONMENT=/other\n", id="uv takes ours, the first"),
        pytest.param(
            "UV_PROJECT_ENVIRONMENT=/other\nUV_PROJECT_ENVIRONMENT={mine}\n", id="dotenv takes ours, the last"
        ),
        pytest.param("UV_PROJECT_ENVIRONMENT={mine}\nUV_PROJECT_ENVIRONMENT=/nul\0\n", id="the last holds a NUL"),
        pytest.param("UV_PROJECT_ENVIRONMENT={mine}\nUV_PROJECT_ENVIRONMENT=\n", id="the last is empty"),
        pytest.param("UV_PROJECT_ENVIRONMENT='/a'b\n", id="text after a quote"),
    ],
)
def test_a_file_that_two_readers_read_differently_is_an_error_that_says_so(scene: Scene, content: str) -> None:
    scene.write(content.format(mine=scene.environment))
    result = scene.result()
    assert result.status == "error"
    (issue,) = result.issues
    assert issue.startswith(f"'{scene.env_file}' is ambiguous: uv takes ")
    assert "from it, and python-dotenv another place" in issue
    assert COMMANDS.search(issue)


def test_many_are_looked_at_as_one_is(home: Path, tmp_path: Path) -> None:
    rows: dict[str, dict[str, object]] = {}
    for number in range(30):
        project = checkouts.make(tmp_path / f"p{number}", "${HOME}/${NAME}" if number % 5 == 0 else ENVIRONMENT)
        row = {"venv_path": ENVIRONMENT if number % 3 else "", **witness(str(project))}
        rows[str(project)] = row if number % 7 else {}
        if number % 4 == 0:
            (project / ".env.uve.local").write_text(f"NAME={home.name}\n")
        if number % 11 == 0:
            shutil.rmtree(project)
    seen = observe_all(rows)
    assert seen == {project: observe(project, row) for project, row in rows.items()}
    assert {judge(each).status for each in seen.values()} == {"error", "mismatch", "orphaned"}


def test_an_environment_that_lacks_a_marker_is_known(scene: Scene) -> None:
    assert scene.observation().lacks_marker
    (scene.environment / ".prime-uve.json").symlink_to("nowhere")
    assert not scene.observation().lacks_marker
    (scene.environment / ".prime-uve.json").unlink()
    (scene.environment / "pyvenv.cfg").unlink()
    assert not scene.observation().lacks_marker, "it is no environment"


def test_an_empty_home_is_none(scene: Scene, monkeypatch: pytest.MonkeyPatch) -> None:
    pwd = pytest.importorskip("pwd")
    monkeypatch.setenv("HOME", "")
    seen = observe(str(scene.project), scene.mapping)
    assert seen.named == seen.registered == f"{pwd.getpwuid(os.getuid()).pw_dir}/prime-uve/venvs/demo_0a1b2c3d"
    assert not judge(seen).has_mismatch


# Permission

LOOK = """
import json, sys
from prime_uve.core.validation import judge, observe
result = judge(observe(sys.argv[1], json.loads(sys.argv[2])))
print(json.dumps([result.status, result.issues]))
"""


@pytest.mark.parametrize(
    ("locked", "issue"),
    [
        pytest.param("project.parent", "'{project}' cannot be looked at: Permission denied", id="the project's parent"),
        pytest.param("project", "cannot read '{project}/.env.uve': Permission denied", id="the project"),
        pytest.param("env_file", "cannot read '{project}/.env.uve': Permission denied", id="the env file"),
        pytest.param("environment.parent", "'{environment}' cannot be looked at: Permission denied", id="the base"),
    ],
)
def test_what_may_not_be_looked_at_is_an_error(scene: Scene, tmp_path: Path, locked: str, issue: str) -> None:
    prefix = unprivileged()
    path: Path = scene.environment.parent if locked == "environment.parent" else scene.project
    if locked == "project.parent":
        path = scene.project.parent
    elif locked == "env_file":
        path = scene.env_file
    mode = path.stat().st_mode
    path.chmod(0)
    try:
        done = child(LOOK, scene.project, json.dumps(scene.mapping), cwd=tmp_path, prefix=prefix)
    finally:
        path.chmod(mode)
    status, issues = json.loads(output(done))
    assert status == "error"
    assert len(issues) == 1
    assert issue.format(project=scene.project, environment=scene.environment) in issues[0]
    assert scene.result().is_valid


# Mounts

DISK = """
import os, shutil, subprocess, sys
from pathlib import Path
from prime_uve.core.cache import Cache
cache, mount, project = Cache(Path(sys.argv[1])), sys.argv[2], Path(sys.argv[3])
def run(*command):
    subprocess.run(command, check=True)
def plug_in():
    run("mount", "-t", "tmpfs", "disk", mount)
    project.mkdir(parents=True, exist_ok=True)
    (project / ".env.uve").write_text("UV_PROJECT_ENVIRONMENT=/environment\\n")
def tell(when):
    result = cache.validate_mapping(project)
    print(when, result.status, *result.issues, sep="|")
plug_in()
cache.add_mapping(project, "/environment", "demo", "0a1b2c3d")
print(cache.get_mapping(project)["mount"])
tell("registered")
run("umount", mount)
tell("unplugged")
Path(mount, "x").mkdir()
project.mkdir(parents=True, exist_ok=True)
tell("a folder in its place")
plug_in()
tell("plugged in")
(project / ".env.uve").unlink()
tell("without env file")
if project != Path(mount):
    shutil.rmtree(project)
    tell("removed")
"""


@pytest.mark.parametrize("below", ["", "work/demo"], ids=["at its mount point", "below it"])
def test_a_project_on_a_disk_that_is_not_there_is_an_error(tmp_path: Path, below: str) -> None:
    prefix = checkouts.own_mounts()
    mount = tmp_path / "mount point"
    mount.mkdir()
    project = mount / below
    told = output(child(DISK, tmp_path / "cache.json", mount, project, cwd=tmp_path, prefix=prefix)).splitlines()
    assert told.pop(0) == str(mount)
    told_by_time = {when: (status, issues) for when, status, *issues in (line.split("|") for line in told)}
    out_of_reach = f"'{project}' is out of reach: nothing is mounted at '{mount}'; mount it"
    for when in ("unplugged", "a folder in its place"):
        status, issues = told_by_time[when]
        assert status == "error", when
        assert issues[0].startswith(out_of_reach), when
    missing = "the environment '/environment' does not exist"
    for when in ("registered", "plugged in"):
        status, issues = told_by_time[when]
        assert (status, len(issues)) == ("orphaned", 1), when
        assert issues[0].startswith(missing), when
    status, issues = told_by_time["without env file"]
    assert status == "orphaned"
    assert "has no .env.uve" in issues[0]
    if below:
        status, issues = told_by_time["removed"]
        assert status == "orphaned"
        assert "is gone; forget it" in issues[0]


def test_only_a_mount_that_may_go_is_recorded(scene: Scene, tmp_path: Path) -> None:
    seen = witness(str(scene.project))
    assert seen["parent_inode"] == scene.project.parent.stat().st_ino
    assert "mount" not in witness("/project")
    assert "mount" not in witness(str(scene.home / "project"))
    assert "parent_inode" not in witness(str(tmp_path / "not" / "there"))


# The judgement by itself

UNKNOWN = Sight(Presence.UNKNOWN, "'/p' is hidden; see ls -ld '/p'")
OTHER_TROUBLE = Sight(Presence.UNKNOWN, "'/v' is hidden; see ls -ld '/v'")


def seen(
    *,
    folder: Sight = HERE,
    env_file: Sight = HERE,
    environment: Sight = HERE,
    registered: str = "/v",
    named: str | None = "/v",
) -> Observation:
    return Observation("/p", registered, named, folder, env_file, environment)


@pytest.mark.parametrize(
    ("observation", "status", "count"),
    [
        pytest.param(seen(), "valid", 0, id="all is there and agrees"),
        pytest.param(seen(named="/./v/"), "valid", 0, id="the same place by another spelling"),
        pytest.param(seen(folder=UNKNOWN, env_file=UNKNOWN, named=None), "error", 1, id="one trouble is told once"),
        pytest.param(
            seen(folder=UNKNOWN, env_file=UNKNOWN, environment=OTHER_TROUBLE, named=None), "error", 2, id="two"
        ),
        pytest.param(seen(env_file=UNKNOWN, named=None), "error", 1, id="the file is hidden"),
        pytest.param(seen(environment=UNKNOWN), "error", 1, id="the environment is hidden"),
        pytest.param(seen(environment=UNKNOWN, named="/w"), "error", 2, id="trouble goes before mismatch"),
        pytest.param(
            seen(folder=GONE, env_file=GONE, environment=UNKNOWN, named=None), "error", 2, id="and before gone"
        ),
        pytest.param(seen(folder=GONE, env_file=GONE, named=None), "orphaned", 1, id="the project is gone"),
        pytest.param(
            seen(folder=GONE, env_file=GONE, environment=GONE, named=None), "orphaned", 2, id="and the environment"
        ),
        pytest.param(seen(env_file=GONE, named=None), "orphaned", 1, id="the file is gone"),
        pytest.param(seen(env_file=GONE, environment=GONE, named=None), "orphaned", 2, id="file and environment"),
        pytest.param(seen(named="/w"), "mismatch", 1, id="the file names another"),
        pytest.param(seen(named=None), "mismatch", 1, id="the file names none"),
        pytest.param(seen(named="/w", environment=GONE), "mismatch", 2, id="mismatch goes before what is not made yet"),
        pytest.param(seen(environment=GONE), "orphaned", 1, id="the environment is gone"),
        pytest.param(seen(registered="", environment=UNKNOWN), "error", 1, id="the registry names none"),
        pytest.param(
            seen(registered="", environment=UNKNOWN, env_file=GONE, named=None), "error", 2, id="and there is no file"
        ),
    ],
)
def test_the_first_fact_gives_the_status_and_each_its_sentence(
    observation: Observation, status: str, count: int
) -> None:
    result = judge(observation)
    assert result.status == status
    assert len(result.issues) == len(set(result.issues)) == count
    for issue in result.issues:
        assert "'/p'" in issue or "'/v'" in issue
        assert COMMANDS.search(issue)


sights = st.sampled_from([HERE, GONE, UNKNOWN, OTHER_TROUBLE])


@given(
    st.builds(
        seen, folder=sights, env_file=sights, environment=sights, named=st.sampled_from([None, "/v", "/w", "/nul\0"])
    )
)
def test_what_is_unknown_is_never_called_gone_nor_good(observation: Observation) -> None:
    result = judge(observation)
    unknown = Presence.UNKNOWN in {
        observation.folder.presence,
        observation.env_file.presence,
        observation.environment.presence,
    }
    assert (result.status == "error") == unknown
    assert (result.status == "valid") == (not result.issues)
    assert [result.is_valid, result.is_orphaned, result.has_mismatch].count(True) == (result.status != "error")


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        pytest.param("{folder}/a", "{folder}/a", True, id="equal"),
        pytest.param("{folder}/a", "{folder}/./a//", True, id="by text"),
        pytest.param("{folder}/a", "{folder}/link", True, id="by a link"),
        pytest.param("{folder}/a/not/there", "{folder}/link/not/there", True, id="below a link"),
        pytest.param("{folder}/a", "{folder}/b", False, id="different"),
        pytest.param("{folder}/a", "{folder}/a b", False, id="one begins like the other"),
        pytest.param("{folder}/a", "", False, id="empty"),
        pytest.param("{folder}/a", "{folder}/a\0", False, id="with a NUL"),
        pytest.param("{folder}/a", "{folder}/loop", False, id="a loop of links"),
        pytest.param("{folder}/a", "/" + "x" * 5000, False, id="too long"),
    ],
)
def test_two_paths_are_one_place(tmp_path: Path, one: str, other: str, *, same: bool) -> None:
    (tmp_path / "a").mkdir()
    (tmp_path / "link").symlink_to("a")
    (tmp_path / "loop").symlink_to("loop")
    one, other = one.format(folder=tmp_path), other.format(folder=tmp_path)
    assert same_place(one, other) is same
    assert same_place(other, one) is same


def test_looking_creates_and_changes_nothing(scene: Scene) -> None:
    def everything() -> dict[Path, tuple[int, int]]:
        return {
            path: (path.lstat().st_mtime_ns, path.lstat().st_ino)
            for top in (scene.home, scene.project.parent)
            for path in (top, *top.rglob("*"))
        }

    changes: list[Callable[[], object]] = [
        list,
        scene.remove_environment,
        scene.env_file.unlink,
        scene.remove_project,
    ]
    for change in changes:
        change()
        before = everything()
        scene.result()
        assert everything() == before


def test_the_names_in_a_row_are_stable() -> None:
    assert (presence.MOUNT, presence.PARENT, presence.FILE_SYSTEM) == ("mount", "parent_inode", "file_system")
