"""A Protocol with the class name, units and arithmetic of openfe's `AbsoluteSolvationProtocol`, without simulations."""

from __future__ import annotations

import math
import statistics
from typing import Any, ClassVar

import gufe

from tests.generations import GUFE1
from tests.gufe_adapter.foreign import ForeignResult

#: Free energy of each repeat of each leg, kcal/mol, by its number.
VALUES = {"vacuum": {0: 5.0, 1: 5.5, 2: 5.1}, "solvent": {0: 8.0, 1: 8.1, 2: 7.7}}
#: Uncertainty stated by each unit.
STATED = {"vacuum": 0.3, "solvent": 0.4}


class AnalysisUnit(gufe.ProtocolUnit):
    """Returns the estimate of one repeat of one leg, as plain numbers: gufe 0.4 writes no quantities."""

    @staticmethod
    def _execute(ctx: Any, *, value: float, simtype: str, repeat_id: int, **inputs: Any) -> dict[str, Any]:
        return {
            "unit_estimate": value,
            "unit_estimate_error": STATED[simtype],
            "simtype": simtype,
            "repeat_id": repeat_id,
            "generation": 0,
        }


class AbsoluteSolvationProtocolResult(ForeignResult):
    """Vacuum minus solvent; standard deviations of the legs in quadrature, 0.0 for one repeat, as in openfe."""

    def get_estimate(self) -> Any:
        vacuum, solvent = (statistics.fmean(self.data[leg]) for leg in VALUES)
        return vacuum - solvent

    def get_uncertainty(self) -> Any:
        return math.hypot(*(statistics.stdev(of) if len(of) > 1 else 0.0 for of in map(self.data.get, VALUES)))


class AbsoluteSolvationProtocol(gufe.Protocol):
    """Repeats each leg independently."""

    result_cls = AbsoluteSolvationProtocolResult
    values: ClassVar[Any] = VALUES

    if GUFE1:
        _settings_cls = gufe.settings.SettingsBaseModel

    @classmethod
    def make(cls) -> AbsoluteSolvationProtocol:
        return cls(cls._default_settings())

    @classmethod
    def _default_settings(cls) -> Any:
        return cls._settings_cls() if GUFE1 else None

    def _create(self, stateA: Any, stateB: Any, mapping: Any = None, **extending: Any) -> list[Any]:  # noqa: N803
        # openfe numbers repeats at random; the order of units is not that of the names
        return [
            AnalysisUnit(
                name=f"AHFE Analysis: a {leg} leg, repeat {number} generation 0",
                protocol=self,
                stateA=stateA,
                stateB=stateB,
                value=value,
                simtype=leg,
                repeat_id=1000 * len(leg) - number,
            )
            for leg, values in self.values.items()
            for number, value in reversed(values.items())
        ]

    def _gather(self, protocol_dag_results: Any) -> dict[str, Any]:
        legs: dict[str, list[float]] = {leg: [] for leg in VALUES}
        for result in (r for d in protocol_dag_results for r in d.protocol_unit_results):
            legs[result.outputs["simtype"]].append(result.outputs["unit_estimate"])
        if not all(legs.values()):
            raise ValueError("a leg is missing")
        return legs
