"""`gather`: rules, findings, and several networks at once."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner, Result
from syrupy.assertion import SnapshotAssertion

from alchemiscale_lake.cli import _show, main
from tests.campaign import SCOPE, Campaign

Call = Callable[..., Result]
RING = [("a", "b"), ("b", "c"), ("c", "d"), ("d", "a"), ("a", "c"), ("b", "d")]
TRUTH = {"a": 0.0, "b": 1.0, "c": 3.0, "d": 1.5}


def fill(campaign: Campaign, network: str, scope: str, *, odd: str | None = None) -> None:
    """Return three results per leg; one of the leg named `odd` is an outlier."""
    rng = np.random.default_rng(7)
    for a, b in RING:
        key = f"{a}_{b}_other"
        for task in campaign.new_tasks(network, [key] * 3, scope=scope):
            value = TRUTH[b] - TRUTH[a] + rng.normal(0, 0.2) + (4.0 if key == odd else 0.0)
            campaign.result(task, value, 0.2)
            odd = None if key == odd else odd


@pytest.fixture(scope="module")
def lake(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("gather") / "lake"
    campaign = Campaign.at(folder)
    other = "org-campaign-other"
    fill(campaign, campaign.network("clean", RING), SCOPE)
    fill(campaign, campaign.network("odd", RING, scope=other), other, odd="a_c_other")
    return folder


@pytest.fixture
def call(lake: Path) -> Call:
    return lambda *arguments: CliRunner().invoke(main, arguments, env={"ALCHEMISCALE_LAKE": str(lake)})


def rows(result: Result) -> list[dict[str, str]]:
    head, *lines = (line.split("\t") for line in result.stdout.splitlines())
    return [dict(zip(head, line, strict=True)) for line in lines]


def test_a_scope_is_gathered_in_one_go(call: Call) -> None:
    first = call("gather", "--scope", "org-campaign-*")
    again = call("gather", "--scope", "org-campaign-*")

    assert first.exit_code == again.exit_code == 0, first.stderr
    assert "2 networks gathered: 12 Transformations had new results, 2 networks changed" in first.stderr
    assert "2 networks gathered: 0 Transformations had new results, 0 networks changed" in again.stderr
    assert "2 pages written, in plots/ of " in first.stderr
    assert "pages written" not in again.stderr
    assert [(row["name"], row["n_whole_edges"], row["new_round"]) for row in rows(first)] == [
        ("odd", "6", "true"),
        ("clean", "6", "true"),
    ]
    flagged = {row["name"]: int(row["n_flagged"]) for row in rows(again)}
    assert flagged["clean"] == 0
    assert flagged["odd"] >= 1


def test_findings_name_the_odd_result_first_and_other_reports_point_to_them(call: Call) -> None:
    found = call("gather", "odd", "--report", "findings")
    values = call("gather", "odd")
    everywhere = call("gather", "--scope", "org-*-*", "--report", "findings")

    flagged = [row for row in rows(found) if row["flagged"] == "true"]
    results = [row for row in flagged if row["check"] == "result"]
    assert results[0]["finding"].startswith("other a -> c: result ")
    assert "above the mean of the 2 others" in results[0]["finding"]
    assert float(results[0]["value (kcal/mol)"]) > 3
    assert [row["flagged"] for row in rows(found)] == sorted((row["flagged"] for row in rows(found)), reverse=True)
    assert {"spread", "closure", "cycle", "edge", "repeats", "result"} <= {row["check"] for row in rows(found)}
    assert "flagged" in found.stderr
    assert "see `alchemiscale-lake gather odd --report findings`" in values.stderr
    assert {row["network"] for row in rows(everywhere)} == {"clean", "odd"}


@pytest.mark.parametrize("width", [80, 200])
@pytest.mark.parametrize("where", ["odd", "--scope"])
def test_findings_on_a_terminal_are_the_flagged_ones_in_a_line_each(
    lake: Path, monkeypatch: pytest.MonkeyPatch, snapshot: SnapshotAssertion, width: int, where: str
) -> None:
    monkeypatch.setattr(_show, "is_for_people", lambda tsv, output: not tsv and output is None)
    command = ["gather", *([where] if where == "odd" else ["--scope", "org-*-*"]), "--report", "findings"]
    env = {"COLUMNS": str(width), "ALCHEMISCALE_LAKE": str(lake)}

    shown, every = (CliRunner().invoke(main, [*command, *more], env=env) for more in ((), ("--all",)))

    lines = shown.stdout.splitlines()
    assert max(map(len, lines + every.stdout.splitlines())) <= width
    counted = re.search(r"^(\d+) findings? (is|are) flagged$", shown.stderr, re.MULTILINE)
    assert counted is not None
    n_flagged = int(counted[1])
    every_finding = len(CliRunner().invoke(main, [*command, "--tsv"], env=env).stdout.splitlines()) - 1
    assert len(lines) - n_flagged in (1, 2), "a header of one or two lines"
    assert ("above the mean" in shown.stdout) == (width == 200)
    assert width > 80 or len(every.stdout.splitlines()) - every_finding in (1, 2)
    assert "not flagged: --all, --tsv or -o FILE shows them" in shown.stderr
    assert "not flagged" not in every.stderr
    assert len(every.stdout.splitlines()) > len(lines)
    assert "\n".join(line.rstrip() for line in lines) == snapshot


def test_a_rule_that_is_kept_is_said_until_the_default_is_back(call: Call) -> None:
    kept = "by rule sd, which this network keeps until `alchemiscale-lake gather odd --rule pooled`"
    first = call("gather", "odd", "--rule", "sd")
    later = [call("gather", "odd"), call("gather", "odd", "--report", "ddg"), call("rank", "odd")]
    all_of_them = call("gather", "--scope", "org-campaign-*")
    back = call("gather", "odd", "--rule", "pooled")

    for done in (first, *later, all_of_them):
        assert kept in done.stderr, done.stderr
    assert "by rule" not in back.stderr


def test_the_rule_is_the_users(call: Call) -> None:
    sizes = {}
    for rule in ("sd", "sem", "pooled"):
        result = call("gather", "clean", "--rule", rule, "--report", "ddg")
        assert result.exit_code == 0, result.stderr
        sizes[rule] = np.array([float(row["uncertainty (kcal/mol)"]) for row in rows(result)])

    np.testing.assert_allclose(sizes["sd"], sizes["sem"] * np.sqrt(3))
    # pooled legs are more alike than three results each make them
    assert np.ptp(sizes["pooled"]) < np.ptp(sizes["sem"])


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        (("gather", "--scope", "org-campaign-*", "--report", "ddg"), 2, "--report ddg takes one network"),
        (("gather", "--scope", "org-campaign-*", "--plot", "x.png"), 2, "--plot takes one network"),
        (("gather", "--scope", "org-nowhere-*"), 1, "there is no network in Scope org-nowhere-*"),
        (("gather", "clean", "--rule", "mean"), 2, "'mean' is not one of"),
    ],
)
def test_results_that_cannot_be_gathered_are_reported(
    call: Call, arguments: tuple[str, ...], code: int, said: str
) -> None:
    result = call(*arguments)

    assert (result.exit_code, result.stdout) == (code, "")
    assert said in result.stderr


def test_the_page_is_written_again_only_after_a_change(tmp_path: Path) -> None:
    campaign = Campaign.at(tmp_path / "lake")
    network = campaign.network("clean", RING)
    (task, other) = campaign.new_tasks(network, ["a_b_other"] * 2)
    campaign.result(task, 1.0, 0.2)
    page = tmp_path / "lake" / "plots" / SCOPE / "clean.html"

    def gathered() -> tuple[int, str]:
        done = CliRunner().invoke(main, ["gather", "--lake", campaign.lake.url])
        assert done.exit_code == 0, done.stderr
        assert f"page: {page}" in done.stderr
        return page.stat().st_ino, page.read_text(encoding="utf-8")

    first, again = gathered(), gathered()
    campaign.result(other, 1.2, 0.2)
    changed = gathered()

    assert again == first
    assert changed[0] != first[0]
    assert "1 of 2 Tasks complete" in first[1]
    assert "2 of 2 Tasks complete" in changed[1]


def test_a_page_from_before_an_upgrade_is_written_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    campaign = Campaign.at(tmp_path / "lake")
    (task,) = campaign.new_tasks(campaign.network("clean", RING), ["a_b_other"])
    campaign.result(task, 1.0, 0.2)
    page = tmp_path / "lake" / "plots" / SCOPE / "clean.html"
    monkeypatch.setattr("alchemiscale_lake.report.page_places.package_version", lambda: "0.0.1")
    CliRunner().invoke(main, ["gather", "--lake", campaign.lake.url])
    old = page.read_text(encoding="utf-8")

    monkeypatch.undo()
    CliRunner().invoke(main, ["gather", "--lake", campaign.lake.url])

    assert "alchemiscale-lake 0.0.1" in old
    assert "alchemiscale-lake 0.0.1" not in page.read_text(encoding="utf-8")
