"""Tables as a terminal of 80 and of 200 columns shows them; all in this process, on one small campaign."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import CliRunner, Result
from syrupy.assertion import SnapshotAssertion

from alchemiscale_lake.cli import _show, main
from alchemiscale_lake.estimates.gathering import gather_network
from tests.campaign import SCOPE, small_campaign

Look = Callable[..., Result]
COMMANDS = (
    ("status",),
    ("status", "tyk2"),
    ("status", "tyk2", "--transformations"),
    ("tasks", "--network", "tyk2"),
    ("networks", "list"),
    ("failures",),
    ("failures", "--each"),
    ("usage",),
    ("usage", "--by", "network"),
    ("usage", "--by", "day"),
    ("query", "from throughput order by all"),
    ("query", "from ligand_ranking order by all"),
    ("gather", "tyk2", "--as-is"),
    ("gather", "tyk2", "--as-is", "--report", "ddg"),
    ("gather", "tyk2", "--as-is", "--report", "raw"),
    ("gather", "tyk2", "--as-is", "--report", "findings"),
    ("gather", "tyk2", "--as-is", "--report", "findings", "--all"),
    ("compare", "tyk2"),
    ("compare", "tyk2", "--over-time"),
    ("rank", "tyk2"),
    ("rank", "tyk2", "--top", "2"),
    ("cost-model", "list"),
)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("screens")
    campaign = small_campaign(folder / "lake")
    gather_network(campaign.lake, f"AlchemicalNetwork-tyk2-{SCOPE}")
    return folder


@pytest.fixture
def look(folder: Path, monkeypatch: pytest.MonkeyPatch) -> Look:
    """Run a command as on a terminal of a width."""
    monkeypatch.chdir(folder)

    def look(width: int, *arguments: str) -> Result:
        monkeypatch.setattr(_show, "is_for_people", lambda tsv, output: not tsv and output is None)
        done = CliRunner().invoke(main, arguments, env={"COLUMNS": str(width), "ALCHEMISCALE_LAKE": None})
        assert done.exit_code == 0, done.output
        return done

    return look


@pytest.mark.parametrize("width", [80, 200])
@pytest.mark.parametrize("arguments", COMMANDS, ids=" ".join)
def test_screens(look: Look, arguments: tuple[str, ...], width: int, snapshot: SnapshotAssertion) -> None:
    shown = look(width, *arguments)

    assert max(map(len, shown.stdout.splitlines())) <= width
    assert without_times(shown.stdout + shown.stderr) == snapshot


def without_times(text: str) -> str:
    """Replace what depends on the day: times of gathering."""
    today = re.compile(r"(?!2025-06)2\d{3}-\d\d-\d\d \d\d:\d\d(:\d\d)?")
    text = today.sub(lambda found: "T" * len(found[0]), text)
    return "\n".join(line.rstrip() for line in text.splitlines()) + "\n"


@pytest.mark.parametrize("command", ["usage", "query"])
def test_gpu_hours_are_shown_on_a_narrow_terminal_and_intervals_whole(look: Look, command: str) -> None:
    header = look(80, *(("usage",) if command == "usage" else ("query", "from throughput"))).stdout

    first, second = header.splitlines()[:2]
    at = first.index("gpu_")
    assert second[at : at + 4].strip() == "h"
    assert ("low" in first + second) == ("high" in first + second)


def test_the_list_of_tables_is_whole(look: Look) -> None:
    shown = look(80, "query", "--list")

    assert "…" not in shown.stdout
    assert shown.stderr == ""
    assert max(map(len, shown.stdout.splitlines())) <= 80


def test_rows_of_tasks_differ(look: Look) -> None:
    lines = look(80, "tasks", "--network", "tyk2").stdout.splitlines()
    rows = [line for line in lines if "_" in line and not line.startswith(("status", "hidden", " "))]

    assert len(rows) == len(set(rows)) == 14
