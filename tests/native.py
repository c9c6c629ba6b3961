"""Native hooks as `prime-uve hook install` leaves them, and other people's hooks beside them."""

from pathlib import Path

from prime_uve.core.hooks.folder import find_hooks
from prime_uve.core.hooks.native import Step, carry_out, plan_install, plan_uninstall


def install(folder: Path, *, force: bool = False) -> list[Step]:
    """Do what ``prime-uve hook install`` does, and return what that was."""
    steps = plan_install(find_hooks(str(folder)), force=force)
    carry_out(steps)
    return steps


def uninstall(folder: Path, *, force: bool = False) -> list[Step]:
    """Do what ``prime-uve hook uninstall`` does, and return what that was."""
    steps = plan_uninstall(find_hooks(str(folder)), force=force)
    carry_out(steps)
    return steps


def script(path: Path, body: str, mode: int = 0o755) -> Path:
    """Write a hook in the shell."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(f"#!/bin/sh\n{body}\n")
    path.chmod(mode)
    return path
