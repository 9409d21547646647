"""Comparisons with experiment: what is paired, what is pooled, and the development over time."""

from __future__ import annotations

import itertools
import math
from datetime import date, timedelta
from pathlib import Path

import numpy as np
import pytest

from alchemiscale_lake.caller import Caller
from alchemiscale_lake.errors import EstimationError
from alchemiscale_lake.estimates.comparisons import Comparison, compare, compared_pairs, programme_of
from alchemiscale_lake.estimators.statistics.performance import assess
from alchemiscale_lake.query import Connection, connect
from alchemiscale_lake.schemas import TABLES
from alchemiscale_lake.store import Lake
from tests.campaign import T0

OFFSETS = {"a": 0.1, "b": -0.1, "c": 0.4, "d": -0.6}


def store_round(
    lake: Lake,
    network: str,
    number: int,
    errors: dict[str, float],
    *,
    scope: str = "org-campaign-one",
    day: float = 0,
    shift: float = 0.0,
    kind: str = "binding",
    component: dict[str, int] | None = None,
) -> None:
    """Write an estimate version that deviates from experiments (-8, -7, ...) by `errors`; edges connect neighbours."""
    ligands = sorted(errors)
    experiment = {ligand: -8.0 + index for index, ligand in enumerate(ligands)}
    value = {ligand: experiment[ligand] + errors[ligand] + shift for ligand in ligands}
    at = T0 + timedelta(days=day)
    common = {"scope": scope, "network": network, "round": number, "kind": kind, "estimated_at": at}
    pairs = list(itertools.pairwise(ligands))
    edges = {
        "ligand_i": [a for a, _ in pairs],
        "ligand_j": [b for _, b in pairs],
        "value_kcal_mol": [value[b] - value[a] for a, b in pairs],
        "legs": [["Transformation-1"]] * len(pairs),
    }
    if pairs:
        lake.table("edge_estimates").append_new(TABLES["edge_estimates"].sample(len(pairs), **common, **edges))
    nodes = {
        "ligand": ligands,
        "value_kcal_mol": [value[ligand] for ligand in ligands],
        "experiment_kcal_mol": [experiment[ligand] for ligand in ligands],
        "component": [(component or {}).get(ligand, 0) for ligand in ligands],
    }
    lake.table("network_estimates").append_new(TABLES["network_estimates"].sample(len(ligands), **common, **nodes))


def store_network(lake: Lake, network: str, scope: str = "org-campaign-one") -> None:
    lake.table("networks").append_new(TABLES["networks"].sample(1, network=network, scope=scope, name=network))


@pytest.fixture
def connection(lake: Lake) -> Connection:
    """Return two networks in two Scopes of one programme, the first with three estimate versions, and one
    elsewhere."""
    store_network(lake, "n1")
    store_round(lake, "n1", 1, {"a": 1.0, "b": -1.0}, day=0)
    store_round(lake, "n1", 2, {"a": 0.5, "b": -0.5, "c": 0.4}, day=0.2)
    store_round(lake, "n1", 3, OFFSETS, day=3, shift=5.0)
    store_network(lake, "n2", "org-campaign-two")
    store_round(lake, "n2", 1, {"p": 0.2, "q": -0.2}, scope="org-campaign-two", day=1)
    store_network(lake, "n3", "org-other-three")
    store_round(lake, "n3", 1, {"x": 0.3, "y": -0.3}, scope="org-other-three", day=1)
    return connect(lake)


def rmse(comparison: Comparison) -> float:
    return comparison.performance["RMSE"].value


def test_the_newest_round_of_every_network_is_compared(connection: Connection) -> None:
    found = compare(connection)

    assert [(one.subject, one.quantity, one.round, one.performance.n) for one in found] == [
        ("n1", "dG", 3, 4),
        ("n1", "ddG", 3, 3),
        ("n2", "dG", 1, 2),
        ("n2", "ddG", 1, 1),
        ("n3", "dG", 1, 2),
        ("n3", "ddG", 1, 1),
    ]
    errors = np.array(list(OFFSETS.values()))
    assert rmse(found[0]) == pytest.approx(errors.std())  # the shift of the whole network has no effect
    assert rmse(found[1]) == pytest.approx(math.sqrt(np.mean(np.diff(errors) ** 2)))
    assert found[0].as_of == T0 + timedelta(days=3)


def test_comparisons_equal_the_estimator_on_the_pairs(connection: Connection) -> None:
    (dg, ddg) = compare(connection, network="n1", n_bootstrap=50)

    ligands, edges = (compared_pairs(connection, quantity, network="n1") for quantity in ("dG", "ddG"))
    columns = ("value_kcal_mol", "experiment_kcal_mol")
    of_ligands = assess(*(ligands[c] for c in columns), relative=True, n_bootstrap=50)
    of_edges = assess(*(edges[c] for c in columns), relative=False, both_directions=True, n_bootstrap=50)
    # as text, since statistics that edges do not have are NaN, which equals nothing
    assert repr(dg.performance) == repr(of_ligands)
    assert repr(ddg.performance) == repr(of_edges)


def test_scopes_and_kinds_select(connection: Connection, lake: Lake) -> None:
    store_round(lake, "n1", 4, OFFSETS, kind="hydration", day=4)

    assert {one.subject for one in compare(connection, scope="org-campaign-*")} == {"n1", "n2"}
    assert {one.kind for one in compare(connect(lake), kind="hydration")} == {"hydration"}
    with pytest.raises(EstimationError, match=r"Scope none-\*-\* can be compared: no two ligands"):
        compare(connection, scope="none-*-*")


def test_a_programme_pools_its_networks(connection: Connection) -> None:
    found = {(one.subject, one.quantity): one for one in compare(connection, by="programme")}

    errors = np.array([*OFFSETS.values()]) - np.mean([*OFFSETS.values()])
    assert set(found) == {(p, q) for p in ("org-campaign-*", "org-other-*") for q in ("dG", "ddG")}
    pooled = found["org-campaign-*", "dG"]
    assert (pooled.n_networks, pooled.performance.n, pooled.round) == (2, 6, None)
    assert rmse(pooled) == pytest.approx(math.sqrt(np.mean(np.concatenate([errors, [0.2, -0.2]]) ** 2)))
    assert [one.subject for one in compare(connection, by="scope") if one.quantity == "dG"] == [
        "org-campaign-one",
        "org-campaign-two",
        "org-other-three",
    ]
    assert programme_of("org-campaign-one") == "org-campaign-*"


def test_over_time_a_network_has_one_comparison_per_round(connection: Connection) -> None:
    found = [one for one in compare(connection, network="n1", over_time=True) if one.quantity == "dG"]

    assert [(one.round, one.performance.n) for one in found] == [(1, 2), (2, 3), (3, 4)]
    assert [one.as_of for one in found] == [T0 + timedelta(days=d) for d in (0, 0.2, 3)]
    assert rmse(found[0]) == pytest.approx(1.0)


def test_over_time_a_programme_stands_as_at_the_end_of_each_day(connection: Connection) -> None:
    found = compare(connection, by="programme", scope="org-campaign-*", over_time=True)
    found = [one for one in found if one.quantity == "dG"]

    first = T0.date()
    assert [(one.as_of, one.n_networks, one.performance.n) for one in found] == [
        (first, 1, 3),  # the second round of that day
        (first + timedelta(days=1), 2, 5),
        (first + timedelta(days=3), 2, 6),
    ]
    assert isinstance(found[0].as_of, date)
    now = next(one for one in compare(connection, by="programme") if one.subject == "org-campaign-*")
    assert rmse(found[-1]) == pytest.approx(rmse(now))


def test_old_rounds_are_held_against_the_newest_experiment(lake: Lake) -> None:
    store_network(lake, "n1")
    store_round(lake, "n1", 1, {"a": 0.0, "b": 0.0})
    corrected = TABLES["network_estimates"].sample(
        2,
        scope="org-campaign-one",
        network="n1",
        round=2,
        kind="binding",
        component=0,
        ligand=["a", "b"],
        value_kcal_mol=[-8.0, -7.0],
        experiment_kcal_mol=[-8.0, -5.0],
        estimated_at=T0,
    )
    lake.table("network_estimates").append_new(corrected)

    found = [one for one in compare(connect(lake), over_time=True) if one.quantity == "dG"]

    assert [rmse(one) for one in found] == pytest.approx([1.0, 1.0])


def test_components_have_their_own_zero_and_lone_ligands_do_not_count(lake: Lake) -> None:
    store_network(lake, "n1")
    store_round(
        lake,
        "n1",
        1,
        {"a": 3.0, "b": 3.0, "c": -4.0, "d": -4.0, "e": 9.0},
        component={"c": 1, "d": 1, "e": 2},
    )

    (dg, _) = compare(connect(lake))

    assert dg.performance.n == 4
    assert rmse(dg) == pytest.approx(0.0, abs=1e-12)


def test_networks_without_two_measured_ligands_and_deleted_ones_are_left_out(lake: Lake) -> None:
    gone, lone = (f"AlchemicalNetwork-{name}-org-campaign-one" for name in ("gone", "lone"))
    for network, errors in ((lone, {"a": 0.0}), (gone, OFFSETS), ("good", OFFSETS)):
        store_network(lake, network)
        store_round(lake, network, 1, errors)
    lake.network_log.set([gone], caller=Caller("ada"), state="deleted")
    connection = connect(lake)

    assert {one.subject for one in compare(connection)} == {"good"}
    assert {one.subject for one in compare(connection, network=gone)} == {gone}
    with pytest.raises(EstimationError, match=f"nothing in {lone} can be compared"):
        compare(connection, network=lone)


def test_uncertainties_widen_and_networks_can_be_resampled(connection: Connection) -> None:
    def width(**options: object) -> float:
        found = compare(connection, by="programme", scope="org-campaign-*", **options)[0]  # type: ignore[arg-type]
        return found.performance["RMSE"].high - found.performance["RMSE"].low

    assert width(uncertainties=True) > 1.5 * width()
    assert width(over="networks") > width()


def test_a_lake_without_estimates_is_reported_with_the_remedy(tmp_path: Path, lake: Lake) -> None:
    with pytest.raises(EstimationError, match=r"nothing in the lake can be compared.*alchemiscale-lake assays FILE"):
        compare(connect(lake))
