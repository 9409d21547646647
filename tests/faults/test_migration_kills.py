"""A migration killed in a bucket; that of a folder is killed between any two writes in `store/test_migrate.py`."""

from __future__ import annotations

import os
import signal
from pathlib import Path

import pytest

from alchemiscale_lake.errors import LakeVersionError
from alchemiscale_lake.faults import fault_hook
from alchemiscale_lake.schemas import TABLES
from alchemiscale_lake.store import Lake, check_tables, migrate
from tests.forks import ForkServer
from tests.long import LONG
from tests.next_formats import CHANGED, next_formats
from tests.s3 import new_bucket, set_environment, upload

NAMES = {"networks": ["a", "b"], "transformations": ["x", "y", "z"]}
N_KILLS = 4


def names(lake: Lake) -> dict[str, list[str]]:
    return {table: sorted(lake.table(table).scan().collect()["name"]) for table in NAMES}


def refusal(url: str) -> str | None:
    """Return why this version does not open the lake; None if it does, and every name is what it was."""
    try:
        assert names(Lake.open(url)) == NAMES
    except LakeVersionError as e:
        return str(e)
    return None


def history(lake: Lake) -> list[tuple[int, str]]:
    return lake.table("migrations").scan().select("format", "what").collect().sort("format").rows()


@pytest.fixture
def old(lake: Lake) -> Path:
    """Return the folder of a lake of today's format with some rows."""
    for table, of_table in NAMES.items():
        lake.table(table).append_new(TABLES[table].sample(len(of_table), name=of_table))
    assert lake.local_path is not None
    return lake.local_path


@pytest.fixture
def points(old: Path, s3: str, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Return the fault points that an undisturbed migration in a bucket passes."""
    set_environment(monkeypatch, s3)
    passed: list[str] = []
    url = new_bucket(s3)
    upload(old, url)
    with next_formats(), fault_hook(passed.append):
        migrate(url, tell=lambda _: None)
    return [f"{point}@{passed[: i + 1].count(point)}" for i, point in enumerate(passed)]


@pytest.mark.parametrize("nth", [pytest.param(1, marks=LONG), N_KILLS])
def test_a_migration_killed_in_a_bucket_goes_on(
    nth: int, points: list[str], old: Path, s3: str, forks: ForkServer
) -> None:
    """SIGKILL from early to late; the changed tables are never half changed, and the next migration ends."""
    assert len(points) >= 12
    for point in points[:: max(1, len(points) // nth) if nth > 1 else 1]:
        url = new_bucket(s3)
        upload(old, url)
        killed = forks.run(
            "tests.faults.migration_driver", url, environment={**os.environ, "ALCHEMISCALE_LAKE_FAULT": point}
        )
        assert killed.returncode == -signal.SIGKILL, (point, killed.stderr)

        # a table is changed only once this version refuses the lake
        why = refusal(url)
        assert why is None or "supports formats up to" in why or "being migrated" in why, point
        with next_formats():
            migrate(url, tell=lambda _: None)
            lake = Lake.open(url)
            assert names(lake) == capitals(), point
            assert history(lake)[-1][0] == CHANGED, point
            assert all(not checked.flaws for checked in check_tables(lake, lambda _: None)), point


def capitals() -> dict[str, list[str]]:
    return {table: [name.upper() for name in of_table] for table, of_table in NAMES.items()}
