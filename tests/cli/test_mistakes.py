"""A user's mistake is reported in one line, and leaves nothing behind."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from click.testing import CliRunner

from alchemiscale_lake.cli import main
from tests.plain import plain_chain


@pytest.fixture
def network(tmp_path: Path) -> str:
    path = tmp_path / "network.json"
    path.write_text(json.dumps(plain_chain([("a", "b")])))
    return str(path)


@pytest.mark.parametrize("command", ["submit", "run"])
@pytest.mark.parametrize(
    ("content", "scope", "says"),
    [
        ("not json", "a-b-c", "neither JSON nor msgpack"),
        ("[]", "a-b-c", "network"),
        (None, "a-b", "is not a Scope"),
        (None, "a-b-*", "wildcard"),
    ],
)
def test_what_is_refused_leaves_no_lake(
    command: str, content: str | None, scope: str, says: str, network: str, tmp_path: Path
) -> None:
    if content is not None:
        Path(network).write_text(content)
    done = CliRunner().invoke(main, [command, network, "--scope", scope, "--lake", str(tmp_path / "lake")])
    assert done.exit_code != 0
    assert says in done.output
    assert "Traceback" not in done.output
    assert not (tmp_path / "lake").exists()


def test_resuming_nowhere_is_a_mistake_and_makes_no_lake(tmp_path: Path) -> None:
    done = CliRunner().invoke(main, ["run", "--resume", "--lake", str(tmp_path / "lake")])
    assert done.exit_code == 1
    assert "there is no lake" in done.output
    assert not (tmp_path / "lake").exists()


def test_a_file_needs_a_scope(network: str, tmp_path: Path) -> None:
    done = CliRunner().invoke(main, ["run", network, "--lake", str(tmp_path / "lake")])
    assert done.exit_code == 2
    assert "--scope" in done.output
    assert not (tmp_path / "lake").exists()
