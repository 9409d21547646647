"""A lake as it was: facts up to a moment, exact after maintenance; versions of tables as far as it left them."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import pytest

from alchemiscale_lake.errors import NotFoundError, NotWritableError, SettingsError
from alchemiscale_lake.query import connect, status_counts
from alchemiscale_lake.schemas import TABLES
from alchemiscale_lake.store import Lake, UpkeepSettings, maintain, parse_moment
from alchemiscale_lake.store.past import TIMES, PastTable
from tests.campaign import Campaign, hours


@pytest.fixture(scope="module")
def campaign(tmp_path_factory: pytest.TempPathFactory) -> Campaign:
    """One result a hour, from the first hour on, and a failed one at the fourth."""
    campaign = Campaign.at(tmp_path_factory.mktemp("past") / "lake")
    network = campaign.network("tyk2", [("a", "b"), ("b", "c")])
    tasks = campaign.new_tasks(network, ["a_b_other", "a_b_other", "b_c_other", "b_c_other"])
    for task in tasks[:3]:
        campaign.result(task, 1.0, 0.1)
    campaign.result(tasks[3], ok=False)
    return campaign


def results(lake: Lake) -> int:
    return int(connect(lake).sql("select count(*) from results").fetchall()[0][0])


def test_every_table_has_a_time_or_belongs_to_one_that_has() -> None:
    lacking = {name for name in TABLES if name not in TIMES} - {"task_snapshots", "action_snapshots", "attempt_ends"}
    assert lacking == {"network_members", "replicates", "unit_results", "result_files", "refused_files"}
    assert all(column in TABLES[name].names for name, column in TIMES.items())


def test_facts_up_to_a_time_also_after_maintenance(campaign: Campaign) -> None:
    at = f"{hours(2.6):%Y-%m-%dT%H:%M}"  # results are recorded 31 minutes after they started
    before = [results(campaign.lake.as_of(when)) for when in (at, "2025-06-01", "2024-01-01")]
    assert before == [2, 4, 0]
    maintain(campaign.lake, UpkeepSettings(keep_log_s=900, keep_files_s=3600))
    assert [results(Lake.open(campaign.lake.url).as_of(when)) for when in (at, "2025-06-01", "2024-01-01")] == before
    past = campaign.lake.as_of(at)
    failed = connect(past).sql("select count(*) from unit_results").fetchall()
    assert failed == [(0,)], "units of later results are not there yet"


def test_states_as_of_a_commit(campaign: Campaign) -> None:
    # one commit that creates and actions, then one per result
    counts = [dict(status_counts(campaign.lake.as_of(str(seq)))) for seq in (1, 3, 5)]
    assert [c.get("waiting", 0) for c in counts] == [4, 2, 0]
    assert dict(status_counts(campaign.lake)) == dict(status_counts(campaign.lake.as_of("5")))
    assert campaign.lake.as_of("3").task_log.states().seq == 3
    with pytest.raises(NotFoundError, match="no commit 99"):
        campaign.lake.as_of("99")


def test_a_version_of_a_table(tmp_path: Path) -> None:
    campaign = Campaign.at(tmp_path / "lake")
    network = campaign.network("tyk2", [("a", "b")])
    for task in campaign.new_tasks(network, ["a_b_other"] * 6):
        campaign.result(task, 1.0, 0.1)
    version = campaign.lake.table("results").snapshot().version()
    assert results(campaign.lake.as_of(f"results@{version - 2}")) == 4
    with pytest.raises(NotFoundError, match="its newest is"):
        results(campaign.lake.as_of(f"results@{version + 1}"))
    with pytest.raises(NotFoundError, match="no table 'result'"):
        campaign.lake.as_of("result@1")
    maintain(campaign.lake)
    log = Path(str(campaign.lake.local_path)) / "tables" / "results"
    for path in log.rglob("*.parquet"):
        if "_delta_log" not in path.parts and str(path) not in campaign.lake.table("results").snapshot().file_uris():
            path.unlink()  # as maintenance does a day later
    with pytest.raises(NotFoundError, match="maintenance deletes the files of old versions"):
        results(campaign.lake.as_of(f"results@{version - 2}"))


def test_the_past_cannot_be_written(campaign: Campaign) -> None:
    past = campaign.lake.as_of("2025-06-01")
    assert isinstance(past.table("assays"), PastTable)
    with pytest.raises(NotWritableError, match="open the lake to write"):
        past.table("assays").append_new(TABLES["assays"].sample(1))


@pytest.mark.parametrize(
    ("text", "at"),
    [
        ("2025-06-01T12:00", datetime(2025, 6, 1, 12, tzinfo=UTC)),
        ("2025-06-01T12:00+02:00", datetime(2025, 6, 1, 10, tzinfo=UTC)),
        (" 2025-06-01 ", datetime(2025, 6, 1, 23, 59, 59, 999999, tzinfo=UTC)),
    ],
)
def test_times(text: str, at: datetime) -> None:
    assert parse_moment(text).at == at


@pytest.mark.parametrize("text", ["", "yesterday", "2025-13-01", "-1", "results@", "results@x"])
def test_what_is_no_time_is_refused(text: str) -> None:
    with pytest.raises(SettingsError, match="is not a point in time"):
        parse_moment(text)
