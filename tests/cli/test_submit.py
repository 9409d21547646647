"""`submit`: the name of a network, and what to do next."""

from __future__ import annotations

import json
import re
import shlex
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from alchemiscale_lake.cli import main
from tests.plain import plain_chain
from tests.real_data import real_file

SCOPE = "o-c-p"


@pytest.fixture
def file(tmp_path: Path) -> str:
    path = tmp_path / "network.json"
    path.write_text(json.dumps(plain_chain([("a", "b")])))
    return str(path)


def submit(tmp_path: Path, file: str, *options: str) -> Result:
    return CliRunner().invoke(main, ["submit", file, "--scope", SCOPE, "--lake", str(tmp_path / "lake"), *options])


def test_another_name_of_a_known_network_is_not_used_in_silence(tmp_path: Path, file: str) -> None:
    first, same, other = (submit(tmp_path, file, "--name", name) for name in ("tyk2", "tyk2", "mcl1"))

    assert [done.exit_code for done in (first, same, other)] == [0, 0, 0]
    assert "has this network already, as 'tyk2'; the name 'mcl1' was not used" in other.stderr
    assert "was not used" not in first.stderr + same.stderr


def test_a_name_that_another_network_has_is_said_with_its_key(tmp_path: Path, file: str) -> None:
    submit(tmp_path, file, "--name", "tyk2")
    other = tmp_path / "other.json"
    other.write_text(json.dumps(plain_chain([("a", "c")])))

    done = submit(tmp_path, str(other), "--name", "tyk2")

    key = done.stdout.strip()
    assert f"1 other network of o-c-p has the name 'tyk2', so commands need its ScopedKey: {key}" in done.stderr


def test_the_next_command_finds_the_network_that_was_submitted(
    tmp_path: Path, file: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("tyk2").mkdir()  # `run tyk2` would mean this folder

    (command,) = re.findall("next: (.*)", submit(tmp_path, file, "--name", "tyk2").stderr)

    assert shlex.split(command)[:3] == ["alchemiscale-lake", "run", submit(tmp_path, file).stdout.strip()]


def test_run_refuses_a_new_name_for_a_network_in_the_lake(tmp_path: Path, file: str) -> None:
    submit(tmp_path, file, "--name", "tyk2")

    done = CliRunner().invoke(main, ["run", "tyk2", "--name", "mcl1", "--lake", str(tmp_path / "lake")])

    assert done.exit_code == 2
    assert "--name is for a network that is read from a file; tyk2 is in the lake already" in done.stderr


@pytest.mark.parametrize("command", ["submit", "run"])
def test_a_network_that_was_edited_leaves_no_lake(tmp_path: Path, command: str) -> None:
    chain = json.loads(real_file("tyk2_network.json").read_text())
    chain[-1][1]["name"] = "edited"
    edited = tmp_path / "edited.json"
    edited.write_text(json.dumps(chain))

    done = CliRunner().invoke(main, [command, str(edited), "--scope", SCOPE, "--lake", str(tmp_path / "lake")])

    assert (done.exit_code, "was edited after gufe wrote it" in done.stderr) == (1, True), done.output
    assert not (tmp_path / "lake").exists()


def test_a_new_scope_that_is_almost_another_is_asked_about(tmp_path: Path, file: str) -> None:
    lake = ["--lake", str(tmp_path / "lake")]
    CliRunner().invoke(main, ["submit", file, "--scope", "org-campaign-tyk2", *lake])

    misspelt = CliRunner().invoke(main, ["submit", file, "--scope", "org-campaing-tyk2", *lake])

    assert "org-campaing-tyk2 is a new Scope; did you mean 'org-campaign-tyk2'?" in misspelt.stderr
