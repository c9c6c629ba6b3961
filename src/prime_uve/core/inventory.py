"""What there is: the mappings of the registry as rows, with what they came to."""

from dataclasses import dataclass
from typing import Any

from prime_uve.core.cache import Cache
from prime_uve.core.paths import expand
from prime_uve.core.validation import Status


@dataclass(frozen=True)
class InventoryRow:
    """One checkout: its path, its environment as registered and expanded, its status, and every issue as a sentence."""

    project: str
    project_name: str
    venv_path: str
    venv_path_expanded: str
    status: Status
    issues: list[str]
    created_at: str | None
    last_validated: str | None


def take_inventory(cache: Cache) -> list[InventoryRow]:
    """Validate all mappings and return them as rows, by project path.

    Raises:
        CacheError: the registry cannot be read.
    """
    results = cache.validate_all()
    mappings = cache.list_all()
    return [
        _row(project, mappings.get(project, {}), results[project].status, results[project].issues)
        for project in sorted(results)
    ]


def _row(project: str, mapping: dict[str, Any], status: Status, issues: list[str]) -> InventoryRow:
    def text(name: str) -> str | None:
        value = mapping.get(name)
        return value if isinstance(value, str) else None

    venv_path = text("venv_path") or ""
    return InventoryRow(
        project=project,
        project_name=text("project_name") or "",
        venv_path=venv_path,
        venv_path_expanded=expand(venv_path),
        status=status,
        issues=issues,
        created_at=text("created_at"),
        last_validated=text("last_validated"),
    )
