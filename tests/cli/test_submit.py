"""`submit`: the name of a network, and what to do next."""

from __future__ import annotations

import json
import re
import shlex
from contextlib import nullcontext
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from alchemiscale_lake.cli import main, run
from alchemiscale_lake.errors import LakeError
from alchemiscale_lake.statestore.network_state import why_unclaimed
from alchemiscale_lake.store import Lake
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


class Stopped:
    """A session in which nothing runs."""

    ui_url, login, is_ours, is_kept = "http://127.0.0.1", None, True, False

    def call(self, *_: object, **__: object) -> None:
        raise LakeError("stopped")


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


def test_run_refuses_a_network_whose_tasks_would_not_run(tmp_path: Path, file: str) -> None:
    submit(tmp_path, file, "--name", "tyk2", "-t", "1")
    lake = ["--lake", str(tmp_path / "lake")]
    for change, back in ((("set-state", "inactive"), "active"), (("set-weight", "0"), "0.5")):
        CliRunner().invoke(main, ["networks", change[0], "tyk2", change[1], *lake])
        for network in (["tyk2"], [file, "--scope", SCOPE]):
            refused = CliRunner().invoke(main, ["run", *network, *lake])
            assert refused.exit_code == 1
            (again,) = re.findall("none of its Tasks is run; to run them: `alchemiscale-lake (.*)`", refused.stderr)
        resumed = CliRunner().invoke(main, ["run", "--resume", *lake])
        assert "not continued: tyk2" in resumed.stderr
        assert "has no unfinished run" in resumed.stderr

        assert shlex.split(again)[:4] == ["networks", change[0], "tyk2", back]
        CliRunner().invoke(main, shlex.split(again))
    assert why_unclaimed(Lake.open(tmp_path / "lake"), submit(tmp_path, file).stdout.strip()) is None


@pytest.mark.parametrize("given", [(), ("--name", "mine")])
def test_run_prints_the_name_of_the_network_not_of_its_file(
    tmp_path: Path, file: str, given: tuple[str, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    other = tmp_path / "plan.json"
    other.write_text(Path(file).read_text())
    named = re.findall("(.*): [0-9]+ Transformation", submit(tmp_path, file).stderr)
    monkeypatch.setattr(run, "session", lambda *_, **__: nullcontext(Stopped()))

    done = CliRunner().invoke(main, ["run", str(other), "--scope", "o-c-new", "--lake", str(tmp_path / "lake"), *given])

    assert f"{given[1] if given else named[0]} (o-c-new)" in done.stderr.splitlines(), done.output


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
