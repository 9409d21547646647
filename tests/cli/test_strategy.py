"""`strategy`: what is set is shown, held and explained; mistakes are one line."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import CliRunner, Result
from syrupy.assertion import SnapshotAssertion

from alchemiscale_lake.cli import _show, main, strategy
from alchemiscale_lake.store import Lake
from tests.campaign import Campaign, small_campaign

Call = Callable[..., Result]
_TIME = re.compile(r"\d{4}-\d\d-\d\d[T ]\d\d:\d\d:\d\d[^\s,]*")


@pytest.fixture
def campaign(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Campaign:
    monkeypatch.chdir(tmp_path)
    return small_campaign(tmp_path / "lake")


@pytest.fixture
def call(campaign: Campaign, monkeypatch: pytest.MonkeyPatch) -> Call:
    def call(*arguments: str, width: int = 80, exit_code: int = 0) -> Result:
        for module in (_show, strategy):
            monkeypatch.setattr(module, "is_for_people", lambda tsv, output: not tsv and output is None)
        done = CliRunner().invoke(
            main, ["strategy", *arguments], env={"COLUMNS": str(width), "ALCHEMISCALE_LAKE": None}
        )
        assert done.exit_code == exit_code, done.output
        assert "Traceback" not in done.output
        return done

    return call


@pytest.mark.parametrize("width", [80, 200])
def test_a_round_as_it_is_shown(call: Call, width: int, snapshot: SnapshotAssertion) -> None:
    call("set", "tyk2", "fixed-repeats", "--setting", "repeats=3", "--budget", "50", "--max-tasks-per-round", "4")
    advanced = call("advance", "tyk2")
    shown, explained = (call(command, "tyk2", width=width) for command in ("show", "explain"))

    assert "tyk2: round 1, 4 Tasks created" in advanced.stderr
    for name, result in (("show", shown), ("explain", explained)):
        lines = _TIME.sub(lambda found: "T" * len(found[0]), result.stdout + result.stderr)
        assert max(map(len, result.stdout.splitlines())) <= width
        assert lines == snapshot(name=f"{name} {width}")


def test_reasons_that_transformations_share_are_printed_once(call: Call) -> None:
    call("set", "tyk2", "fixed-repeats", "--setting", "repeats=3", "--max-tasks-per-round", "4")
    call("advance", "tyk2")

    together, each = call("explain", "tyk2", width=200), call("explain", "tyk2", "--each", width=200)
    as_text = call("explain", "tyk2", "--tsv")

    assert "8 Transformations; --each shows a row of each" in together.stderr
    rows = together.stdout.splitlines()[1:]
    whys = [re.split(" {2,}", line.strip())[3] for line in rows]
    assert len(set(whys)) == len(rows) == 4
    assert "2/3 results exist or run" in whys
    assert sum(int(line.split()[0]) for line in rows) == 8
    assert sum(int(line.split()[1]) for line in rows) == 4
    assert len(each.stdout.splitlines()) == len(as_text.stdout.splitlines()) == 9


def test_advancing_everything_runs_rounds_where_a_strategy_is_set(call: Call) -> None:
    assert "no network has a Strategy" in call("advance").stderr
    call("set", "idle", "fixed-repeats")
    assert call("advance").stderr.count("round 1") == 1
    assert "nothing has ended since" in call("advance", "idle").stderr
    assert "1 Strategy cleared" in call("clear", "idle").stderr


def test_a_strategy_that_fails_is_exit_code_1_until_it_is_set_again(call: Call, campaign: Campaign) -> None:
    goal = 'goals=[{"kind": "ligands", "ligands": {"zzz": 1}}]'
    call("set", "tyk2", "optimal-design", "--setting", goal)
    for _ in range(2):
        failed = call("advance", "tyk2", exit_code=1)
        assert "a goal names the ligand 'zzz', which the network lacks" in failed.stderr
    call("set", "tyk2", "fixed-repeats")
    call("advance", "tyk2")
    states = Lake.open(campaign.lake.url).table("strategy_rounds").scan().collect()
    assert states.unique("round").sort("round")["state"].to_list() == ["error", "asked"]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("set", "tyk2", "fixed-repeat"), "did you mean 'fixed-repeats'"),
        (("set", "tyk2", "fixed-repeats", "--setting", "repeat=3"), "did you mean 'repeats'"),
        (("set", "tyk2", "fixed-repeats", "--setting", "repeats"), "--setting takes NAME=VALUE"),
        (("set", "tyk2", "fixed-repeats", "--setting", "repeats=0"), "greater than or equal to 1"),
        (("set", "tyk2", "mine.py"), "name a Strategy that the file defines, as in mine.py:MyStrategy"),
        (("set", "tik2", "fixed-repeats"), "did you mean 'tyk2'"),
        (("advance", "tyk2"), "has no Strategy; set one with `alchemiscale-lake strategy set"),
        (("explain", "tyk2"), "has no round yet"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, tuple) else "",
)
def test_mistakes(call: Call, arguments: tuple[str, ...], message: str) -> None:
    done = CliRunner().invoke(main, ["strategy", *arguments])
    assert done.exit_code in (1, 2)
    assert message in done.stderr
    assert not Lake.open("lake").network_log.strategies()


def test_a_report_is_one_page_in_the_lake_or_where_it_is_wanted(call: Call, tmp_path: Path) -> None:
    call("set", "tyk2", "fixed-repeats", "--setting", "repeats=3")
    call("advance", "tyk2")
    kept = call("report", "tyk2")
    page = tmp_path / "lake" / "plots" / "org-campaign-project" / "tyk2-rounds.html"
    assert "wrote lake/plots/org-campaign-project/tyk2-rounds.html" in kept.stderr
    assert "What round 1 asked for, and why" in page.read_text()
    assert "wrote mine.html (1 round)" in call("report", "tyk2", "-o", "mine.html").stderr
    assert (tmp_path / "mine.html").read_text().startswith("<!doctype html>")
    assert call("report", "tyk2", "--as-is", "-o", "-").stdout.startswith("<!doctype html>")
    call("report", "tyk2", "-o", "nowhere/mine.html", exit_code=2)
