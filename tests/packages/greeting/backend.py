"""A build backend (PEP 517, PEP 660) that needs nothing: it packs one module into a wheel."""

from pathlib import Path
from zipfile import ZipFile

WHEEL = "greeting-1.0-py3-none-any.whl"
INFO = "greeting-1.0.dist-info"
METADATA = {
    "METADATA": "Metadata-Version: 2.1\nName: greeting\nVersion: 1.0\nRequires-Python: >=3.11\n",
    "WHEEL": "Wheel-Version: 1.0\nGenerator: greeting\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
    "entry_points.txt": "[console_scripts]\ngreet = greeting:main\n",
}


def build_wheel(wheel_directory: str, config_settings: object = None, metadata_directory: object = None) -> str:
    del config_settings, metadata_directory
    files = {"greeting.py": Path("greeting.py").read_text(encoding="utf-8")}
    return _pack(Path(wheel_directory), files)


def build_editable(wheel_directory: str, config_settings: object = None, metadata_directory: object = None) -> str:
    del config_settings, metadata_directory
    return _pack(Path(wheel_directory), {"greeting.pth": f"{Path.cwd()}\n"})


def _pack(folder: Path, files: dict[str, str]) -> str:
    files |= {f"{INFO}/{name}": text for name, text in METADATA.items()}
    record = f"{INFO}/RECORD"
    files[record] = "".join(f"{name},,\n" for name in [*files, record])
    with ZipFile(folder / WHEEL, "w") as wheel:
        for name, text in files.items():
            wheel.writestr(name, text)
    return WHEEL
