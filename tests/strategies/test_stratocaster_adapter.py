"""The adapter, on stand-ins with stratocaster's interface, and on stratocaster's own Strategies where it is installed.

Results and weights are by GufeKey, and by Transformation.
"""

from __future__ import annotations

import sys
import types
from dataclasses import dataclass, field, replace
from typing import Any

import pytest

from alchemiscale_lake.errors import StrategyError
from alchemiscale_lake.gufe_adapter.summaries import summary_result
from alchemiscale_lake.strategies import TransformationRow
from alchemiscale_lake.strategies.connectivity import Connectivity
from alchemiscale_lake.strategies.radial_growth import RadialGrowth
from alchemiscale_lake.strategies.stratocaster_adapter import FromStratocaster, ToStratocaster, rows_of_network
from tests.contracts.strategy_contract import state_of
from tests.example_networks import disconnected_network, fanning_network, sorted_edges
from tests.generations import gufe1


@dataclass(frozen=True)
class System:
    key: str


@dataclass(frozen=True)
class Edge:
    key: str
    stateA: System  # noqa: N815
    stateB: System  # noqa: N815


@dataclass(frozen=True)
class Loop:
    key: str
    system: System


@dataclass(frozen=True)
class Network:
    edges: frozenset[Any]


@dataclass
class Result:
    n_protocol_dag_results: int


@dataclass
class StrategyResult:
    weights: dict[Any, float | None] = field(default_factory=dict)


class Halving:
    """A Strategy with stratocaster's `propose`; results by GufeKey, or by object."""

    def __init__(self, by_object: bool) -> None:
        self.by_object = by_object

    def propose(self, alchemical_network: Network, protocol_results: dict[Any, Result]) -> StrategyResult:
        weights: dict[Any, float | None] = {}
        for edge in alchemical_network.edges:
            name = edge if self.by_object else edge.key
            n = protocol_results[name].n_protocol_dag_results if name in protocol_results else 0
            weights[name] = None if n >= 2 else 0.5**n
        return StrategyResult(weights)


A, B, C = System("S-a"), System("S-b"), System("S-c")
EDGES = [Edge("T-1", A, B), Edge("T-2", B, C), Edge("T-3", B, C), Loop("N-1", A)]
NETWORK = Network(frozenset(EDGES))
COUNTS = {"T-1": 0, "T-2": 1, "T-3": 2, "N-1": 0}


def rows() -> list[TransformationRow]:
    return [TransformationRow(key=key, state_a="a", state_b="b", n_results=n) for key, n in COUNTS.items()]


@pytest.mark.parametrize("keyed_by", ["key", "object"])
def test_their_strategy_here(keyed_by: Any) -> None:
    strategy = FromStratocaster(
        Halving(keyed_by == "object"), NETWORK, lambda row: Result(row.n_results), keyed_by=keyed_by
    )

    weights = strategy.propose(state_of(rows())).weights

    assert weights == {"T-1": 1.0, "T-2": 0.5, "T-3": None, "N-1": 1.0}


def test_tasks_in_flight_count_for_weights_and_not_for_the_end() -> None:
    in_flight = {"T-1": 1, "T-2": 1, "T-3": 1, "N-1": 0}

    weights = FromStratocaster(Halving(False), NETWORK).propose(
        state_of([replace(row, n_in_flight=in_flight[row.key]) for row in rows()])
    )

    assert weights.weights == {"T-1": 0.5, "T-2": 0.0, "T-3": None, "N-1": 1.0}


def test_keys_of_rows_may_be_scoped_keys() -> None:
    scoped = [TransformationRow(key=f"{key}-org-c-p", state_a="a", state_b="b") for key in COUNTS]
    strategy = FromStratocaster(
        Halving(False), NETWORK, lambda row: Result(row.n_results), key_of=lambda edge: f"{edge.key}-org-c-p"
    )

    assert set(strategy.propose(state_of(scoped)).weights) == {row.key for row in scoped}
    with pytest.raises(StrategyError, match="has no Transformation T-9"):
        strategy.propose(state_of([TransformationRow(key="T-9", state_a="a", state_b="b")]))


def test_a_transformation_that_they_leave_out_is_finished() -> None:
    class First:
        def propose(self, alchemical_network: Network, protocol_results: dict[Any, Result]) -> StrategyResult:
            return StrategyResult({"T-1": 1.0, "T-2": 1.0, "N-1": 0.0})

    proposal = FromStratocaster(First(), NETWORK, lambda row: Result(row.n_results)).propose(state_of(rows()))

    assert proposal.weights == {"T-1": 1.0, "T-2": 1.0, "T-3": None, "N-1": 0.0}
    assert proposal.reasons == {"T-3": "its Strategy gave it no weight"}


@pytest.mark.parametrize("keyed_by", ["key", "object"])
def test_our_strategy_there(monkeypatch: pytest.MonkeyPatch, keyed_by: str) -> None:
    results = {edge if keyed_by == "object" else edge.key: Result(COUNTS[edge.key]) for edge in EDGES}
    ours = Connectivity().propose(state_of(rows_of_network(NETWORK, results))).weights

    monkeypatch.setitem(sys.modules, "stratocaster", types.ModuleType("stratocaster"))
    base = types.ModuleType("stratocaster.base")
    base.StrategyResult = StrategyResult  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "stratocaster.base", base)
    found = ToStratocaster(Connectivity()).propose(NETWORK, results)

    assert isinstance(found, StrategyResult)
    assert {getattr(name, "key", name): weight for name, weight in found.weights.items()} == ours
    assert all(isinstance(name, str) is (keyed_by == "key") for name in found.weights)


def test_rows_may_be_described_further() -> None:
    described = rows_of_network(NETWORK, {}, lambda edge: {"gpu_hours": 2.0, "phase": "solvent"})

    assert [row.key for row in described] == ["N-1", "T-1", "T-2", "T-3"]
    assert {row.gpu_hours for row in described} == {2.0}
    assert (described[0].state_a, described[0].state_b) == ("S-a", "S-a")


def test_without_stratocaster_the_weights_are_the_answer(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "stratocaster.base", None)

    assert ToStratocaster(Connectivity(), keyed_by="object").propose(NETWORK, {}).keys() == set(EDGES)


def real_strategy(name: str) -> Any:
    module = pytest.importorskip("stratocaster.strategies", reason="stratocaster is not installed")
    strategy = getattr(module, name)
    return strategy(strategy.default_settings())


def rows_with_results(network: Any, counts: dict[str, int]) -> list[TransformationRow]:
    """Return rows of an AlchemicalNetwork whose Transformations, by name, have results."""
    keys = {str(edge.key): counts.get(edge.name, 0) for edge in network.edges}
    return [
        replace(row, n_results=keys[row.key], values_kcal_mol=(1.5,) * keys[row.key])
        for row in rows_of_network(network, {})
    ]


REAL = pytest.mark.parametrize(
    ("theirs", "ours"), [("ConnectivityStrategy", Connectivity()), ("RadialGrowthStrategy", RadialGrowth())]
)


@gufe1
@REAL
@pytest.mark.parametrize("counts", [{}, {"lig_lig_0": 1, "lig_lig_1": 2, "lig_0_lig_0_0": 1, "lig_lig_2": 3}])
def test_real_strategy_gives_the_weights_of_ours(theirs: str, ours: Any, counts: dict[str, int]) -> None:
    network = fanning_network()
    state = state_of(rows_with_results(network, counts))

    proposal = FromStratocaster(real_strategy(theirs), network).propose(state)

    assert proposal.weights == ours.propose(state).weights
    assert sum(weight is None for weight in proposal.weights.values()) == (1 if counts else 0)


@gufe1
@REAL
def test_real_strategy_ends_with_its_results(theirs: str, ours: Any) -> None:
    network = disconnected_network(n_parts=2, n_ligands=4)
    strategy, counts = FromStratocaster(real_strategy(theirs), network), {edge.name: 0 for edge in network.edges}

    for _ in range(100):
        rows = rows_with_results(network, counts)
        proposal = strategy.propose(state_of(rows))
        if proposal.finished:
            break
        names = {str(edge.key): edge.name for edge in network.edges}
        counts[names[max(proposal.weights, key=lambda key: proposal.weights[key] or 0.0)]] += 1

    assert set(counts.values()) == {3}


@gufe1
@REAL
def test_our_strategy_gives_a_real_strategy_result(theirs: str, ours: Any) -> None:
    network, real = fanning_network(), real_strategy(theirs)
    results = {edge.key: summary_result(1, [0.5]) for edge in sorted_edges(network)[:3]}

    found = ToStratocaster(ours).propose(network, results)

    assert type(found) is type(real.propose(network, results))
    assert found.resolve() == pytest.approx(real.propose(network, results).resolve())


@gufe1
def test_weights_by_object_need_a_later_stratocaster() -> None:
    pytest.importorskip("stratocaster", reason="stratocaster is not installed")

    with pytest.raises(StrategyError, match="takes weights by GufeKey only"):
        ToStratocaster(Connectivity(), keyed_by="object").propose(fanning_network(), {})
