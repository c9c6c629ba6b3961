"""``uve`` beside a bare interpreter, plain uv, the recipe with ``uv run``, the published prime-uve, and other tools."""

import os
import shutil
import sys
from pathlib import Path

from paired import Command, Times, measure, run
from rivals import MissingError, install, published
from scene import SCRIPTS, Scene, scene
from uv import find_uv_bin

RUNS = 60
SIZES = (10, 1000, 10000)
Row = tuple[str, float | None, float | None, str]


def rows() -> list[Row]:
    """Return the measures of ``uve``: name, goal (at most), value, unit; without a goal, for comparison."""
    with scene() as here:
        found = _sizes(here)
    with scene() as here:
        return [*found, *_beside(here)]


def _sizes(here: Scene) -> list[Row]:
    path = f"{here.stand_in()}{os.pathsep}{os.environ['PATH']}"
    commands = {"bare": Command([sys.executable, "-c", "pass"], here.env(), here.project)}
    for size in SIZES:
        env = here.env(PATH=path, PRIME_UVE_CACHE=here.registry(size))
        commands[str(size)] = Command([SCRIPTS / "uve", "sync"], env, here.project)
    times = measure(commands, RUNS)
    return [
        ("bare `python -c pass`", None, times.milliseconds("bare"), "ms"),
        ("uve sync, stand-in uv, 1,000 mappings", None, times.milliseconds("1000"), "ms"),
        ("uve sync, stand-in uv, 1,000 mappings, against bare Python", 1.3, times.ratio("1000", "bare"), "x"),
        ("uve sync, 10,000 mappings, against 10", 1.1, times.ratio("10000", "10"), "x"),
    ]


def _beside(here: Scene) -> list[Row]:
    """Return what is asked of uv itself: its version, and a sync with nothing to do."""
    uv, uve = find_uv_bin(), SCRIPTS / "uve"
    exported = here.env(UV_PROJECT_ENVIRONMENT=here.environment, VIRTUAL_ENV=here.environment)
    plain = Command([uv, "sync"], exported, here.project)
    run(plain)
    recipe_project = _copy(here, "recipe")
    recipe = [uv, "run", "--env-file", ".env.uve", "--", uv]
    commands = {
        "uv --version, the variable exported": Command([uv, "--version"], exported, here.project),
        "uve --version": Command([uve, "--version"], here.env(), here.project),
        "uv run --env-file .env.uve -- uv --version": Command([*recipe, "--version"], here.env(), recipe_project),
        "uv sync, nothing to do, the variable exported": plain,
        "uve sync, nothing to do": Command([uve, "sync"], here.env(), here.project),
        "uv run --env-file .env.uve -- uv sync, nothing to do": Command([*recipe, "sync"], here.env(), recipe_project),
    }
    missing: list[Row] = []
    for name, add in {"published uve --version": _published, **dict.fromkeys(OTHERS, _other)}.items():
        try:
            commands[name] = add(here, name)
        except MissingError as error:
            missing.append((f"{name}: {error}", None, None, "ms"))
    times = measure(commands, RUNS // 3)
    return [*_goals(times), *((name, None, times.milliseconds(name), "ms") for name in commands), *missing]


def _goals(times: Times) -> list[Row]:
    goal = ("uve --version against the published one", 0.3)
    if "published uve --version" not in times.seconds:
        return [(*goal, None, "x")]
    return [(*goal, times.ratio("uve --version", "published uve --version"), "x")]


def _copy(here: Scene, name: str) -> Path:
    """Copy the project, for a tool that leaves something in it."""
    return Path(shutil.copytree(here.project, here.home / name))


def _published(here: Scene, name: str) -> Command:
    program = published(here.folder) / "uve"
    return Command([program, *name.split()[2:]], here.env(), _copy(here, "published-project"))


OTHERS = {"pipenv --venv": "pipenv", "poetry env info -p": "poetry", "hatch env find": "hatch"}


def _other(here: Scene, name: str) -> Command:
    """Set a tool up so that it has an environment to tell of."""
    tool, *args = name.split()
    folder = _copy(here, tool)
    program = install(here.folder / tool, tool) / tool
    env = here.env(PIPENV_IGNORE_VIRTUALENVS="1", PIPENV_NOSPIN="1")
    make = {"pipenv": ["--python", sys.executable, "install"], "poetry": ["env", "use", sys.executable]}
    if tool in make:
        try:
            run(Command([program, *make[tool]], env, folder))
        except RuntimeError as error:
            raise MissingError(f"it makes no environment: {error}") from error
    return Command([program, *args], env, folder)
