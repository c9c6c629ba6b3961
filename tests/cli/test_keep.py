"""``prime-uve keep`` and ``prime-uve unkeep``."""

import json
from pathlib import Path

import pytest

from prime_uve.core.cache import Cache
from tests.commands import Run
from tests.core import checkouts
from tests.core.checkouts import ENVIRONMENT, add

KEYS = ["projects", "environment", "reason", "since", "is_changed"]


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    path = checkouts.make(tmp_path / "demo")
    add(Cache(), path)
    return path


def kept(checkout: Path) -> object:
    return (Cache().get_mapping(checkout) or {}).get("kept")


def test_an_environment_is_kept_and_let_go_again(run: Run, checkout: Path) -> None:
    done = run("prime-uve", "keep", "--reason", "thesis", cwd=checkout)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.startswith(f"{ENVIRONMENT!r} is kept ('thesis'), since 20")
    assert isinstance(kept(checkout), dict)
    done = run("prime-uve", "unkeep", cwd=checkout)
    assert (done.returncode, done.stdout, done.stderr) == (0, f"{ENVIRONMENT!r} is no longer kept\n", "")
    assert kept(checkout) is None
    assert run("prime-uve", "unkeep", cwd=checkout).stdout == f"{ENVIRONMENT!r} was not kept\n"


def test_a_path_can_be_named(call: Run, checkout: Path, tmp_path: Path) -> None:
    environment = checkouts.make_environment()
    for path in ("demo", checkout, environment):
        assert call("prime-uve", "keep", path, cwd=tmp_path).returncode == 0
        assert call("prime-uve", "unkeep", path, cwd=tmp_path).stdout == f"{ENVIRONMENT!r} is no longer kept\n"


def test_as_json_there_is_one_document_with_these_keys(call: Run, checkout: Path) -> None:
    for command, reason, is_changed in (
        ("keep", "", True), ("keep", "", False), ("unkeep", None, True), ("unkeep", None, False),
    ):  # fmt: skip
        done = call("prime-uve", command, "--json", cwd=checkout)
        document = json.loads(done.stdout)
        assert list(document) == KEYS
        assert (document["projects"], document["environment"]) == ([str(checkout)], ENVIRONMENT)
        assert (document["reason"], document["is_changed"], done.stderr) == (reason, is_changed, "")
        assert (document["since"] is None) == (reason is None)


@pytest.mark.parametrize("command", ["keep", "unkeep"])
def test_what_is_not_registered_is_an_error(call: Run, checkout: Path, tmp_path: Path, command: str) -> None:
    for options in ([], ["--json"], ["demo-2"], ["/nowhere"]):
        done = call("prime-uve", command, *options, cwd=tmp_path)
        assert (done.returncode, done.stdout) == (2, "")
        assert "is neither a registered checkout nor the environment of one" in done.stderr
    assert kept(checkout) is None
