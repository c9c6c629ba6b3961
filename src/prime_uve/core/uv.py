"""Where uv is.

Hot: imports only what a bare interpreter has already loaded.
"""

import os
import sys

from prime_uve.errors import UvNotFoundError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping


def find_uv(environ: "Mapping[str, str]") -> str:
    """Return the path of the uv to run: the first on ``PATH``, else the one installed beside prime-uve.

    Raises:
        UvNotFoundError: there is none.
    """
    executable = "uv.exe" if sys.platform == "win32" else "uv"
    folders = [folder for folder in environ.get("PATH", os.defpath).split(os.pathsep) if folder]
    for folder in [*folders, os.path.dirname(sys.executable)]:
        candidate = os.path.join(folder, executable)
        if os.path.isfile(candidate) and os.access(candidate, os.X_OK):
            return candidate
    raise UvNotFoundError("uv is not on PATH; install it: pip install 'prime-uve[uv]'")
