"""NoOpProtocol: one unit that does nothing, for measuring overhead."""

from __future__ import annotations

import time
from collections.abc import Iterable
from pathlib import Path
from typing import Any, ClassVar

import gufe

from ..gufe_adapter.authoring import LakeProtocol, LakeProtocolResult, energy
from ._injection import InjectionSettings, noise, talk, trouble
from .harmonic_states import HarmonicState

__all__ = ["NoOpProtocol", "NoOpProtocolResult", "NoOpSettings", "noop_transformation"]


class NoOpSettings(InjectionSettings):
    """Settings of `NoOpProtocol`; its one unit counts as a sampling unit."""


class NoOpProtocolResult(LakeProtocolResult):
    """Zero."""

    def get_estimate(self) -> Any:
        """Return zero: nothing was changed."""
        return energy(0.0)

    def get_uncertainty(self) -> Any:
        """Return zero: it is exact."""
        return energy(0.0)


class NoOpUnit(gufe.ProtocolUnit):  # type: ignore[misc]
    """Does nothing, unless a failure is requested."""

    @staticmethod
    def _execute(ctx: Any, *, settings: dict[str, Any], **_: Any) -> dict[str, Any]:
        talk(settings, "sample-000", ctx)
        trouble(settings, "sample-000", Path(ctx.shared))
        time.sleep(settings["duration_s"])
        return noise(settings)


class NoOpProtocol(LakeProtocol):
    """A single unit and no calculation; the estimate is zero."""

    _settings_cls = NoOpSettings
    result_cls: ClassVar[type[NoOpProtocolResult]] = NoOpProtocolResult

    def _units(self, state_a: Any, state_b: Any, extends: Any) -> list[Any]:
        return [NoOpUnit(name="sample-000", settings=self.settings.model_dump(mode="json"))]

    def _gather(self, protocol_dag_results: Iterable[Any]) -> dict[str, Any]:
        return {}


def noop_transformation() -> Any:
    """Return a Transformation of this Protocol."""
    systems = [gufe.ChemicalSystem({"ligand": HarmonicState(name)}, name=name) for name in ("a", "b")]
    return gufe.Transformation(*systems, NoOpProtocol.with_settings(), name="a_b")
