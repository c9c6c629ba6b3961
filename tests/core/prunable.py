"""Environments to be pruned: of projects that live, are gone, or never were."""

import os
import shutil
from dataclasses import dataclass
from pathlib import Path

from prime_uve.core import marker
from prime_uve.core.cache import Cache
from prime_uve.core.paths import TRASH
from tests.core import checkouts

CONTENT = b"import this\n"


@dataclass
class Ground:
    """A base, and a folder of projects."""

    base: Path
    projects: Path

    def __post_init__(self) -> None:
        (self.projects / "neighbour").mkdir(parents=True)

    def environment(self, name: str) -> Path:
        """Make an environment that nobody knows."""
        path = self.base / name
        (path / "lib" / "package").mkdir(parents=True)
        (path / "pyvenv.cfg").write_text("version_info = 3.12.7\n")
        (path / "lib" / "package" / "module.py").write_bytes(CONTENT)
        (path / "bin").mkdir()
        (path / "bin" / "python").symlink_to("/usr/bin/env")
        return path

    def registered(self, name: str, environment: Path | None = None) -> Path:
        """Make a project and its environment, register them, and return the project."""
        path = environment if environment is not None else self.environment(name)
        project = checkouts.make(self.projects / name, str(path))
        Cache().add_mapping(project, str(path), name, "0" * 8)
        marker.give(str(path), str(project))
        return project

    def orphan(self, name: str) -> Path:
        """Make an environment whose project is gone, and return it."""
        shutil.rmtree(self.registered(name))
        return self.base / name

    def trash(self) -> list[str]:
        """Return what lies in the trash."""
        return sorted(os.listdir(self.base / TRASH)) if (self.base / TRASH).is_dir() else []

    def mappings(self) -> set[str]:
        """Return the names of the projects that are registered."""
        return {Path(project).name for project in Cache().rows()}
