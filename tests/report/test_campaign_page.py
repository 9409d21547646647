"""The lasting page of a network: everything a chemist asks first, in one file that stays where it is."""

from __future__ import annotations

import itertools
import re
from pathlib import Path
from typing import Any

import pytest

from alchemiscale_lake.errors import StorageError
from alchemiscale_lake.estimates.gathering import gather_network
from alchemiscale_lake.importing.imports import import_results
from alchemiscale_lake.query import connect
from alchemiscale_lake.report import campaign_page as pages
from alchemiscale_lake.report.campaign_page import campaign_page, write_campaign_page, written_page
from alchemiscale_lake.report.page_places import page_place
from alchemiscale_lake.report.tables import dg_table
from alchemiscale_lake.store import Lake
from alchemiscale_lake.store.objects import ObjectStore
from tests.campaign import SCOPE, T0, Campaign, small_campaign

TYK2 = f"AlchemicalNetwork-tyk2-{SCOPE}"
NASTY = ["</section><script>alert(1)</script>", "<img src=x onerror=alert(1)>", "{{style}}", "& \"'"]


@pytest.fixture(scope="module")
def campaign(tmp_path_factory: pytest.TempPathFactory) -> Campaign:
    made = small_campaign(tmp_path_factory.mktemp("pages") / "lake")
    for ligand, value in {"a": -9.0, "b": -8.1, "c": -5.9}.items():
        made.assay(ligand, value)
    gather_network(made.lake, TYK2)
    return made


def plain(page: str) -> str:
    """What a reader reads."""
    return re.sub(r"\s+", " ", re.sub(r"<[^>]+>", " ", page.partition("<body>")[2]))


def test_a_page_holds_progress_cost_ranking_and_agreement(campaign: Campaign) -> None:
    text = plain(campaign_page(campaign.lake, TYK2, at=T0))

    assert "tyk2" in text
    assert "12 of 14 Tasks complete" in text
    assert "1 running" in text
    assert "1 error" in text
    assert "GPU-hours" in text
    assert "failed attempts 1 of 13" in text
    assert "results per day" in text
    assert re.search(r"1 a -\d.*2 b -\d.*3 c -\d.*4 d Error", text), "ranked, and what failed is there"
    assert re.search(r"RMSE \d\.\d\d kcal/mol, MUE \d\.\d\d kcal/mol .*over 3 ligands", text)
    assert "the box exploded" in text
    assert f"alchemiscale-lake view tyk2 --lake {campaign.lake.local_path}" in text


def test_notes_are_those_of_gather(campaign: Campaign) -> None:
    page = plain(campaign_page(campaign.lake, TYK2, at=T0))
    with connect(campaign.lake) as connection:
        remarks = dg_table(connection, TYK2, allow_partial=True).remarks

    assert "values are on the scale of experiment" in page
    assert "nodes on the absolute scale" not in page
    shown = [remark for remark in remarks if remark in page]
    assert shown[0].startswith("values are on the scale of experiment")


def test_a_page_has_all_inside_and_runs_nothing(campaign: Campaign) -> None:
    page = campaign_page(campaign.lake, TYK2, at=T0)

    assert "<script" not in page
    assert re.findall(r'(?:src|href)="(?!data:image/png;base64,)', page) == []
    assert "default-src 'none'; img-src data:; style-src 'sha256-" in page
    assert re.findall(r"\w+-[0-9a-f]{32}", page) == []
    assert TYK2 not in page


def test_imported_results_without_times_have_no_rate(tmp_path: Path) -> None:
    campaign, table = Campaign.at(tmp_path / "lake"), tmp_path / "ring.csv"
    table.write_text("ligand_i,ligand_j,value_kcal_mol,uncertainty_kcal_mol\na,b,1.0,0.1\nb,c,1.0,0.1\n")
    (network,) = import_results(campaign.lake, table, SCOPE).networks

    text = plain(campaign_page(campaign.lake, network, at=T0))

    assert "results 2 (imported without their times)" in text
    assert "per day" not in text
    assert "failed attempts" not in text


def test_imported_results_beside_computed_ones_count_in_no_rate(tmp_path: Path) -> None:
    campaign, table = Campaign.at(tmp_path / "lake"), tmp_path / "ring.csv"
    edges = ("a,b,1.0,0.1", "b,c,1.0,0.1", "c,a,-1.9,0.1", "a,d,Error,")
    table.write_text("\n".join(("ligand_i,ligand_j,value_kcal_mol,uncertainty_kcal_mol", *edges)) + "\n")
    (network,) = import_results(campaign.lake, table, SCOPE).networks
    found = campaign.lake.table("transformations").scan().select("name", "transformation").collect().rows()
    keys = {name: key.removeprefix("Transformation-").removesuffix(f"-{SCOPE}") for name, key in found}
    campaign.n_attempts = 100  # other attempts than those of the import
    good = [key for name, key in keys.items() if not name.endswith("d")][:2]
    *tasks, failed = campaign.new_tasks(network, [*good, good[0]])
    for task in tasks:
        campaign.result(task, 1.0, 0.1)
    campaign.result(failed, ok=False)
    gather_network(campaign.lake, network)

    text = plain(campaign_page(campaign.lake, network, at=T0))

    assert "5 of 7 Tasks complete" in text
    assert "2 error" in text
    assert "results 5 (3 of them imported without their times)" in text
    assert "failed attempts 2 of 4" in text, "two computed, one failed here and one elsewhere"
    assert "GPU-hours 0.8 (0.38 per computed result)" in text, "of three attempts of a quarter of an hour"
    assert "results per day 2.0" in text
    assert re.search(r"1 a -\d.*2 b .*3 c ", text)


def test_a_page_stays_where_it_is_and_keeps_up(tmp_path: Path) -> None:
    campaign = Campaign.at(tmp_path / "lake")
    network = campaign.network("tyk2", [("a", "b")])
    task, other = campaign.new_tasks(network, ["a_b_other"] * 2)
    first = write_campaign_page(campaign.lake, network)
    assert "0 of 2 Tasks complete" in plain(Path(first).read_text(encoding="utf-8"))
    assert "No estimates yet" in Path(first).read_text(encoding="utf-8")
    for k, each in enumerate((task, other)):
        campaign.result(each, 1.0 + k / 10, 0.1)
    gather_network(campaign.lake, network)

    again = write_campaign_page(campaign.lake, network)

    assert first == again == str(tmp_path / "lake" / "plots" / SCOPE / "tyk2.html")
    text = plain(Path(again).read_text(encoding="utf-8"))
    assert "2 of 2 Tasks complete" in text
    assert "No ligand has both" in text
    assert [path.name for path in Path(again).parent.iterdir()] == ["tyk2.html"], "nothing half written is left"


class NastyCampaign(Campaign):
    """Ligands a, b, c, d under other names."""

    def _transformation(self, key: str, a: str, b: str, phase: str, scope: str, protocol: str) -> dict[str, Any]:
        names = dict(zip("abcd", NASTY, strict=True))
        row = super()._transformation(key, a, b, phase, scope, protocol)
        return row | {"ligand_a_name": names[a], "ligand_b_name": names[b]}


def test_names_never_leave_their_place(tmp_path: Path) -> None:
    campaign = NastyCampaign.at(tmp_path / "lake")
    row = {"scope": SCOPE, "network": f"AlchemicalNetwork-bold-{SCOPE}", "key": "AlchemicalNetwork-bold"}
    row |= {"name": "<b>bold</b>", "n_transformations": 3, "n_systems": 4, "creator": "ada", "created_at": T0}
    campaign.lake.table("networks").append_new([row])
    network = campaign.network("bold", list(itertools.pairwise("abcd")))
    for k, key in enumerate(("a_b_other", "b_c_other", "c_d_other")):
        campaign.result(campaign.new_tasks(network, [key])[0], float(k), 0.1)
    gather_network(campaign.lake, network)

    page = campaign_page(campaign.lake, network, at=T0)

    assert "<script" not in page
    assert "<img src=x" not in page
    assert "<h1>&lt;b&gt;bold&lt;/b&gt;</h1>" in page
    assert "{{style}}" in page


def test_a_lake_that_takes_no_page_is_told_and_stops_nothing(
    campaign: Campaign, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(self: ObjectStore, path: str, data: bytes) -> None:
        raise StorageError(f"cannot write {path}")

    monkeypatch.setattr(ObjectStore, "put", refuse)

    assert written_page(campaign.lake, TYK2) == (
        None,
        f"the page of the network was not written: cannot write plots/{SCOPE}/tyk2.html",
    )


def test_in_a_bucket_the_place_is_an_address(campaign: Campaign, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Lake, "local_path", None)
    monkeypatch.setattr(campaign.lake, "url", "s3://bucket/lake")

    assert page_place(campaign.lake, TYK2) == f"s3://bucket/lake/plots/{SCOPE}/tyk2.html"


def test_long_rankings_are_cut_and_say_so(campaign: Campaign, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pages, "_MOST_ROWS", 2)

    assert "2 of 4 ligands are shown" in plain(campaign_page(campaign.lake, TYK2, at=T0))
