"""The page of a network: self-contained, safe from malicious names, and working in a real browser."""

from __future__ import annotations

import dataclasses
import html
import itertools
import json
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest

from alchemiscale_lake.errors import EstimationError, NotFoundError
from alchemiscale_lake.estimates.experiment_pairs import dg_pairs
from alchemiscale_lake.estimates.gathering import gather_network
from alchemiscale_lake.query import ask, connect
from alchemiscale_lake.report import ligand_structures, performance_line
from alchemiscale_lake.report.network_graph import network_graph
from alchemiscale_lake.report.network_view import COLOURS, NetworkPage, draw_page, network_page
from alchemiscale_lake.statestore.submit import submit_network
from alchemiscale_lake.store import Lake
from tests.browser import Page, browser
from tests.campaign import SCOPE, Campaign, hours, small_campaign
from tests.example_campaign import NETWORK, ODD, example_campaign, ligands, pairs
from tests.example_networks import legs_network
from tests.networks.chains import mapped_chain

#: A browser may have to be installed first.

TYK2 = f"AlchemicalNetwork-tyk2-{SCOPE}"
NASTY = ["</script><img src=x onerror=alert(1)>", "<!--<script>", "{{script}} & \"'`\u2028", "]]>"]


@pytest.fixture(scope="module")
def mapped(tmp_path_factory: pytest.TempPathFactory) -> Lake:
    """Molecules as gufe objects, with mappings."""
    lake = Lake.create(tmp_path_factory.mktemp("mapped") / "lake")
    submit_network(lake, mapped_chain(), SCOPE)
    return lake


@pytest.fixture(scope="module")
def example(tmp_path_factory: pytest.TempPathFactory) -> Campaign:
    campaign = example_campaign(tmp_path_factory.mktemp("view") / "lake")
    gather_network(campaign.lake, NETWORK)
    return campaign


class NastyCampaign(Campaign):
    """Return ligands a, b, c, d under other names."""

    def _transformation(self, key: str, a: str, b: str, phase: str, scope: str, protocol: str) -> dict[str, Any]:
        names = dict(zip("abcd", NASTY, strict=True))
        row = super()._transformation(key, a, b, phase, scope, protocol)
        return row | {"ligand_a_name": names[a], "ligand_b_name": names[b]}


@pytest.fixture(scope="module")
def nasty(tmp_path_factory: pytest.TempPathFactory) -> NetworkPage:
    """Return a page in which every name is an injection attempt."""
    campaign = NastyCampaign.at(tmp_path_factory.mktemp("nasty") / "lake")
    network = campaign.network("nasty", list(itertools.pairwise("abcda")))
    for k, key in enumerate(("a_b_other", "b_c_other", "c_d_other")):
        campaign.result(campaign.new_tasks(network, [key])[0], float(k), 0.1)
    gather_network(campaign.lake, network)
    return draw_page(dataclasses.replace(network_graph(campaign.lake, network), name="<b>bold</b>"))


def content(page: NetworkPage) -> dict[str, Any]:
    found = re.search(r'<script id="data" type="application/json">(.*?)</script>', page.html, re.DOTALL)
    assert found is not None
    data: dict[str, Any] = json.loads(found[1])
    return data


def test_the_page_holds_what_the_lake_knows(example: Campaign) -> None:
    page = network_page(example.lake)

    (kind,) = content(page)["kinds"]
    assert (page.n_ligands, page.n_edges) == (len(ligands()), len(pairs()))
    assert [node["name"] for node in kind["nodes"]] == sorted(ligands())
    named = {(kind["nodes"][e["i"]]["name"], kind["nodes"][e["j"]]["name"]): e for e in kind["edges"]}
    assert set(named) == set(pairs())
    assert named[pairs()[0]]["status"] == "complete"
    assert [named[pair]["status"] for pair in pairs()[-5:]] == ["running", "waiting", "waiting", "idle", "idle"]
    assert [e["status"] for e in named.values()].count("error") == 1
    assert [leg["phase"] for leg in named[pairs()[0]]["legs"]] == ["complex", "solvent"]
    assert all(leg["n_results"] + leg["n_failed"] == 3 for leg in named[pairs()[0]]["legs"])


def test_numbers_are_those_of_the_tables(example: Campaign) -> None:
    (kind,) = content(network_page(example.lake))["kinds"]
    rows = {r["ligand"]: r for r in example.lake.table("network_estimates").scan().collect().iter_rows(named=True)}

    for node in kind["nodes"]:
        row = rows[node["name"]]
        assert node["value"] == pytest.approx(row["value_kcal_mol"], rel=1e-6)
        assert node["uncertainty"] == pytest.approx(row["uncertainty_kcal_mol"], rel=1e-6)
        if row["experiment_kcal_mol"] is None:
            assert node["residual"] is None
        else:
            off = row["value_kcal_mol"] - row["experiment_kcal_mol"]
            assert node["residual"] == pytest.approx(off, rel=1e-5, abs=1e-6)


def test_what_does_not_fit_is_marked_at_its_edge(example: Campaign) -> None:
    (kind,) = content(network_page(example.lake))["kinds"]

    odd = {(kind["nodes"][e["i"]]["name"], kind["nodes"][e["j"]]["name"]): e["findings"] for e in kind["edges"]}

    assert any("the value from the rest of the network" in says for says in odd[ODD])
    flagged = ask(connect(example.lake), "latest_findings", flagged=True)
    named = {tuple(s) for s in flagged.filter(pl.col("checked") == "edge")["subject"].to_list()}
    assert {pair for pair, findings in odd.items() if findings} == named, "a cycle alone blames no edge"
    of_cycles = [f for f in kind["findings"] if " adds up to " in f["description"]]
    place = next(k for k, pair in enumerate(odd) if pair == ODD)
    assert of_cycles
    assert all(place in f["edges"] for f in of_cycles)
    assert all(says in {f["description"] for f in kind["findings"]} for findings in odd.values() for says in findings)


def test_ligands_have_the_structure_of_their_assay_or_none(example: Campaign, monkeypatch: pytest.MonkeyPatch) -> None:
    page = network_page(example.lake)
    data = content(page)
    drawn = [node["structure"] for node in data["kinds"][0]["nodes"]]
    assert len(data["structures"]) == len([k for k in drawn if k is not None]) == 19
    assert page.notes == ()

    monkeypatch.setattr(ligand_structures, "has_rdkit", lambda: False)
    page = network_page(example.lake)

    assert content(page)["structures"] == []
    assert len(page.notes) == 1
    assert "structures need RDKit" in page.notes[0]


def test_molecules_that_rdkit_cannot_read_are_named(lake: Lake, monkeypatch: pytest.MonkeyPatch) -> None:
    submit_network(lake, legs_network(3), SCOPE)
    monkeypatch.setattr(ligand_structures, "read_small_molecule", lambda _: None)

    page = network_page(lake)

    assert page.notes == ("shown by name alone, for RDKit cannot read their molecule: lig0, lig1, lig2",)
    assert [node["structure"] for node in content(page)["kinds"][0]["nodes"]] == [None] * 3


def test_edges_say_which_atoms_are_mapped(mapped: Lake) -> None:
    data = content(network_page(mapped))

    (kind,) = data["kinds"]
    nodes, structures = kind["nodes"], data["structures"]
    edges = {(nodes[e["i"]]["name"], nodes[e["j"]]["name"]): e for e in kind["edges"]}
    edge = edges["phenol", "aniline"]
    assert edge["atoms"] == [7, 13 - 7, 14 - 7]
    assert edge["mapping"] == [k for k in range(7) for _ in "ij"]
    at = [np.array(structures[nodes[edge[end]]["structure"]]["xy"]).reshape(-1, 2)[:7] for end in "ij"]
    np.testing.assert_allclose(at[0], at[1], atol=2)
    other = edges["aniline", "chloride"]
    assert len(structures[nodes[other["j"]]["structure"]]["xy"]) // 2 == 9, "two of them have no partner"
    assert other["mapping"] == edge["mapping"]


def test_agreement_is_what_gather_says(example: Campaign) -> None:
    (kind,) = content(network_page(example.lake))["kinds"]

    pairs = dg_pairs(ask(connect(example.lake), "ligand_ranking", network=NETWORK))
    value, low, high = kind["performance"]["RMSE"]
    assert f"RMSE {value:.2f} kcal/mol (95% {low:.2f} to {high:.2f})" in performance_line(pairs)


def test_notes_are_sentences_without_their_codes(example: Campaign) -> None:
    (kind,) = content(network_page(example.lake))["kinds"]

    notes = {note for node in kind["nodes"] for note in node["notes"]}
    assert notes
    assert not [note for note in notes if re.match(r"[a-z-]+: ", note)]


def test_keys_are_shown_on_request_only(lake: Lake) -> None:
    network = submit_network(lake, legs_network(3), SCOPE).network

    plain, with_keys = network_page(lake).html, network_page(lake, keys=True).html

    assert re.findall(r"\w+-[0-9a-f]{32}", plain) == []
    assert network in with_keys
    assert "Transformation-" in with_keys


def test_plain_md_is_no_error(tmp_path: Path) -> None:
    made = Campaign.at(tmp_path / "lake")
    network = made.network("md", [("a", "b"), ("a", "c")])
    for leg, ok in (("a_b_other", True), ("a_c_other", False)):
        (task,) = made.new_tasks(network, [leg])
        made.result(task, ok=ok)
    gather_network(made.lake, network)

    (kind,) = network_graph(made.lake, network).kinds

    shown = {kind["nodes"][edge["j"]]["name"]: edge for edge in kind["edges"]}
    assert {name: edge["status"] for name, edge in shown.items()} == {"b": "complete", "c": "error"}
    assert {name: edge["legs"][0]["state"] for name, edge in shown.items()} == {"b": "no estimate", "c": "error"}


def test_before_the_first_round_legs_are_drawn(tmp_path: Path) -> None:
    campaign = small_campaign(tmp_path / "lake")

    (kind,) = network_graph(campaign.lake, TYK2).kinds

    assert kind["kind"] == "binding"
    statuses = {(kind["nodes"][e["i"]]["name"], kind["nodes"][e["j"]]["name"]): e["status"] for e in kind["edges"]}
    assert statuses == {("a", "b"): "complete", ("b", "c"): "complete", ("c", "a"): "complete", ("c", "d"): "error"}
    assert all(e["value"] is None for e in kind["edges"])


def test_what_cannot_be_drawn_is_told(lake: Lake) -> None:
    with pytest.raises(NotFoundError, match="there is no network"):
        network_page(lake)
    campaign = Campaign(lake)
    campaign.network("empty", [])
    with pytest.raises(EstimationError, match="no edges between ligands"):
        network_page(lake)
    campaign.network("two", [("a", "b")])
    with pytest.raises(NotFoundError, match=r"coloured by 'mood'; choose one of status, estimate"):
        network_page(lake, "two", colour="mood")


def test_names_never_leave_their_place(nasty: NetworkPage) -> None:
    assert "<img" not in nasty.html
    assert nasty.html.count("</script>") == 2
    assert "<title>&lt;b&gt;bold&lt;/b&gt;</title>" in nasty.html
    assert sorted(node["name"] for node in content(nasty)["kinds"][0]["nodes"]) == sorted(NASTY)


def test_the_page_may_ask_nobody_and_names_no_address(example: Campaign) -> None:
    page = network_page(example.lake).html

    policy = re.search(r'Content-Security-Policy" content="([^"]+)"', page)
    assert policy is not None
    assert policy[1].startswith("default-src 'none'; script-src 'sha256-")
    assert "unsafe" not in policy[1]
    assert set(re.findall(r"https?://[^\s\"'<>]+", page)) == {"http://www.w3.org/2000/svg"}
    assert not re.search(r"<link\b|@import|url\(|\bfetch\(|XMLHttpRequest|WebSocket|import\(", page)


def test_notebooks_show_it_in_a_frame_of_its_own(example: Campaign) -> None:
    page = network_page(example.lake)

    frame = page._repr_html_()

    assert str(page) == page.html
    assert frame.startswith('<iframe sandbox="allow-scripts" ')
    inside = re.search(r'srcdoc="([^"]*)"', frame)
    assert inside is not None
    assert html.unescape(inside[1]) == page.html


# --- in a browser -----------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def tab() -> Iterator[Callable[[], Page]]:
    with browser() as new_tab:
        yield new_tab


def choose(page: Page, colour: str) -> None:
    page.evaluate(
        "(() => { const s = document.getElementById('colour');"
        f" s.value = '{colour}'; s.dispatchEvent(new Event('change')); }})()"
    )


def colour_of(page: Page, selector: str, what: str = "fill") -> str:
    return str(page.evaluate(f"getComputedStyle(document.querySelector({json.dumps(selector)})).{what}"))


def test_a_reader_sees_points_drags_searches(example: Campaign, tab: Callable[[], Page], tmp_path: Path) -> None:
    file = tmp_path / "network.html"
    file.write_text(network_page(example.lake).html, encoding="utf-8")
    page = tab()
    page.size(1100, 700)

    page.open(file.as_uri())
    assert page.evaluate("document.querySelectorAll('.node').length") == len(ligands())
    assert page.evaluate("document.querySelectorAll('.link').length") == len(pairs())
    assert page.text("h1") == "benzanilides"
    assert page.text("#details").startswith("22 ligands, 34 edges")
    assert "28 edges" in page.text("#legend")
    assert "not started" in page.text("#legend")
    assert "flagged" in page.text("#legend")
    assert page.evaluate(f"document.querySelector('[data-edge=\"{ODD[0]} -> {ODD[1]}\"] .mark').textContent") == "!"

    at = page.middle_of("[data-ligand='bza-10'] circle")
    page.mouse("mouseMoved", *at)
    assert page.text("#details h2") == "bza-10"
    page.click(*at)
    assert "estimate − experiment" in page.text("#details")
    assert page.evaluate("document.querySelectorAll('#details .structure .letter').length") == 4

    before = page.evaluate("document.querySelector('[data-ligand=\"bza-10\"]').getAttribute('transform')")
    page.drag(at, (at[0] + 60, at[1] + 40))
    assert page.evaluate("document.querySelector('[data-ligand=\"bza-10\"]').getAttribute('transform')") != before
    moved = page.middle_of("[data-ligand='bza-10'] circle")
    assert moved == pytest.approx((at[0] + 60, at[1] + 40), abs=1.5)

    a, b = (page.middle_of(f"[data-ligand='{name}'] circle") for name in ("bza-12", "bza-14"))
    page.click((a[0] + b[0]) / 2, (a[1] + b[1]) / 2)
    assert page.text("#details h2") == "bza-12 → bza-14"
    assert "solvent" in page.text("#details")
    assert "3 complete" in page.text("#details")

    page.evaluate(
        "(() => { const s = document.getElementById('search');"
        " s.value = 'BZA-21'; s.dispatchEvent(new Event('input')); })()"
    )
    assert page.text("#details h2") == "bza-21"
    assert page.evaluate("document.querySelectorAll('.node.faded').length") == len(ligands()) - 1

    scale = page.evaluate("document.getElementById('world').getAttribute('transform')")
    page.mouse("mouseWheel", 300, 300, deltaX=0, deltaY=-240)
    page.wait(f"document.getElementById('world').getAttribute('transform') !== {json.dumps(scale)}")
    assert (page.complaints, page.requests) == ([], [file.as_uri()])


def click_edge(page: Page, edge: str) -> None:
    x, y = page.evaluate(
        f"(() => {{ const hit = document.querySelector('[data-edge=\"{edge}\"] .hit'), m = hit.getScreenCTM();"
        " const p = hit.getPointAtLength(hit.getTotalLength() / 2); return [m.a * p.x + m.e, m.d * p.y + m.f]; })()"
    )
    page.click(x, y)


def test_an_edge_shows_both_ligands_and_what_changes(mapped: Lake, tab: Callable[[], Page], tmp_path: Path) -> None:
    file = tmp_path / "mapped.html"
    file.write_text(network_page(mapped).html, encoding="utf-8")
    page = tab()
    page.open(file.as_uri())

    click_edge(page, "phenol -> aniline")

    count = "document.querySelectorAll('#details figure:nth-child({}) {}').length"
    assert page.evaluate("document.querySelectorAll('#details figure').length") == 2
    # oxygen became nitrogen
    assert [page.evaluate(count.format(k, "circle.changed")) for k in (1, 2)] == [1, 1]
    assert [page.evaluate(count.format(k, "circle.alone")) for k in (1, 2)] == [0, 0]
    assert "7 atoms mapped, 6 only in phenol, 7 only in aniline" in page.text("#details .key")
    views = page.evaluate("[...document.querySelectorAll('#details .structure')].map(s => s.getAttribute('viewBox'))")
    assert len(set(views)) == 1, "both on one scale, their core in one place"
    click_edge(page, "aniline -> chloride")
    assert [page.evaluate(count.format(k, "circle.alone")) for k in (1, 2)] == [0, 2]
    page.evaluate("document.querySelector('#details .enlarge').click()")
    assert page.evaluate("document.querySelectorAll('#large[open] svg').length") == 2
    assert (page.complaints, page.requests) == ([], [file.as_uri()])


def test_structures_show_on_zoom_and_only_in_sight(example: Campaign, tab: Callable[[], Page], tmp_path: Path) -> None:
    file = tmp_path / "network.html"
    file.write_text(network_page(example.lake).html, encoding="utf-8")
    page = tab()
    page.size(1100, 700)
    page.open(file.as_uri())
    page.evaluate("for (let k = 0; k < 9; k++) document.getElementById('farther').click()")
    page.wait("document.querySelectorAll('.card').length === 0")

    page.evaluate("document.getElementById('fit').click()")
    for _ in range(4):
        page.evaluate("document.getElementById('closer').click()")

    page.evaluate("new Promise(done => requestAnimationFrame(() => requestAnimationFrame(done)))")
    shown = page.evaluate("document.querySelectorAll('.card').length")
    assert 0 < shown < 19, "those in sight"
    assert page.evaluate("document.querySelectorAll('.card .molecule .lines').length") == shown


def test_estimates_are_drawn_against_experiment(example: Campaign, tab: Callable[[], Page], tmp_path: Path) -> None:
    file = tmp_path / "network.html"
    file.write_text(network_page(example.lake).html, encoding="utf-8")
    page = tab()
    page.size(1100, 700)
    page.open(file.as_uri())

    assert page.evaluate("document.querySelectorAll('.scatter .point').length") == 19
    assert "RMSE (kcal/mol)" in page.text("#details")
    named = page.evaluate("[...document.querySelectorAll('.scatter .named')].map(t => t.textContent)")
    assert "bza-17" in named, "the one farthest from experiment"
    boxes = page.evaluate(
        "[...document.querySelectorAll('.scatter .named')].map(t => t.getBoundingClientRect())"
        ".map(b => [b.left, b.top, b.right, b.bottom])"
    )
    assert not [1 for a, b in itertools.combinations(boxes, 2) if overlap(a, b)]
    page.evaluate("document.querySelector('.scatter [data-ligand=\"bza-17\"]').dispatchEvent(new Event('click'))")
    assert page.text("#details h2") == "bza-17"
    assert page.complaints == []


def overlap(a: list[float], b: list[float]) -> bool:
    return a[0] < b[2] and b[0] < a[2] and a[1] < b[3] and b[1] < a[3]


def test_colours_follow_the_choice_and_the_theme(example: Campaign, tab: Callable[[], Page], tmp_path: Path) -> None:
    file = tmp_path / "network.html"
    file.write_text(network_page(example.lake, colour="estimate").html, encoding="utf-8")
    page = tab()
    page.open(file.as_uri())
    seen = {}
    for colour in COLOURS:
        choose(page, colour)
        seen[colour] = colour_of(page, "[data-ligand='bza-17'] circle")
    assert len(set(seen.values())) >= 4
    assert seen["status"] == "rgb(0, 158, 115)"
    choose(page, "residual")
    assert "estimate minus experiment" in page.text("#legend")
    light = colour_of(page, "body", "backgroundColor")
    page.dark()
    assert colour_of(page, "body", "backgroundColor") != light
    page.evaluate("document.getElementById('theme').click()")
    assert colour_of(page, "body", "backgroundColor") == light
    assert page.complaints == []


def test_a_nasty_name_is_shown_and_does_nothing(nasty: NetworkPage, tab: Callable[[], Page], tmp_path: Path) -> None:
    file = tmp_path / "nasty.html"
    file.write_text(nasty.html, encoding="utf-8")
    page = tab()

    page.open(file.as_uri())
    page.click(*page.middle_of(f"[data-ligand={json.dumps(NASTY[0])}] circle"))

    assert page.text("#details h2") == NASTY[0]
    assert page.evaluate("document.querySelectorAll('img').length") == 0
    assert page.text("h1") == "<b>bold</b>"
    assert (page.complaints, page.requests) == ([], [file.as_uri()])


def test_a_script_that_got_in_would_not_run(nasty: NetworkPage, tab: Callable[[], Page], tmp_path: Path) -> None:
    """The second defence: the content security policy, tested with the first one disabled."""
    file = tmp_path / "breached.html"
    breach = "<script>window.breached = 1</script><img src='http://127.0.0.1:9/x' onerror='window.breached = 2'>"
    file.write_text(nasty.html.replace("<main>", f"<main>{breach}"), encoding="utf-8")
    page = tab()

    page.open(file.as_uri())

    assert page.evaluate("window.breached === undefined")
    assert page.evaluate("document.querySelectorAll('.node').length") == len(NASTY)
    assert len([said for said in page.complaints if "Content Security Policy" in said]) >= 2


def test_two_thousand_ligands_are_drawn(tab: Callable[[], Page], lake: Lake, tmp_path: Path) -> None:
    campaign = Campaign(lake)
    names = [f"l{k:04d}" for k in range(2000)]
    edges = [(names[max(0, k - 1 - k % 13)], names[k]) for k in range(1, 2000)]
    campaign.network("large", [*edges, *((names[k], names[k + 7]) for k in range(0, 1900, 2))])
    measured = {
        "kind": "direct",
        "value_kcal_mol": -8.0,
        "source": "a paper",
        "entered_by": "ada",
        "entered_at": hours(0),
    }
    tails = ["C" * (1 + k % 9) + "N" * (k % 2) for k in range(2000)]
    smiles = [f"O=C(NC{tail})c1ccc(F)cc1C(=O)N1CCC(Cn2cncn2)CC1" for tail in tails]
    rows = [{"scope": SCOPE, "ligand": name, "smiles": one} for name, one in zip(names, smiles, strict=True)]
    lake.table("assays").append_new([row | measured for row in rows])
    file = tmp_path / "large.html"
    page = network_page(lake)
    file.write_text(page.html, encoding="utf-8")
    opened = tab()

    opened.open(file.as_uri())

    assert opened.evaluate("document.querySelectorAll('.node').length") == page.n_ligands == 2000
    # about one second on an idle machine; structures are 1.4 kB each, and none is drawn before it is looked at
    assert opened.evaluate("performance.now()") < 20_000
    assert len(page.html) < 5_000_000
    assert opened.evaluate("document.querySelectorAll('.molecule').length") == 0
    opened.evaluate(
        "(() => { const s = document.getElementById('search');"
        " s.value = 'l0040'; s.dispatchEvent(new Event('input')); })()"
    )
    opened.evaluate("for (let k = 0; k < 5; k++) document.getElementById('closer').click()")
    assert 0 < opened.wait("document.querySelectorAll('.card').length") <= 120
    assert opened.complaints == []
