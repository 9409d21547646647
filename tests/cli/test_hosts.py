"""`hosts`: results and user decisions, in this process; output compared with snapshots."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import timedelta

import pytest
from click.testing import CliRunner, Result
from syrupy.assertion import SnapshotAssertion

from alchemiscale_lake.cli import main
from alchemiscale_lake.schemas import TABLES
from alchemiscale_lake.settings import QuarantineRules
from alchemiscale_lake.statestore.host_records import quarantined
from alchemiscale_lake.store import Lake, now_utc
from tests.plain import SCOPE

Call = Callable[..., Result]


@pytest.fixture
def call(lake: Lake) -> Call:
    """Call `hosts` on a lake where node1 works and node2 fails every Task."""
    began = now_utc() - timedelta(minutes=5)
    for hostname, ok, wall_time_s in (("node1", True, 3600.0), ("node2", False, 2.0)):
        rows = TABLES["results"].sample(
            3,
            scope=SCOPE,
            attempt=[f"{hostname}-{i}" for i in range(3)],
            task=[f"Task-{hostname}-{i}-{SCOPE}" for i in range(3)],
            hostname=hostname,
            ok=ok,
            wall_time_s=wall_time_s,
            started_at=began,
            ended_at=began,
            recorded_at=began,
            origin_attempt=None,
        )
        lake.table("results").append_new(rows)
    described = {"host": ["h1", "h2"], "hostname": ["node1", "node2"], "gpu_model": ["Tesla T4", None]}
    lake.table("hosts").append_new(TABLES["hosts"].sample(2, **described))

    def run(*arguments: str, pools: str | None = None) -> Result:
        env = {"ALCHEMISCALE_LAKE": lake.url, "ALCHEMISCALE_LAKE_POOLS": pools}
        return CliRunner().invoke(main, ["hosts", *arguments], env=env)

    return run


def without_times(text: str) -> str:
    return re.sub(r"\d{4}-\d\d-\d\d[T ][\d:.]+(\+00:00)?", "TIME", text)


def test_hosts_are_listed_those_in_quarantine_first(call: Call, snapshot: SnapshotAssertion) -> None:
    result = call()
    assert result.exit_code == 0, result.stderr
    assert without_times(result.stdout) == snapshot
    assert call("list").stdout == result.stdout


def test_a_person_quarantines_and_readmits(call: Call, lake: Lake, snapshot: SnapshotAssertion) -> None:
    said = [
        call("quarantine", "node1", "node3", "--unseen", "--for", "24h", "--reason", "a broken fan"),
        call("list"),
        call("readmit", "node1", "node2", "node3"),
        call("list"),
    ]
    who = re.compile(r"\(by [^)]*\)")
    shown = [(who.sub("(by WHO)", without_times(r.stdout)), without_times(r.stderr)) for r in said]
    assert [r.exit_code for r in said] == [0] * 4
    assert shown == snapshot
    assert quarantined(Lake.open(lake.url), QuarantineRules()) == {}


def test_a_host_that_nothing_names_is_not_readmitted(call: Call, lake: Lake) -> None:
    call("quarantine", "node1", "--for", "24h")

    refused = call("readmit", "node1", "nod2")

    assert refused.exit_code == 1
    assert "the lake knows no host 'nod2'; did you mean 'node2'?" in refused.stderr
    assert set(quarantined(Lake.open(lake.url), QuarantineRules())) >= {"node1"}, "nothing changes"


def test_a_misspelt_host_is_not_quarantined(call: Call, lake: Lake) -> None:
    refused = call("quarantine", "node1", "nod2", "--for", "24h")

    assert refused.exit_code == 1
    assert "the lake knows no host 'nod2'; did you mean 'node2'? (--unseen accepts" in refused.stderr
    assert lake.host_log.decisions() == {}, "nothing changes"
    assert call("quarantine", "nod2", "--for", "24h", "--unseen").exit_code == 0


def test_the_rules_of_the_pools_file_count(call: Call, tmp_path) -> None:  # type: ignore[no-untyped-def]
    pools = tmp_path / "pools.yaml"
    pools.write_text("pools:\n  here:\n    kind: local\nhosts:\n  fast: 1s\n")
    assert call("--pools", str(pools)).stdout.splitlines()[1].startswith("node1")
    assert call(pools=str(pools)).stdout.splitlines()[1].startswith("node1")


@pytest.mark.parametrize("duration", ["soon", "0s", "-1h"])
def test_a_quarantine_needs_a_duration(call: Call, lake: Lake, duration: str) -> None:
    result = call("quarantine", "node1", f"--for={duration}")
    assert result.exit_code == 2
    assert "--for" in result.stderr
    assert lake.host_log.decisions() == {}
