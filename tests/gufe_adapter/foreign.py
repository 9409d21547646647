"""A third-party Protocol for the installed generation of gufe, and misbehaving units."""

from __future__ import annotations

from typing import Any

import gufe

from tests.generations import GUFE1

EXTENDS = "extends" if GUFE1 else "extend_from"


class Unit(gufe.ProtocolUnit):
    """Adds its number to those of the units before it."""

    @staticmethod
    def _execute(ctx: Any, *, number: float, before: Any = (), **inputs: Any) -> dict[str, Any]:
        results = before.values() if isinstance(before, dict) else before
        stated = {name: inputs[name] for name in ("unit_estimate_error", "simtype") if name in inputs}
        return {"number": number + sum(r.outputs["number"] for r in results), "shared": ctx.shared, **stated}


class RaisingUnit(gufe.ProtocolUnit):
    """Raises the exception in its inputs."""

    @staticmethod
    def _execute(ctx: Any, *, what: str, **inputs: Any) -> dict[str, Any]:
        if what == "interrupt":
            from gufe.protocols.errors import ExecutionInterrupt

            raise ExecutionInterrupt("enough")
        raise {
            "odd": ValueError("odd", object(), {1, 2}),
            "plain": ValueError("plain", 3),
            "exit": SystemExit(4),
            "keyboard": KeyboardInterrupt(),
        }[what]


class ForeignResult(gufe.ProtocolResult):
    """Returns its inputs."""

    def get_estimate(self) -> Any:
        if self.data["unit"] == "broken":
            raise KeyError("broken")
        return self.data["value"] * _unit(self.data["unit"])

    def get_uncertainty(self) -> Any:
        if self.data["unit"] == "single":
            return 0.0
        return 0.5 * _unit(self.data["unit"])

    def get_rate_of_convergence(self) -> Any:
        return None


class ForeignProtocol(gufe.Protocol):
    """A Protocol that is not a LakeProtocol; its units form a diamond."""

    result_cls = ForeignResult

    if GUFE1:
        _settings_cls = gufe.settings.SettingsBaseModel

    @classmethod
    def make(cls) -> ForeignProtocol:
        return cls(cls._default_settings())

    @classmethod
    def _default_settings(cls) -> Any:
        return cls._settings_cls() if GUFE1 else None

    def _create(self, stateA: Any, stateB: Any, mapping: Any = None, **extending: Any) -> list[Any]:  # noqa: N803
        self.seen = extending[EXTENDS]
        first = Unit(name="first", number=1.0)
        errors = {"left": ("complex", 0.3), "right": ("solvent", 0.4)}
        left, right = (
            Unit(name=side, number=10.0, before=[first], simtype=leg, unit_estimate_error=error)
            for side, (leg, error) in errors.items()
        )
        last = Unit(name="last", number=100.0, before={"left": left, "right": right})
        return [last, right, left, first]

    def _gather(self, protocol_dag_results: Any) -> dict[str, Any]:
        last = [next(r for r in d.protocol_unit_results if r.name == "last") for d in protocol_dag_results]
        unit = protocol_dag_results[0].name or "none"
        return {"value": sum(r.outputs["number"] for r in last) / len(last), "unit": unit}


def _unit(name: str) -> Any:
    if name in ("none", "single"):
        return 1.0
    from openff.units import unit

    return getattr(unit, name)
