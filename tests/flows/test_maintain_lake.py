from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from alchemiscale_lake.errors import SettingsError
from alchemiscale_lake.flows.maintain_lake import maintain_lake
from alchemiscale_lake.prefect_api.local_api import Api
from alchemiscale_lake.schemas import TABLES
from alchemiscale_lake.store import Lake
from tests.prefect_requests import post


def test_the_flow_keeps_a_lake_up_and_shows_what_it_did(api: Api, tmp_path: Path) -> None:
    lake = Lake.create(tmp_path / "lake")
    for i in range(6):
        lake.table("assays").append_new(TABLES["assays"].sample(1, ligand=f"l{i}"))
    report = maintain_lake(lake=lake.url)
    done = {table.table: table for table in report.tables}
    assert (done["assays"].files_before, done["assays"].files_after) == (6, 1)
    # other tests may have run the flow on this server, too
    newest: dict[str, Any] = {"artifacts": {"key": {"any_": ["maintain-lake"]}}, "sort": "CREATED_DESC", "limit": 1}
    (shown,) = post(api, "artifacts/filter", **newest)
    assert "assays" in shown["data"]
    assert "5 data files were removed by compaction" in shown["description"]


def test_a_duration_that_is_none_is_named(api: Api, tmp_path: Path) -> None:
    Lake.create(tmp_path / "lake")
    with pytest.raises(SettingsError, match="keep_log: 'soon' is not a valid duration"):
        maintain_lake(lake=str(tmp_path / "lake"), keep_log="soon")
