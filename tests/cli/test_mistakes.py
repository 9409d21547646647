"""A user's mistake is reported in one line, and leaves nothing behind."""

from __future__ import annotations

import json
import socket
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


@pytest.mark.parametrize(
    ("option", "content", "says"),
    [
        ("--assays", "ligand,value_kcal_mol\na,one\n", "not a number"),
        ("--assays", None, "there is no file"),
        ("--pools", "pools: 7\n", "pools"),
        ("--pools", None, "there is no pools file"),
    ],
)
def test_other_files_that_run_refuses_leave_no_lake(
    option: str, content: str | None, says: str, network: str, tmp_path: Path
) -> None:
    given = tmp_path / "given"
    if content is not None:
        given.write_text(content)
    place = str(tmp_path / "lake")
    done = CliRunner().invoke(main, ["run", network, "--scope", "a-b-c", "--lake", place, option, str(given)])
    assert (done.exit_code, says in done.output) == (1, True), done.output
    assert not (tmp_path / "lake").exists()


def test_a_taken_port_leaves_no_lake(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    # with a server of the user, which other tests of this process may have set, `up` listens nowhere and serves on
    monkeypatch.delenv("PREFECT_API_URL", raising=False)
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        done = CliRunner().invoke(main, ["up", "--port", port, "--lake", str(tmp_path / "lake")])
    assert done.exit_code == 1
    assert f"cannot listen on 127.0.0.1:{port}" in done.output
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
