"""What is measured in: a home, projects, registries of many mappings, a uv that does nothing."""

import os
import shutil
import subprocess
import sysconfig
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

from prime_uve.core.cache import Cache, new_row

SCRIPTS = Path(sysconfig.get_path("scripts"))
VALUE = "${HOME}/prime-uve/venvs/demo_0a1b2c3d"
PYPROJECT = '[project]\nname = "demo"\nversion = "0.1.0"\nrequires-python = ">=3.11"\n'


class Scene:
    """A home in a temporary `folder`, and a project in it whose env file names an environment that is not made yet."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.home = folder / "home"
        self.project = self.home / "project"
        self.project.mkdir(parents=True)
        (self.project / "pyproject.toml").write_text(PYPROJECT)
        (self.project / ".env.uve").write_text(f"UV_PROJECT_ENVIRONMENT={VALUE}\n")
        self.environment = self.home / "prime-uve/venvs/demo_0a1b2c3d"

    def env(self, **more: str | Path) -> dict[str, str]:
        """Return the variables of a person, and `more`."""
        given = {
            "HOME": self.home,
            "PATH": os.environ["PATH"],
            "LANG": "C.UTF-8",
            "UV_CACHE_DIR": self.folder / "uv-cache",
            "UV_PYTHON_DOWNLOADS": "never",
        }
        return {name: os.fspath(value) for name, value in {**given, **more}.items()}

    def registry(self, size: int) -> Path:
        """Make a registry of so many mappings, of which that of the project is the last."""
        names = [f"p{number}" for number in range(size - 1)]
        rows = {
            project: new_row(project, value, name, "0" * 8)
            for name in names
            for project, value in [(str(self.home / f"projects/group/{name}"), f"${{HOME}}/prime-uve/venvs/{name}_0")]
        }
        rows[str(self.project)] = new_row(str(self.project), VALUE, "demo", "0a1b2c3d")
        path = self.folder / f"registry-{size}.json"
        Cache(path).edit(lambda present: present.update(rows))
        return path

    def stand_in(self) -> Path:
        """Make the environment, and a ``uv`` that does nothing, so that its time does not count; return its folder."""
        self.environment.mkdir(parents=True)
        (self.environment / "pyvenv.cfg").touch()
        folder = self.folder / "stand-in"
        folder.mkdir()
        (folder / "nothing.c").write_text("int main(void) { return 0; }\n")
        compiler = shutil.which("cc")
        if compiler is not None:
            for flags in (["-static"], []):
                command = [compiler, "-O2", *flags, "-o", str(folder / "uv"), str(folder / "nothing.c")]
                if subprocess.run(command, capture_output=True, check=False).returncode == 0:
                    return folder
        (folder / "uv").symlink_to(shutil.which("true") or "/bin/true")
        return folder


@contextmanager
def scene() -> Iterator[Scene]:
    """Make a scene, with ``HOME`` set to its home meanwhile."""
    before = os.environ.get("HOME")
    with TemporaryDirectory() as folder:
        made = Scene(Path(folder).resolve())
        os.environ["HOME"] = str(made.home)
        try:
            yield made
        finally:
            if before is not None:
                os.environ["HOME"] = before
