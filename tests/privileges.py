"""Commands to which the modes of files apply, even where the tests run as root."""

import os
import shutil

import pytest


def unprivileged() -> list[str]:
    """Return what a command has to be preceded by, so that the system refuses it what modes forbid."""
    if os.geteuid() != 0:
        return []
    setpriv = shutil.which("setpriv")
    if setpriv is None:
        pytest.skip("modes mean nothing to root, and there is no setpriv")
    return [setpriv, "--bounding-set=-dac_override,-dac_read_search", "--inh-caps=-all"]
