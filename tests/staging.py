"""Env files on their way into Git, and Git hooks that look at them."""

from collections.abc import Callable
from pathlib import Path

from prime_uve.core.cache import Cache
from prime_uve.core.env_file import KEY, NAME
from tests import commands, isolation

OLD = "${HOME}/prime-uve/venvs/demo_00000000"
NEW = "${HOME}/prime-uve/venvs/demo_11111111"
Change = Callable[[Path], object]
Manager = Callable[[Path, commands.Run], None]

EVENTS = ("pre-commit", "pre-merge-commit", "post-checkout", "post-merge", "post-rewrite", "post-commit")


def write(folder: Path, value: str | bytes) -> Path:
    """Write an env file that names the environment ``value``, or that holds these bytes."""
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / NAME
    path.write_bytes(value if isinstance(value, bytes) else f"{KEY}={value}\n".encode())
    return path


def stage(folder: Path, value: str | bytes) -> Path:
    """Write an env file and put it into the index."""
    path = write(folder, value)
    commands.git(folder, "add", "--force", path.name)
    return path


def commit(folder: Path, value: str | bytes, message: str = "Name an environment") -> Path:
    """Write an env file and commit it, without a hook."""
    path = stage(folder, value)
    quietly(folder, "commit", "--allow-empty", "--message", message)
    return path


def quietly(folder: Path, *args: str | Path) -> str:
    """Run Git as on a machine that has no hooks."""
    return commands.git(folder, "-c", "core.hooksPath=/nowhere", *args)


def registered() -> dict[str, str]:
    """Return the environment of each project in the registry."""
    return {project: row["venv_path"] for project, row in Cache().list_all().items()}


def install_hooks(checkout: Path, *events: str) -> None:
    """Have Git run the hook script of this project for these events, by default for all."""
    install_hooks_in(checkout / ".git/hooks", *events)


def install_hooks_in(folder: Path, *events: str) -> None:
    """Put the hook script of this project into a folder, for these events, by default for all."""
    folder.mkdir(parents=True, exist_ok=True)
    for event in events or EVENTS:
        (folder / event).symlink_to(isolation.ROOT / "hooks/pre-commit")  # one text for all of them
