"""`usage`: in this process, against a campaign of fixed times; tables against snapshots."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

import pytest
from click.testing import CliRunner, Result
from syrupy.assertion import SnapshotAssertion

from alchemiscale_lake.cli import main
from alchemiscale_lake.importing.imports import import_results
from alchemiscale_lake.store import now_utc
from tests.campaign import SCOPE, Campaign, hours

Call = Callable[..., Result]
OTHER = "org-campaign-other"


@pytest.fixture(scope="module")
def campaign(tmp_path_factory: pytest.TempPathFactory) -> Campaign:
    """Return two networks that share a Transformation, and one in another Scope; three days, two hosts."""
    made = Campaign.at(tmp_path_factory.mktemp("usage") / "lake")
    first = made.network("first", [("a", "b"), ("b", "c")])
    made.network("second", [("b", "c")])
    other = made.network("other", [("x", "y")], scope=OTHER, protocol="NoopProtocol")
    for day, key in enumerate(["a_b_other", "b_c_other", "b_c_other"]):
        (task,) = made.new_tasks(first, [key])
        made.result(task, ok=False, hostname="node2", started_at=hours(24 * day))
        attempt = made.result(task, 1.0, 0.1, started_at=hours(24 * day + 1))
        file = {"scope": SCOPE, "attempt": attempt, "path": "x.log", "n_bytes": 7, "digest": "d", "object_path": "o"}
        made.lake.table("result_files").append_new([file])
    (task,) = made.new_tasks(other, ["x_y_other"], scope=OTHER)
    made.result(task, 1.0, 0.1, started_at=hours(2), gpu_time_s=None, pool=None)
    return made


@pytest.fixture
def call(campaign: Campaign) -> Call:
    def run(*arguments: str) -> Result:
        return CliRunner().invoke(main, ["usage", *arguments], env={"ALCHEMISCALE_LAKE": campaign.lake.url})

    return run


@pytest.mark.parametrize("by", ["day", "scope", "protocol", "host", "pool", "network"])
def test_tables(call: Call, by: str, snapshot: SnapshotAssertion) -> None:
    result = call("--by", by)

    assert result.exit_code == 0, result.stderr
    assert rounded(result.stdout) == snapshot


def rounded(text: str) -> str:
    """Round long numbers to six digits: the last ones depend on the machine."""
    return re.sub(r"\d+\.\d{4,}", lambda found: f"{float(found.group()):.6g}", text)


def test_a_scope_is_all_that_is_counted(call: Call) -> None:
    rows = call("--scope", OTHER, "--by", "protocol").stdout.splitlines()

    assert [row.split("\t")[:2] for row in rows] == [["protocol", "n_tasks"], ["NoopProtocol", "1"]]


def test_since_counts_what_ended_within_it_and_divides_by_it(tmp_path: Path) -> None:
    made = Campaign.at(tmp_path / "lake")
    network = made.network("n", [("a", "b")])
    for days in (0.5, 1.5, 30):
        made.result(made.new_tasks(network, ["a_b_other"])[0], 1.0, 0.1, started_at=now_utc() - timedelta(days=days))

    def row(*options: str) -> dict[str, str]:
        result = CliRunner().invoke(main, ["usage", *options], env={"ALCHEMISCALE_LAKE": made.lake.url})
        header, cells = (line.split("\t") for line in result.stdout.splitlines())
        return dict(zip(header, cells, strict=True))

    week = row("--since", "7d")
    assert (week["n_tasks"], float(week["tasks_per_day"])) == ("2", pytest.approx(2 / 7))
    assert row("--since", "1d")["n_tasks"] == "1"
    everything = row()
    assert everything["n_tasks"] == "3"
    assert float(everything["tasks_per_day"]) == pytest.approx(3 / 29.5, rel=0.01)


def test_imported_results_without_times_have_no_day_and_no_rate(tmp_path: Path) -> None:
    made, table = Campaign.at(tmp_path / "lake"), tmp_path / "ring.csv"
    table.write_text("ligand_i,ligand_j,value_kcal_mol,uncertainty_kcal_mol\na,b,1.0,0.1\nb,c,1.0,0.1\n")
    import_results(made.lake, table, SCOPE)

    for by, name in (("day", ""), ("scope", SCOPE)):
        result = CliRunner().invoke(main, ["usage", "--by", by], env={"ALCHEMISCALE_LAKE": made.lake.url})
        assert result.stdout.splitlines()[1].split("\t")[:4] == [name, "2", "", "2"], result.output


@pytest.mark.parametrize("since", ["soon", "0s", "-1d"])
def test_since_is_a_time(call: Call, since: str) -> None:
    result = call(f"--since={since}")

    assert result.exit_code == 2
    assert "--since" in result.stderr


@pytest.mark.parametrize("by", ["host", "day"])
def test_plots(call: Call, tmp_path: Path, by: str) -> None:
    target = tmp_path / "throughput.png"

    result = call("--by", by, "--plot", str(target))

    assert result.exit_code == 0, result.stderr
    assert target.read_bytes().startswith(b"\x89PNG")


def test_nothing_to_plot_is_an_error(call: Call, tmp_path: Path) -> None:
    result = call("--since", "1d", "--plot", str(tmp_path / "none.png"))

    assert result.exit_code == 1
    assert "no attempt has ended" in result.stderr


def test_help_shows_an_example(call: Call) -> None:
    assert "  alchemiscale-lake usage --by host" in call("--help").stdout
