"""What maintenance of one table may delete, by the ages of files; `test_upkeep.py` has whole lakes."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from alchemiscale_lake.errors import SettingsError
from alchemiscale_lake.store import UpkeepSettings
from alchemiscale_lake.store.objects import ObjectInfo
from alchemiscale_lake.store.table_upkeep import _old_entries

NOW = datetime(2030, 1, 1, tzinfo=UTC)
DAY_S = 86400.0


def info(version: int, kind: str, age_s: float) -> ObjectInfo:
    return ObjectInfo(f"tables/t/_delta_log/{version:020d}.{kind}", 1, NOW - timedelta(seconds=age_s))


def old(log: Sequence[ObjectInfo], keep_s: float = 3600) -> list[str]:
    return [entry.path.rpartition("/")[2].lstrip("0") for entry in _old_entries(log, NOW - timedelta(seconds=keep_s))]


@pytest.mark.parametrize(
    "wrong",
    [
        {"keep_log_s": 899},
        {"keep_files_s": 3599},
        {"keep_files_s": 7 * DAY_S + 1},
        {"keep_orphans_s": 30 * DAY_S - 1},
        {"keep_log_s": float("nan")},
        {"keep_files_s": float("nan")},
        {"keep_orphans_s": float("nan")},
    ],
)
def test_what_others_may_need_cannot_be_thrown_away(wrong: dict[str, float]) -> None:
    with pytest.raises(SettingsError):
        UpkeepSettings(**wrong)


def test_the_limits_themselves_are_valid() -> None:
    UpkeepSettings(keep_log_s=900, keep_files_s=3600, keep_orphans_s=30 * DAY_S)
    UpkeepSettings(keep_files_s=7 * DAY_S)


def test_entries_go_only_below_a_checkpoint_that_is_old_enough() -> None:
    entries = [info(version, "json", 5000 - version) for version in range(6)]
    assert old(entries) == [], "there is no checkpoint"
    young = info(4, "checkpoint.parquet", 3599)
    assert old([*entries, young]) == [], "a reader may be opening the table by the entries"
    assert old([*entries, info(2, "checkpoint.parquet", 3601), young]) == [".json", "1.json"]
    assert old([*entries, info(2, "checkpoint.parquet", 3700), info(4, "checkpoint.parquet", 3601)]) == [
        ".json",
        "1.json",
        "2.checkpoint.parquet",
        "2.json",
        "3.json",
    ]


LOGS = st.lists(
    st.tuples(st.integers(0, 30), st.sampled_from(["json", "checkpoint.parquet"]), st.integers(0, 7200)),
    unique_by=lambda one: one[:2],
)


@given(drawn=LOGS)
@settings(deadline=None, derandomize=True)
def test_a_log_is_deleted_from_below_and_keeps_a_checkpoint_of_its_own(drawn: list[tuple[int, str, int]]) -> None:
    log = [info(*one) for one in drawn]
    gone = _old_entries(log, NOW - timedelta(hours=1))

    versions = [int(entry.path.rpartition("/")[2][:20]) for entry in gone]
    assert all(a <= b for a, b in pairwise(versions)), "an interruption leaves no gap"
    kept = [one for one in drawn if info(*one) not in gone]
    assert all(NOW - entry.modified_at > timedelta(hours=1) for entry in gone)
    if gone:
        assert any(kind != "json" and version > max(versions) and age > 3600 for version, kind, age in kept)
