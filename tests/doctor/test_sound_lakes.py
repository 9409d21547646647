"""Lakes in which nothing is wrong have no findings: run, copied, imported, migrated, and in use."""

from __future__ import annotations

import tarfile
import threading
from pathlib import Path

import pytest

from alchemiscale_lake.archives import import_archive, write_archive
from alchemiscale_lake.caller import Caller
from alchemiscale_lake.doctor import LakeFinding, examine
from alchemiscale_lake.execution.assignment import AttemptSpec
from alchemiscale_lake.statestore.claims import claim_tasks
from alchemiscale_lake.statestore.network_copies import copy_network
from alchemiscale_lake.statestore.new_tasks import ensure_tasks
from alchemiscale_lake.statestore.submit import submit_network
from alchemiscale_lake.store import Lake, migrate
from tests.archives.archived_campaigns import ADA, real_campaign
from tests.lakes import new_lake
from tests.plain import SCOPE, leave_result, plain_chain
from tests.schema_formats import archive_of


def found(place: Path, *, quick: bool = False, patience_s: float = 0.0) -> list[LakeFinding]:
    return list(examine(place, quick=quick, tell=lambda _: None, patience_s=patience_s).findings)


@pytest.fixture(scope="module")
def campaign(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, str]:
    """A network that ran, with a copy in another Scope."""
    folder = tmp_path_factory.mktemp("campaign")
    lake = new_lake(folder / "lake")
    network = real_campaign(lake, folder / "work")
    copy_network(lake, network, "org-other-project", caller=ADA)
    return folder / "lake", network


def test_a_campaign_that_ran(campaign: tuple[Path, str]) -> None:
    assert found(campaign[0]) == []


def test_an_imported_archive(campaign: tuple[Path, str], tmp_path: Path) -> None:
    place, network = campaign
    write_archive(Lake.open(place), [network], tmp_path / "a.zip", objects=False, outputs=False)
    import_archive(new_lake(tmp_path / "other"), tmp_path / "a.zip", caller=ADA)
    assert found(tmp_path / "other") == []


@pytest.mark.parametrize("format_", [1, 2, 3])
def test_an_old_lake_before_and_after_its_migration(format_: int, tmp_path: Path) -> None:
    with tarfile.open(archive_of(format_)) as archive:
        archive.extractall(tmp_path, filter="data")
    place = tmp_path / "lake"
    assert {f.command for f in found(place, quick=True)} == {"alchemiscale-lake migrate"}
    migrate(str(place), tell=lambda _: None)
    assert found(place) == []


def test_a_lake_in_use(tmp_path: Path) -> None:
    """A writer claims and records all the time."""
    lake, caller, stop = new_lake(tmp_path / "lake"), Caller("d"), threading.Event()
    pairs = [(f"a{i}", f"b{i}") for i in range(4)]
    network = submit_network(lake, plain_chain(pairs), SCOPE, caller=caller).network

    def write() -> None:
        mine = Lake.open(tmp_path / "lake")
        for n in range(1, 1000):
            ensure_tasks(mine, network, n, caller=caller)
            for claim in claim_tasks(mine, "p", 4, lease_s=600, caller=caller):
                leave_result(mine, AttemptSpec(claim.attempt, claim.task, claim.transformation, claim.scope))
            if stop.is_set():
                return

    writer = threading.Thread(target=write)
    writer.start()
    try:
        assert found(tmp_path / "lake", patience_s=0.5) == []
    finally:
        stop.set()
        writer.join()
