"""Base classes of Protocols that run, and are stored identically, on both generations of gufe.

A Protocol here has plain settings (numbers, text, lists), stored as plain JSON in its dict form, so that a network
written with one gufe loads with the other. Importing this module imports gufe.
"""

from __future__ import annotations

import inspect
from collections.abc import Iterable, Mapping
from typing import Any, ClassVar, Final, Self

import gufe
import pydantic

from ..errors import SettingsError

__all__ = ["LakeProtocol", "LakeProtocolResult", "LakeSettings", "energy"]

try:
    from gufe.settings import SettingsBaseModel as _SettingsBase
except ImportError:  # gufe 0.4 leaves settings to each Protocol

    class _SettingsBase(pydantic.BaseModel):  # type: ignore[no-redef]
        """The part of gufe >= 1's settings that Protocols rely on: frozen once attached."""

        model_config = pydantic.ConfigDict(extra="forbid", validate_assignment=True, validate_default=True)
        _is_frozen: bool = pydantic.PrivateAttr(default=False)

        @property
        def is_frozen(self) -> bool:
            """Return whether the settings belong to a Protocol and cannot be changed."""
            return self._is_frozen

        def frozen_copy(self) -> Self:
            """Return a copy that cannot be changed."""
            copied = self.model_copy(deep=True)
            copied._is_frozen = True
            return copied

        def unfrozen_copy(self) -> Self:
            """Return a copy that can be changed."""
            copied = self.model_copy(deep=True)
            copied._is_frozen = False
            return copied

        def __setattr__(self, name: str, value: Any) -> None:
            if name != "_is_frozen" and self._is_frozen:
                raise AttributeError(
                    f"Cannot set '{name}': Settings are immutable once attached to a Protocol and cannot be "
                    "modified. Modify Settings *before* creating the Protocol."
                )
            super().__setattr__(name, value)

        def __eq__(self, other: object) -> bool:
            # whether frozen is irrelevant
            return isinstance(other, type(self)) and self.model_dump() == other.model_dump()


#: gufe >= 1 passes the number of results to `ProtocolResult`, and uses Quantities.
_COUNTS_RESULTS: Final = "n_protocol_dag_results" in inspect.signature(gufe.ProtocolResult.__init__).parameters
_EXTENDS: Final = "extends" in inspect.signature(gufe.Protocol.create).parameters


class LakeSettings(_SettingsBase):  # type: ignore[misc]
    """Settings of a Protocol: plain values only, unknown names rejected, frozen once attached."""


class LakeProtocolResult(gufe.ProtocolResult):  # type: ignore[misc]
    """Result of `gather`; its data are plain values.

    Subclasses define `get_estimate` and `get_uncertainty`, which return `energy(...)`.
    """

    def __init__(self, n_protocol_dag_results: int = 0, **data: Any) -> None:
        counted = {"n_protocol_dag_results": n_protocol_dag_results} if _COUNTS_RESULTS else {}
        super().__init__(**counted, **data)
        self._n_protocol_dag_results = n_protocol_dag_results

    @property
    def n_protocol_dag_results(self) -> int:
        """Return the number of ProtocolDAGResults gathered."""
        return self._n_protocol_dag_results

    def _to_dict(self) -> dict[str, Any]:
        return {"n_protocol_dag_results": self.n_protocol_dag_results, "data": self.data}

    @classmethod
    def _from_dict(cls, dct: dict[str, Any]) -> Self:
        return cls(n_protocol_dag_results=dct["n_protocol_dag_results"], **dct["data"])

    def get_rate_of_convergence(self) -> None:
        """Return None: gufe 0.4 requires this method, gufe >= 1 dropped it."""
        return


class LakeProtocol(gufe.Protocol):  # type: ignore[misc]
    """A Protocol with plain settings.

    Subclasses set `_settings_cls` and `result_cls` and define `_units(state_a, state_b, extends)`, which returns
    ProtocolUnits, and `_gather(protocol_dag_results)`. They ignore mappings.
    """

    _settings_cls: ClassVar[type[LakeSettings]]

    def __init__(self, settings: LakeSettings) -> None:
        if not isinstance(settings, self._settings_cls):
            raise SettingsError(
                f"{type(self).__qualname__} takes {self._settings_cls.__qualname__}, "
                f"not {type(settings).__qualname__}; start from {type(self).__qualname__}.default_settings()",
                value=type(settings).__qualname__,
            )
        super().__init__(settings.frozen_copy())

    @classmethod
    def with_settings(cls, **changes: Any) -> Self:
        """Return the Protocol with its default settings, changed as given."""
        return cls(cls._settings_cls.model_validate({**cls.default_settings().model_dump(), **changes}))

    @classmethod
    def _default_settings(cls) -> LakeSettings:
        return cls._settings_cls()

    def _to_dict(self) -> dict[str, Any]:
        return {"settings": self.settings.model_dump(mode="json")}

    @classmethod
    def _from_dict(cls, dct: Mapping[str, Any]) -> Self:
        return cls(cls._settings_cls.model_validate(dct["settings"]))

    # gufe 0.4 compares and hashes settings, which may support neither; the key identifies everything
    def __eq__(self, other: object) -> bool:
        return isinstance(other, type(self)) and bool(self.key == other.key)

    def __hash__(self) -> int:
        return hash(self.key)

    def create(
        self,
        *,
        stateA: Any,  # noqa: N803
        stateB: Any,  # noqa: N803
        mapping: Any = None,
        extends: Any = None,
        name: str | None = None,
        transformation_key: Any = None,
    ) -> Any:
        """Make a ProtocolDAG; see gufe's `Protocol.create`.

        Parameters
        ----------
        stateA : object
            ChemicalSystem of state A.
        stateB : object
            ChemicalSystem of state B.
        mapping : object, optional
            Atom mapping or mappings, if the Protocol needs them.
        extends : object, optional
            ProtocolDAGResult to continue.
        name : str, optional
            Name of the ProtocolDAG.
        transformation_key : object, optional
            gufe key of the Transformation that it performs.
        """
        if _EXTENDS:
            return super().create(
                stateA=stateA,
                stateB=stateB,
                mapping=mapping,
                extends=extends,
                name=name,
                transformation_key=transformation_key,
            )
        units = self._create(stateA, stateB, mapping, extends)
        return gufe.ProtocolDAG(name=name, protocol_units=units)

    def _create(
        self,
        stateA: Any,  # noqa: N803
        stateB: Any,  # noqa: N803
        mapping: Any = None,
        extends: Any = None,
    ) -> list[Any]:
        return self._units(stateA, stateB, extends)

    def _units(self, state_a: Any, state_b: Any, extends: Any) -> list[Any]:
        raise NotImplementedError

    def gather(self, protocol_dag_results: Iterable[Any]) -> Any:
        """Gather ProtocolDAGResults of one Transformation; see gufe's `Protocol.gather`."""
        results = list(protocol_dag_results)
        return self.result_cls(n_protocol_dag_results=len(results), **self._gather(results))


def energy(value_kcal_mol: float | None) -> Any:
    """Return an energy in the form of the installed gufe: a Quantity (>= 1) or a float in kcal/mol (0.4)."""
    if value_kcal_mol is None or not _COUNTS_RESULTS:
        return value_kcal_mol
    from openff.units import unit

    return value_kcal_mol * unit.kilocalorie_per_mole
