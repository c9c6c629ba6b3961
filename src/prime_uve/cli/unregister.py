"""``prime-uve unregister``: forget a checkout; its environment stays."""

import os
from pathlib import Path

import click

from prime_uve.cli.options import any_path_argument, json_option, open_registry
from prime_uve.cli.output import emit_json, say, warn
from prime_uve.core.project import find_env_root


@click.command
@any_path_argument
@json_option
def command(path: str, *, as_json: bool) -> int:
    """Forget a checkout.

    Removes the mapping of the project at PATH (default: here). Neither its files nor its environment are touched.
    """
    cache = open_registry()
    project = cache.key_of(Path(path))
    mapping = cache.get_mapping(Path(project))
    if mapping is None and os.path.lexists(path):
        project = find_env_root(path) or project
        mapping = cache.get_mapping(Path(project))
    removed = cache.remove_mapping(Path(project))
    if as_json:
        emit_json({"project": project, "removed": removed, "mapping": mapping})
    elif removed:
        say(f"{project!r} is no longer registered; its environment stays: {(mapping or {}).get('venv_path')!r}")
    else:
        warn(f"{project!r} is not registered; see what is: prime-uve list")
    return 0 if removed else 1
