"""Estimates of results without one: gathered from their objects once, and reported if impossible."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import gufe
import polars as pl
import pytest
import zstandard
from click.testing import CliRunner

from alchemiscale_lake import gufe_adapter
from alchemiscale_lake.caller import Caller
from alchemiscale_lake.cli import main
from alchemiscale_lake.errors import EstimationError, InvalidNetworkError
from alchemiscale_lake.estimates.gathering import gather_network
from alchemiscale_lake.estimates.object_estimates import fill_estimates
from alchemiscale_lake.query import ask, connect
from alchemiscale_lake.statestore.submit import submit_network
from alchemiscale_lake.statestore.task_operations import create_tasks
from alchemiscale_lake.store import Lake
from tests import example_networks
from tests.campaign import Campaign
from tests.contracts.protocol_contract import run_dag
from tests.lakes import new_lake

SCOPE = "org-campaign-project"


@pytest.fixture(scope="module")
def results(tmp_path_factory: pytest.TempPathFactory) -> list[tuple[gufe.Transformation, bytes]]:
    folder = tmp_path_factory.mktemp("dags")
    found = []
    for edge in sorted(example_networks.harmonic_network(3).edges, key=lambda edge: str(edge.key)):
        for number in range(2):
            result = run_dag(edge, folder / f"{edge.key}-{number}")
            found.append((edge, gufe_adapter.dumps_chain(result)))
    return found


@pytest.fixture
def stored(tmp_path: Path, results: list[tuple[gufe.Transformation, bytes]]) -> tuple[Lake, str]:
    """Return a network whose results have objects but no estimates."""
    lake = new_lake(tmp_path / "lake")
    network = submit_network(lake, example_networks.harmonic_network(3), SCOPE).network
    rows = []
    for number, (edge, data) in enumerate(results):
        (task,) = create_tasks(lake, [f"{edge.key}-{SCOPE}"], caller=Caller("ada"))
        path = f"imported/{number}.json.zst"
        lake.objects.put(path, zstandard.compress(data))
        rows.append(
            _plain_result(number) | {"task": task, "transformation": f"{edge.key}-{SCOPE}", "object_path": path}
        )
    lake.table("results").append_new(rows)
    return lake, network


def _plain_result(number: int) -> dict[str, object]:
    from alchemiscale_lake.schemas import TABLES
    from tests.campaign import T0

    empty = {column.name: None for column in TABLES["results"].columns}
    known = {"scope": SCOPE, "attempt": f"{number:032x}", "ok": True, "n_units": 4, "wall_time_s": 1.0}
    return empty | known | dict.fromkeys(("started_at", "ended_at", "recorded_at"), T0)


def test_numbers_are_those_of_the_protocol(
    stored: tuple[Lake, str], results: list[tuple[gufe.Transformation, bytes]]
) -> None:
    lake, network = stored
    before = gather_network(lake, network)
    seen: list[tuple[int, int]] = []

    report = fill_estimates(lake, [network], on_progress=lambda done, of: seen.append((done, of)))
    after = gather_network(lake, network)
    again = fill_estimates(lake, [network])

    assert (before.n_estimated, after.n_estimated) == (0, len(results) // 2)
    assert (report.n_missing, report.n_filled, report.failures) == (len(results), len(results), ())
    assert (again.n_missing, again.n_filled) == (0, 0)
    assert seen[-1] == (len(results), len(results))
    rows = ask(connect(lake), "counted_results").sort("attempt")
    expected = [gufe_adapter.estimate(edge, [gufe_adapter.loads_chain(data)]) for edge, data in results]
    assert rows["estimate_kcal_mol"].to_list() == [e.value_kcal_mol for e in expected]
    assert rows["uncertainty_kcal_mol"].to_list() == [e.uncertainty_kcal_mol for e in expected]


def test_a_result_that_cannot_be_gathered_is_reported_and_others_are_gathered(
    stored: tuple[Lake, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    lake, network = stored
    estimate, calls = gufe_adapter.estimate, []

    def moody(transformation: object, dag_results: object) -> gufe_adapter.Estimate:
        calls.append(transformation)
        if len(calls) == 1:
            raise EstimationError("made by another version")
        return gufe_adapter.Estimate(None, None) if len(calls) == 2 else estimate(transformation, dag_results)  # type: ignore[arg-type]

    monkeypatch.setattr(gufe_adapter, "estimate", moody)

    report = fill_estimates(lake, [network])

    assert report.n_filled == report.n_missing - 2
    assert report.failures == (
        f"{0:032x}: made by another version",
        f"{1:032x}: the Protocol returned no finite estimate",
    )


def test_the_command_fills_and_gathers(stored: tuple[Lake, str]) -> None:
    lake, _ = stored

    result = CliRunner().invoke(main, ["gather", "--lake", lake.url, "--from-objects", "--report", "raw"])

    n = lake.table("results").scan().select(pl.len()).collect().item()
    assert result.exit_code == 0, result.stderr
    assert f"estimates of {n} of {n} results without one computed from their objects" in result.stderr
    assert len(result.stdout.splitlines()) == n + 1
    assert "Error" not in result.stdout


def test_results_with_numbers_are_not_touched(tmp_path: Path) -> None:
    campaign = Campaign.at(tmp_path / "lake")
    network = campaign.network("pair", [("a", "b")])
    campaign.result(campaign.new_tasks(network, ["a_b_other"])[0], 1.0, 0.1)

    assert fill_estimates(campaign.lake, [network]).n_missing == 0


def test_a_reader_builds_what_results_share_once(results: list[tuple[gufe.Transformation, bytes]]) -> None:
    reader = gufe_adapter.ChainReader()

    read = [reader.loads(data) for _, data in results]
    whole = [gufe_adapter.loads_chain(data) for _, data in results]

    assert [str(r.key) for r in read] == [str(r.key) for r in whole]
    assert read == whole
    assert len({str(unit.key) for r in read for unit in r.protocol_units}) == sum(len(r.protocol_units) for r in read)


def test_a_reader_parses_what_results_share_once(
    results: list[tuple[gufe.Transformation, bytes]], monkeypatch: pytest.MonkeyPatch
) -> None:
    reader = gufe_adapter.ChainReader()
    parsed: list[str] = []
    parse = json.JSONDecoder.raw_decode

    def noting(decoder: json.JSONDecoder, text: str, place: int = 0) -> tuple[Any, int]:
        found, end = parse(decoder, text, place)
        parsed.append(found[0])
        return found, end

    reader.loads(results[0][1])
    monkeypatch.setattr(json.JSONDecoder, "raw_decode", noting)
    reader.loads(results[1][1])
    monkeypatch.undo()

    keys = [key for key, _ in json.loads(results[1][1])]
    of_this_result = [key for key in keys if reader.built(key) is None]
    assert parsed == of_this_result
    assert {"ChemicalSystem", "HarmonicState"} <= {key.partition("-")[0] for key in {*keys} - {*parsed}}


@pytest.mark.parametrize("indent", [None, 1])
def test_a_reader_takes_chains_however_they_are_laid_out(
    results: list[tuple[gufe.Transformation, bytes]], indent: int | None
) -> None:
    reader, (_, data) = gufe_adapter.ChainReader(), results[0]
    text = " " + json.dumps(json.loads(data), indent=indent) + "\n "

    assert reader.loads(data) == reader.loads(text) == reader.loads(text.encode())


@pytest.mark.parametrize("text", ["[]", "[", '[["a-1", {}]', '[["a-1", {}]] x', '[["a-1", 1]]', "{}", "", '["a"]'])
def test_a_reader_refuses_what_is_no_chain(text: str) -> None:
    with pytest.raises(InvalidNetworkError):
        gufe_adapter.ChainReader().loads(text)


def test_repeats_within_a_result_are_stored_with_its_number(
    stored: tuple[Lake, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    lake, network = stored
    one, two = gufe_adapter.Estimate(1.0, 0.1), gufe_adapter.Estimate(2.0, None)
    whole = gufe_adapter.Estimate(1.5, 0.7, (one, two))
    monkeypatch.setattr(gufe_adapter, "estimate", lambda *_: whole)

    fill_estimates(lake, [network])
    gather_network(lake, network)

    values = ask(connect(lake), "current_transformation_estimates")["values_kcal_mol"].to_list()
    assert values == [[1.0, 2.0, 1.0, 2.0]] * len(values)
