"""The line for a person, beside what a program prints.

Hot: imports only what a bare interpreter has already loaded.
"""

import sys


def tell(line: str) -> None:
    """Print a line on stderr. Where there is none, or nobody can read it, that is no reason to fail."""
    if sys.stderr is None:  # pythonw, or closed; print() would take stdout instead
        return
    try:
        sys.stderr.write(f"{line}\n")
        sys.stderr.flush()
    except (OSError, ValueError):
        pass
