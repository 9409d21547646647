"""Lakes written from memory are as `Lake.create` makes them."""

from __future__ import annotations

import re
from pathlib import Path

from alchemiscale_lake.store import Lake
from tests.campaign import Campaign, _new_small_campaign, small_campaign
from tests.lakes import new_lake

_NAMES = re.compile(r"part-[0-9a-f-]+\.parquet")


def paths(folder: Path) -> list[str]:
    return sorted(_NAMES.sub("part", p.relative_to(folder).as_posix()) for p in folder.rglob("*"))


def test_an_empty_lake_has_the_same_files(tmp_path: Path) -> None:
    made, lake = Lake.create(tmp_path / "made"), new_lake(tmp_path / "lake")
    assert paths(tmp_path / "lake") == paths(tmp_path / "made")
    assert lake.tables == made.tables
    assert lake.table("migrations").scan().collect().height == 1


def test_two_campaigns_are_alike_and_apart(tmp_path: Path) -> None:
    first, second = small_campaign(tmp_path / "first"), small_campaign(tmp_path / "second")
    anew = _new_small_campaign(tmp_path / "anew")
    assert (second.tasks, second.n_attempts) == (anew.tasks, anew.n_attempts)
    first.assay("d", -1.0)
    first.new_tasks(f"AlchemicalNetwork-tyk2-{first.scope}", ["a_b_solvent"])

    def content(campaign: Campaign) -> dict[str, list[tuple[object, ...]]]:
        names = ("tasks", "results", "assays", "networks")
        return {name: sorted(campaign.lake.table(name).scan().collect().rows(), key=repr) for name in names}

    assert content(second) == content(anew)
    assert content(first) != content(anew)
