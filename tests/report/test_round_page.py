"""The page of Strategy rounds: everything about why, in one file that loads nothing; looked at in a browser."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from alchemiscale_lake.caller import Caller
from alchemiscale_lake.errors import StorageError
from alchemiscale_lake.ids import Scope
from alchemiscale_lake.report.round_page import round_page, write_round_page
from alchemiscale_lake.report.uncertainty_plot import uncertainty_plot
from alchemiscale_lake.rounds.design_history import record_pickup
from alchemiscale_lake.rounds.network_progress import NetworkProgress, ProgressPoint
from alchemiscale_lake.store import Lake
from alchemiscale_lake.store.objects import ObjectStore
from alchemiscale_lake.strategies.design_forecast import DesignForecast, ForecastPoint
from tests.browser import browser
from tests.campaign import SCOPE, T0, Campaign, hours
from tests.round_campaign import MEMBERS, round_campaign

NASTY = "</td><script>alert(1)</script>{{style}}"


@pytest.fixture(scope="module")
def played(tmp_path_factory: pytest.TempPathFactory) -> tuple[Lake, str]:
    lake, network = round_campaign(tmp_path_factory.mktemp("rounds") / "lake", n_rounds=3)
    row = {"path": "week-1.json", "digest": "1", "n_bytes": 1, "modified_at": hours(0), "outcome": "grown"}
    row |= {"n_transformations": 40, "n_new": 40, "network": network}
    bad = {"path": NASTY, "digest": "2", "n_bytes": 1, "modified_at": hours(0), "outcome": "refused", "reason": NASTY}
    assert record_pickup(
        lake, Scope.parse(SCOPE), "benzanilides", "file:///designs", [row, bad], after=0, caller=Caller("ada")
    )
    return lake, network


@pytest.fixture(scope="module")
def page(played: tuple[Lake, str]) -> str:
    return str(round_page(*played, at=T0))


def plain(page: str) -> str:
    return re.sub(r"\s+", " ", re.sub(r"<[^>]+>", " ", page.partition("<body>")[2]))


def test_a_page_holds_figures_maps_forecast_votes_reasons_rounds_and_growth(
    page: str, played: tuple[Lake, str]
) -> None:
    text = plain(page)
    rows = played[0].table("strategy_rounds").scan().collect()
    last = rows.filter(rows["round"] == 3)

    assert "benzanilides" in text
    assert "kcal/mol mean uncertainty of 14 ligands" in text
    assert "spent on results, of 600" in text
    assert "GPU-hours more to a mean uncertainty of 0.12 kcal/mol" in text
    assert f"{last['n_tasks'].sum()} Tasks asked for by committee" in text
    assert page.count('class="map"') == 2
    assert 'class="goal"' in page
    assert "What round 3 asked for, and why" in text
    assert all(member["strategy"] in text for member in MEMBERS["members"])
    assert page.count('class="vote"') >= len(last)
    assert "optimal-design 0" in text
    asked = sum(int(n) for n in re.findall(r'<text class="asked"[^>]*>\+(\d+)</text>', page))
    assert asked == last["n_tasks"].sum(), "every Task is on an edge of the map"
    assert re.search(r"3 \d{4}-\d\d-\d\d .* asked", text)
    assert "40 of 40" in text


def test_a_page_has_all_inside_runs_nothing_and_names_stay_in_their_place(page: str) -> None:
    assert "<script" not in page
    assert re.findall(r'(?:src|href)="', page) == []
    assert "default-src 'none'" in page
    assert "&lt;/td&gt;&lt;script&gt;alert(1)&lt;/script&gt;{{style}}" in page
    assert not re.findall(r"<[^>]* style=", page), "the policy forbids styles outside of its own"


@pytest.mark.timeout(900)
def test_a_browser_shows_it_without_a_complaint(page: str, tmp_path: Path) -> None:
    file = tmp_path / "rounds.html"
    file.write_text(page, encoding="utf-8")
    with browser() as new_tab:
        tab = new_tab()
        tab.size(1100, 1200)
        tab.open(file.as_uri())
        assert tab.evaluate("document.documentElement.scrollWidth") <= 1100
        width = "document.querySelector('.plot').getBoundingClientRect().width"
        assert tab.evaluate(width) > 900
        colours = "new Set([...document.querySelectorAll('.map .dot')].map(e => getComputedStyle(e).fill)).size"
        assert tab.evaluate(colours) > 4
        assert tab.elsewhere() == []
        assert tab.complaints == []


def test_without_rounds_and_without_edges_the_page_says_so(tmp_path: Path) -> None:
    campaign = Campaign.at(tmp_path / "lake")
    network = campaign.network("new", [("a", "b")])
    text = plain(str(round_page(campaign.lake, network, at=T0)))
    assert "No round has been run yet" in text
    assert "There are no estimates yet" in text or "forecast" in text
    empty = campaign.network("empty", [], scope=SCOPE)
    assert "no edges between ligands" in plain(str(round_page(campaign.lake, empty, at=T0)))


def test_a_lake_that_takes_no_page_is_told(played: tuple[Lake, str], monkeypatch: pytest.MonkeyPatch) -> None:
    place, line = write_round_page(*played)
    assert place is not None
    assert place.endswith(f"plots/{SCOPE}/benzanilides-rounds.html")
    assert line == f"page of rounds: {place}"

    def refuse(self: ObjectStore, path: str, data: bytes) -> None:
        raise StorageError(f"cannot write {path}")

    monkeypatch.setattr(ObjectStore, "put", refuse)
    assert write_round_page(*played) == (
        None,
        f"the page of rounds was not written: cannot write plots/{SCOPE}/benzanilides-rounds.html",
    )


# --- the plot -------------------------------------------------------------------------------------------


def progress(target: float | None, to_target: float | None) -> NetworkProgress:
    points = tuple(ProgressPoint(hours(n), 100.0 * n, 0.8 / n, 1.2 / n, 5) for n in (1, 2))
    steps = [(0.0, 0.45), (100.0, 0.3), (300.0, 0.2), (5000.0, 0.05)]
    if to_target is not None:
        steps = [(h, u) for h, u in steps if h <= to_target]
    forecast = DesignForecast(tuple(ForecastPoint(h, u, 2 * u) for h, u in steps), target, "mean", to_target)
    return NetworkProgress("N", ("N",), 200.0, 0.0, 400.0, points, forecast, None)


def test_the_forecast_is_drawn_to_the_target_or_not_too_far() -> None:
    plot = uncertainty_plot(progress(0.2, 300.0))
    assert plot is not None
    assert 'class="goal"' in plot
    assert "target 0.2" in plot
    assert "budget 400" in plot
    assert ">500</text>" in plot, "the axis ends where the forecast does"
    without = uncertainty_plot(progress(None, None))
    assert without is not None
    assert "goal" not in without
    assert ">5000</text>" not in without


def test_nothing_to_draw_is_no_plot() -> None:
    nothing = NetworkProgress("N", ("N",), 0.0, 0.0, None, (), None, None)
    assert uncertainty_plot(nothing) is None
