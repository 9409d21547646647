"""Every shipped Strategy keeps the contract."""

from __future__ import annotations

from typing import Any

from alchemiscale_lake.strategies import Strategy, make_strategy, strategy_names
from tests.contracts.strategy_contract import StrategyContract


class TestFixedRepeats(StrategyContract):
    def strategy(self) -> Strategy[Any]:
        return make_strategy("fixed-repeats")


class TestConnectivity(StrategyContract):
    def strategy(self) -> Strategy[Any]:
        return make_strategy("connectivity")


class TestConnectivityCutoff(StrategyContract):
    def strategy(self) -> Strategy[Any]:
        return make_strategy("connectivity", {"cutoff": 0.3, "max_runs": None})


class TestRadialGrowth(StrategyContract):
    def strategy(self) -> Strategy[Any]:
        return make_strategy("radial-growth")


class TestCriticalConnectivity(StrategyContract):
    def strategy(self) -> Strategy[Any]:
        return make_strategy("critical-connectivity")


class TestUncertaintyTarget(StrategyContract):
    def strategy(self) -> Strategy[Any]:
        return make_strategy("uncertainty-target")


class TestMappingScore(StrategyContract):
    def strategy(self) -> Strategy[Any]:
        return make_strategy("mapping-score")


class TestNetBFE(StrategyContract):
    def strategy(self) -> Strategy[Any]:
        return make_strategy("net-bfe", {"max_repeats": 5})


class TestOptimalDesign(StrategyContract):
    def strategy(self) -> Strategy[Any]:
        return make_strategy("optimal-design", {"max_repeats": 5})


class TestOptimalDesignOfAllGoals(StrategyContract):
    def strategy(self) -> Strategy[Any]:
        goals = [{"kind": "ranking"}, {"kind": "differences"}, {"kind": "ligands", "ligands": {"L1": 1}}]
        goals.append({"kind": "contrast", "ligands": {"L1": 1, "L2": -1}})
        return make_strategy("optimal-design", {"max_repeats": 4, "goals": goals, "first_pass": "tree"})


class TestOptimalDesignWithStopRules(StrategyContract):
    def strategy(self) -> Strategy[Any]:
        rules = {"mean_uncertainty_kcal_mol": 0.15, "top_probability": 0.95, "least_gain_per_gpu_hour": 1e-4}
        return make_strategy("optimal-design", {"stop": rules})


class TestCommittee(StrategyContract):
    def strategy(self) -> Strategy[Any]:
        members = [{"strategy": "optimal-design", "settings": {"max_repeats": 4}}, {"strategy": "connectivity"}]
        return make_strategy("committee", {"members": members})


class TestCommitteeOfProducts(StrategyContract):
    def strategy(self) -> Strategy[Any]:
        steps = [{"start": 0, "weight": 1.0}, {"start": 3, "weight": 0.2}]
        members = [{"strategy": "mapping-score"}, {"strategy": "connectivity", "weight": steps}]
        return make_strategy("committee", {"members": members, "rule": "product", "finished": "majority"})


def test_every_shipped_strategy_is_tested() -> None:
    tested = {type(kind().strategy()).__name__ for kind in StrategyContract.__subclasses__()}

    assert {type(make_strategy(name)).__name__ for name in strategy_names()} <= tested
