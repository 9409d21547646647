"""A Protocol whose units run the Python text in its settings, for arbitrary failures."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any, ClassVar

import gufe
from pydantic import Field

from alchemiscale_lake.gufe_adapter.authoring import LakeProtocol, LakeProtocolResult, LakeSettings, energy
from tests.example_networks import harmonic_system


class ScriptedSettings(LakeSettings):
    units: dict[str, str] = Field(default_factory=lambda: {"only": "pass"})
    chained: bool = True
    in_create: str = "pass"
    in_gather: str = "pass"


class ScriptedResult(LakeProtocolResult):
    def get_estimate(self) -> Any:
        return energy(1.5)

    def get_uncertainty(self) -> Any:
        return energy(0.25)


class ScriptedUnit(gufe.ProtocolUnit):
    """Runs the text and returns `outputs`; the text sees `shared`, `scratch`, `permanent` and `inputs`."""

    @staticmethod
    def _execute(ctx: Any, *, text: str, **inputs: Any) -> dict[str, Any]:
        names = {"shared": Path(ctx.shared), "scratch": Path(ctx.scratch), "inputs": inputs, "outputs": {}}
        names["permanent"] = ctx.permanent
        exec(text, names)
        return names["outputs"]


class ScriptedProtocol(LakeProtocol):
    _settings_cls = ScriptedSettings
    result_cls: ClassVar[type[ScriptedResult]] = ScriptedResult

    def _units(self, state_a: Any, state_b: Any, extends: Any) -> list[Any]:
        exec(self.settings.in_create, {"extends": extends})
        units: list[Any] = []
        for name, text in self.settings.units.items():
            before = units[-1:] if self.settings.chained else []
            units.append(ScriptedUnit(name=name, text=text, before=before))
        return units

    def _gather(self, protocol_dag_results: Iterable[Any]) -> dict[str, Any]:
        exec(self.settings.in_gather, {})
        return {}


def scripted(units: dict[str, str] | str, **settings: Any) -> gufe.Transformation:
    """Return a Transformation of this Protocol; `units` are texts by name, or the text of the only one."""
    if isinstance(units, str):
        units = {"only": units}
    protocol = ScriptedProtocol.with_settings(units=units, **settings)
    return gufe.Transformation(harmonic_system("a"), harmonic_system("b"), protocol, name="scripted")
