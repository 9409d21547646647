"""A Protocol with repeats within one ProtocolDAG, like openfe's."""

from __future__ import annotations

import statistics
from typing import Any

import gufe

from tests.generations import GUFE1
from tests.gufe_adapter.foreign import ForeignResult

#: Complex and solvent leg of each of three repeats, kcal/mol.
LEGS = {"complex": (5.0, 5.5, 5.1), "solvent": (2.0, 2.1, 1.9)}
#: Uncertainty stated by each unit.
STATED = {"complex": 0.3, "solvent": 0.4}


class LegUnit(gufe.ProtocolUnit):
    """Returns its inputs."""

    @staticmethod
    def _execute(ctx: Any, *, value: float, leg: str, **inputs: Any) -> dict[str, Any]:
        return {"value": value, "simtype": leg, "unit_estimate_error": STATED[leg]}


class RepeatingResult(ForeignResult):
    """The mean over repeats with their standard deviation; 0.0 for one, as in openfe."""

    def get_estimate(self) -> Any:
        return self.data["value"]

    def get_uncertainty(self) -> Any:
        return statistics.stdev(self.data["values"]) if len(self.data["values"]) > 1 else 0.0


class RepeatingProtocol(gufe.Protocol):
    """Complex minus solvent, in three repeats; `combine` determines how repeats are combined."""

    result_cls = RepeatingResult
    combine: Any = staticmethod(statistics.fmean)

    if GUFE1:
        _settings_cls = gufe.settings.SettingsBaseModel

    @classmethod
    def _default_settings(cls) -> Any:
        return cls._settings_cls() if GUFE1 else None

    def _create(self, stateA: Any, stateB: Any, mapping: Any = None, **extending: Any) -> list[Any]:  # noqa: N803
        return [
            LegUnit(name=f"{leg}: a to b repeat {k} generation 0", value=value, leg=leg)
            for leg, values in LEGS.items()
            for k, value in enumerate(values)
        ]

    def _gather(self, protocol_dag_results: Any) -> dict[str, Any]:
        of_leg: dict[str, list[float]] = {leg: [] for leg in LEGS}
        for result in (r for d in protocol_dag_results for r in d.protocol_unit_results):
            of_leg[result.outputs["simtype"]].append(result.outputs["value"])
        values = [c - s for c, s in zip(sorted(of_leg["complex"]), sorted(of_leg["solvent"]), strict=True)]
        return {"value": self.combine(values), "values": values}


class MedianProtocol(RepeatingProtocol):
    """Uses the median, which is not the mean of its repeats."""

    combine = staticmethod(statistics.median)


class WholeProtocol(RepeatingProtocol):
    """Rejects a result with missing repeats."""

    def _gather(self, protocol_dag_results: Any) -> dict[str, Any]:
        gathered = super()._gather(protocol_dag_results)
        if len(gathered["values"]) < len(LEGS["complex"]):
            raise ValueError("repeats are missing")
        return gathered
