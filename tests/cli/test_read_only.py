"""A read-only lake: commands that read work, those that write report it in one line."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest
from click.testing import CliRunner

from alchemiscale_lake.cli import main
from alchemiscale_lake.estimates.gathering import gather_network
from alchemiscale_lake.query import find_network
from alchemiscale_lake.store import Lake
from tests.campaign import SCOPE, small_campaign

READING: Sequence[Sequence[str]] = [
    ("status",),
    ("status", "tyk2", "--transformations"),
    ("query", "select count(*) as n from results"),
    ("gather", "tyk2", "--as-is"),
    ("gather", "tyk2", "--as-is", "--report", "findings"),
    ("rank", "tyk2"),
    ("view", "tyk2", "--as-is", "-o", "page.html"),
    ("failures",),
    ("hosts",),
    ("usage",),
    ("tasks", "--limit", "3"),
    ("networks", "list"),
    ("maintain", "--dry-run"),
]
WRITING: Sequence[Sequence[str]] = [
    ("gather", "tyk2", "--rule", "sd"),
    ("maintain",),
    ("tasks", "create", "--network", "tyk2"),
    ("networks", "set-state", "tyk2", "inactive"),
    ("assays", "assays.csv", "--scope", SCOPE),
]


@pytest.fixture(scope="module")
def lake(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """Return a small campaign, gathered, in a read-only folder."""
    folder = tmp_path_factory.mktemp("read-only")
    small_campaign(folder / "made")
    made = Lake.open(folder / "made")
    gather_network(made, find_network(made, "tyk2"))
    if os.geteuid() != 0:
        shutil.copytree(folder / "made", folder / "seen")
        subprocess.run(["chmod", "-R", "a-w", folder / "seen"], check=True)
        yield folder / "seen"
        subprocess.run(["chmod", "-R", "u+w", folder / "seen"], check=True)
        return
    (folder / "seen").mkdir()
    # root may write regardless of the mode
    tried = subprocess.run(["mount", "--bind", folder / "made", folder / "seen"], capture_output=True, text=True)
    if tried.returncode:
        pytest.skip(f"root cannot mount here: {tried.stderr.strip()}")
    try:
        subprocess.run(["mount", "-o", "remount,ro,bind", folder / "seen"], check=True)
        yield folder / "seen"
    finally:
        subprocess.run(["umount", "-l", folder / "seen"], check=True)


def call(lake: Path, arguments: Sequence[str]) -> tuple[int, str]:
    Path("assays.csv").write_text("ligand,value_kcal_mol\na,-8.0\n")
    result = CliRunner().invoke(main, [*arguments, "--lake", str(lake)])
    return result.exit_code, result.output


@pytest.mark.parametrize("arguments", READING, ids=" ".join)
def test_what_reads_works(
    lake: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, arguments: Sequence[str]
) -> None:
    monkeypatch.chdir(tmp_path)

    code, output = call(lake, arguments)

    assert code == 0, output


@pytest.mark.parametrize("arguments", WRITING, ids=" ".join)
def test_writing_commands_fail_in_one_line(
    lake: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, arguments: Sequence[str]
) -> None:
    monkeypatch.chdir(tmp_path)

    code, output = call(lake, arguments)

    (line,) = [line for line in output.splitlines() if line.startswith("Error: ")]
    assert code == 1
    assert "read-only file system" in line or "permission denied" in line
    assert "ask its owner for access, or use commands that only read" in line
    assert "Traceback" not in output


def test_a_lake_cannot_be_made_where_nothing_can_be_written(
    lake: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)

    code, output = call(lake / "new", ["init"])

    assert code == 1
    assert f"cannot create a lake in {lake / 'new'}: " in output
    assert not (lake / "new").exists()
