from __future__ import annotations

import os
import re
import time

import pytest
from click.testing import CliRunner, Result
from syrupy.assertion import SnapshotAssertion

from alchemiscale_lake.cli import main
from alchemiscale_lake.schemas import TABLES
from alchemiscale_lake.store import Lake


def call(lake: Lake, *arguments: str) -> Result:
    return CliRunner().invoke(main, ["maintain", *arguments], env={"ALCHEMISCALE_LAKE": lake.url})


@pytest.fixture
def used(lake: Lake) -> Lake:
    """Return a lake whose assays were added one by one, two days ago."""
    for i in range(8):
        lake.table("assays").append_new(TABLES["assays"].sample(1, ligand=f"l{i}"))
    assert lake.local_path is not None
    then = time.time() - 2 * 86400
    for path in lake.local_path.joinpath("tables").rglob("*.*"):
        os.utime(path, (then, then))
    return lake


def essence(text: str) -> str:
    """Remove times, and tables that are irrelevant here."""
    other = rf"^(table \d+ of \d+: )?({'|'.join(name for name in TABLES if name != 'assays')})\b.*\n"
    text = re.sub(other, "", text, flags=re.MULTILINE)
    text = re.sub(r"table \d+ of \d+", "table n of m", text)
    text = re.sub(r"\t\d+\.\d+\t", "\t(seconds)\t", text)
    text = re.sub(r"\d+\.\d s", "(seconds)", text)
    return re.sub(r"\(seconds\)\t$", "(seconds)", text, flags=re.MULTILINE)


@pytest.mark.parametrize("arguments", [("--dry-run",), ()], ids=["dry run", "done"])
def test_maintain(used: Lake, arguments: tuple[str, ...], snapshot: SnapshotAssertion) -> None:
    result = call(used, *arguments)
    assert result.exit_code == 0, result.output
    assert essence(result.stdout) == snapshot(name="stdout")
    assert essence(result.stderr) == snapshot(name="stderr")
    assert used.table("assays").scan().collect().height == 8


@pytest.mark.parametrize(
    ("arguments", "says", "code"),
    [
        (("--keep-log", "soon"), "not a valid duration", 2),
        (("--keep-log", "1m"), "kept for at least 15m", 1),
        (("--keep-files", "30d"), "kept for 1h to 7d", 1),
    ],
)
def test_mistakes(lake: Lake, arguments: tuple[str, ...], says: str, code: int) -> None:
    result = call(lake, *arguments)
    assert result.exit_code == code
    assert says in result.stderr
    assert "Traceback" not in result.output


def test_a_second_run_names_the_first(lake: Lake) -> None:
    from alchemiscale_lake.store.upkeep_lease import hold_upkeep

    with hold_upkeep(lake.objects):
        result = call(lake)
    assert result.exit_code == 1
    assert f"is already running, as process {os.getpid()} on" in result.stderr
