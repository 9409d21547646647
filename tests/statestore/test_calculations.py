"""Calculations that a Scope has under other keys: not stored, not run and not counted again."""

from __future__ import annotations

import json
import shutil
import threading
from collections.abc import Callable

import polars as pl
import pytest
from click.testing import CliRunner

from alchemiscale_lake.caller import Caller
from alchemiscale_lake.cli import main
from alchemiscale_lake.errors import NotFoundError
from alchemiscale_lake.estimates.gathering import gather_network
from alchemiscale_lake.faults import fault_hook
from alchemiscale_lake.query import ask, connect
from alchemiscale_lake.statestore.calculations import key_map, record_stored_calculations
from alchemiscale_lake.statestore.network_members import network_transformations
from alchemiscale_lake.statestore.submit import read_network_chain, submit_network
from alchemiscale_lake.statestore.task_operations import ensure_tasks
from alchemiscale_lake.store import Lake
from tests.campaign import Campaign
from tests.networks.chains import Chain, network, ref, small_chain, transformation
from tests.networks.test_calculation import DATA, rekeyed

SCOPE = "org-campaign-project"
ME = Caller("me")


def written(version: str) -> Chain:
    """Return the network of `harmonic_network(3, seed=1)` as a gufe version wrote it."""
    return [(key, fields) for key, fields in json.loads((DATA / f"harmonic-gufe-{version}.json").read_text())]


def with_metadata(chain: Chain) -> Chain:
    """Return a network whose Transformations have metadata, and so other keys."""
    changed = [(key, fields | ({"metadata": {"batch": 7}} if "protocol" in fields else {})) for key, fields in chain]
    return rekeyed(changed, {key: f"{key}0" if {"protocol", "edges"} & fields.keys() else key for key, fields in chain})


def with_names(chain: Chain) -> Chain:
    """Return a network whose Transformations and ChemicalSystems have other names, and so other keys."""
    named = {key for key, fields in chain if {"protocol", "components", "edges"} & fields.keys()}
    changed = [(key, fields | ({"name": f"new {key}"} if key in named else {})) for key, fields in chain]
    return rekeyed(changed, {key: f"{key}1" if key in named else key for key, _ in chain})


def rows(lake: Lake, table: str) -> pl.DataFrame:
    return lake.table(table).scan().collect()


def members(lake: Lake, network: str) -> list[str]:
    return network_transformations(lake, network)


def forget(lake: Lake) -> Lake:
    """Return the lake as an older version left it: without the table, and its marker."""
    assert lake.local_path is not None
    shutil.rmtree(lake.local_path / "tables" / "calculations")
    marker = lake.local_path / "lake.json"
    marker.write_text(json.dumps(json.loads(marker.read_text()) | {"format": 2}))
    return Lake.open(lake.local_path)


def twin_chain() -> Chain:
    """Return `small_chain` with its Transformation twice, under two names."""
    chain = small_chain(T_again=transformation("S-a", "S-b", mapping=ref("M-1"), name="again"))
    return [*[one for one in chain if one[0] != "N-1"], ("N-2", network([], ["T-ab", "T-again"], "twins"))]


@pytest.mark.parametrize(
    "again",
    [with_metadata, with_names, lambda _: written("1.12")],
    ids=["with metadata", "renamed", "by another gufe"],
)
def test_a_network_under_other_keys_uses_the_stored_transformations(
    lake: Lake, again: Callable[[Chain], Chain]
) -> None:
    chain = written("0.4")
    first = submit_network(lake, chain, SCOPE)
    tasks = ensure_tasks(lake, first.network, 2, caller=ME)

    second = submit_network(lake, again(chain), SCOPE, name="again")

    assert (second.new, second.n_transformations, second.n_new_transformations) == (True, 3, 0)
    assert second.n_known_calculations == 3
    assert second.note_on_keys == (
        "3 of 3 Transformations are known under other keys; their Tasks and results are used"
    )
    assert members(lake, second.network) == members(lake, first.network)
    assert sorted(second.key_map.values()) == members(lake, first.network)
    assert key_map(lake, second.network) == second.key_map
    assert key_map(lake, first.network) == {}
    assert len(rows(lake, "transformations")) == 3
    assert ensure_tasks(lake, second.network, 2, caller=ME) == []
    assert len(rows(lake, "tasks")) == len(tasks) == 6
    assert read_network_chain(lake, second.network)[-1][0] == second.network.removesuffix(f"-{SCOPE}")
    assert sorted(read_network_chain(lake, second.network)) == sorted(again(chain)), "stored as given"


def test_submitting_again_under_other_keys_writes_nothing(lake: Lake) -> None:
    submit_network(lake, written("0.4"), SCOPE)
    first = submit_network(lake, written("1.12"), SCOPE)
    before = {name: lake.table(name).snapshot().version() for name in lake.tables}

    again = submit_network(lake, written("1.12"), SCOPE)

    assert {name: lake.table(name).snapshot().version() for name in lake.tables} == before
    assert (again.new, again.key_map) == (False, first.key_map)


def test_another_scope_shares_nothing(lake: Lake) -> None:
    submit_network(lake, written("0.4"), SCOPE)

    other = submit_network(lake, written("1.12"), "org-campaign-other")

    assert (other.n_new_transformations, other.key_map) == (3, {})


def test_a_grown_network_stores_only_what_is_not_known(lake: Lake) -> None:
    submit_network(lake, small_chain(), SCOPE)
    reverse = transformation("S-b", "S-a", mapping=ref("M-1"))
    edges = ["T-ab", "T-ba"]
    grown = [*small_chain()[:-1], ("T-ba", reverse), ("N-2", network([], edges, "grown"))]

    done = submit_network(lake, with_metadata(grown), SCOPE)

    assert (done.n_transformations, done.n_new_transformations) == (2, 1)
    assert done.key_map == {f"T-ab0-{SCOPE}": f"T-ab-{SCOPE}"}
    assert members(lake, done.network) == [f"T-ab-{SCOPE}", f"T-ba0-{SCOPE}"]


def test_a_calculation_that_is_twice_in_a_network_stays_twice(lake: Lake) -> None:
    twins = submit_network(lake, twin_chain(), SCOPE)

    again = submit_network(lake, with_metadata(twin_chain()), SCOPE)

    assert members(lake, twins.network) == [f"T-ab-{SCOPE}", f"T-again-{SCOPE}"]
    assert members(lake, again.network) == members(lake, twins.network)
    assert again.n_known_calculations == 2


def test_a_second_twin_is_stored_if_only_one_is_known(lake: Lake) -> None:
    submit_network(lake, small_chain(), SCOPE)

    twins = submit_network(lake, with_metadata(twin_chain()), SCOPE)

    assert members(lake, twins.network) == [f"T-ab-{SCOPE}", f"T-again0-{SCOPE}"]
    assert (twins.n_new_transformations, twins.n_known_calculations) == (1, 1)


def test_results_and_estimates_are_found(lake: Lake) -> None:
    """Both networks have the estimates, after one run of each Task."""
    chain = written("0.4")
    first = submit_network(lake, chain, SCOPE)
    campaign = Campaign(lake)
    transformations = [key.removeprefix("Transformation-") for key, fields in chain if "protocol" in fields]
    for i, task in enumerate(campaign.new_tasks(first.network, transformations)):
        campaign.result(task, float(i), 0.1)
    gathered = gather_network(lake, first.network)

    second = submit_network(lake, written("1.12"), SCOPE, name="again")
    again = gather_network(lake, second.network)

    assert (gathered.n_estimated, again.n_estimated) == (3, 3)
    ranking = ask(connect(lake), "ligand_ranking").sort("ligand")
    own, other = (
        ranking.filter(pl.col("network") == key).select("ligand", "value_kcal_mol").rows()
        for key in (first.network, second.network)
    )
    assert own == other
    assert len(own) == 3


def test_the_named_query_lists_the_keys(lake: Lake) -> None:
    submit_network(lake, written("0.4"), SCOPE)
    second = submit_network(lake, written("1.12"), SCOPE, name="again")

    listed = ask(connect(lake), "key_map")

    assert dict(listed.select("transformation", "stands_for").iter_rows()) == second.key_map
    assert set(listed["network"]) == {second.network}
    assert set(listed["name"]) == {"again"}
    assert listed["calculation"].n_unique() == 3


def test_submit_prints_how_many_are_known(lake: Lake) -> None:
    words = ["submit", "--lake", str(lake.local_path), "--scope", SCOPE]
    first = CliRunner().invoke(main, [*words, str(DATA / "harmonic-gufe-0.4.json")])

    again = CliRunner().invoke(main, [*words, str(DATA / "harmonic-gufe-1.12.json")])

    assert "known under other keys" not in first.stderr
    assert "3 of 3 Transformations are known under other keys; their Tasks and results are used\n" in again.stderr


def test_a_network_that_is_not_there_has_no_keys(lake: Lake) -> None:
    with pytest.raises(NotFoundError, match="no network"):
        key_map(lake, f"AlchemicalNetwork-1-{SCOPE}")


def test_what_an_older_version_stored_is_recognised(lake: Lake) -> None:
    """Without their rows, as in a lake of an older format or after a crash."""
    first = submit_network(lake, written("0.4"), SCOPE)
    lake = forget(lake)

    second = submit_network(lake, written("1.12"), SCOPE)

    assert members(lake, second.network) == members(lake, first.network)
    assert second.n_known_calculations == 3


def test_two_that_an_older_version_stored_stay_as_they_are(lake: Lake) -> None:
    """Their Tasks and results exist already under both keys."""
    first = submit_network(lake, small_chain(), SCOPE)
    for table in ("gufe_objects", "transformations"):
        (row,) = rows(lake, table).filter(pl.col("key") == "T-ab").to_dicts()
        other = {"key": "T-again"} | ({"transformation": f"T-again-{SCOPE}"} if table == "transformations" else {})
        lake.table(table).append_new([row | other])
    lake = forget(lake)

    assert record_stored_calculations(lake, SCOPE) == 2
    assert record_stored_calculations(lake, SCOPE) == 0

    known = rows(lake, "calculations")
    assert known["calculation"].n_unique() == 1
    assert known["stands_for"].to_list() == known["transformation"].to_list()
    assert members(lake, first.network) == [f"T-ab-{SCOPE}"]


@pytest.mark.parametrize(
    "point",
    ["gufe_objects", "transformations", "calculations", "network_members", "networks"],
)
def test_a_submission_that_is_killed_is_completed(lake: Lake, point: str) -> None:
    submit_network(lake, written("0.4"), SCOPE)

    class KilledError(BaseException):
        pass

    def kill(passed: str) -> None:
        if passed == f"submit:{point}-written":
            raise KilledError

    with fault_hook(kill), pytest.raises(KilledError):
        submit_network(lake, written("1.12"), SCOPE)

    done = submit_network(lake, written("1.12"), SCOPE)
    assert len(members(lake, done.network)) == 3
    assert done.n_known_calculations == 3
    assert len(rows(lake, "transformations")) == 3


def test_submissions_at_once_agree(lake: Lake) -> None:
    """Whoever comes first, every network has each calculation once, and each of its members is stored."""
    chains = [small_chain(), with_metadata(small_chain()), with_names(small_chain())]
    networks: list[str] = []
    threads = [
        threading.Thread(target=lambda chain=chain: networks.append(submit_network(lake, chain, SCOPE).network))
        for chain in chains
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    stored = set(rows(lake, "transformations")["transformation"])
    assert len(networks) == 3
    for key in networks:
        (member,) = members(lake, key)
        assert member in stored
    again = submit_network(lake, with_metadata(with_names(small_chain())), SCOPE)
    assert set(members(lake, again.network)) <= stored
    assert again.n_new_transformations == 0
