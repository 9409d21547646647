"""Harmonic states: chemical systems with exactly known free energies.

Owns the component, the free energy of a ChemicalSystem and the path between two of them. Sampling and estimation are
in `harmonic`.

The potential of a state is U(x) = offset + K/2 (x - position)^2 in one dimension, so its free energy
at temperature T, up to a constant common to all states, is offset + kT/2 ln(K).
"""

from __future__ import annotations

import hashlib
import math
from typing import Any, Self

import gufe

from ..errors import InvalidNetworkError
from ..units import kt_kcal_mol

__all__ = [
    "HarmonicState",
    "free_energy_kcal_mol",
    "harmonic_state",
    "path",
    "true_difference_kcal_mol",
    "true_free_energy_kcal_mol",
]

#: (spring constant in kcal/mol/A^2, position in A, offset in kcal/mol)
State = tuple[float, float, float]


class HarmonicState(gufe.Component):  # type: ignore[misc]
    """One particle on a spring.

    Parameters
    ----------
    name : str
    spring_constant_kcal_mol : float
        In kcal/mol/A^2, positive.
    offset_kcal_mol : float
        Energy at the bottom of the well.
    position_angstrom : float
        Position of the minimum; states further apart overlap less, with the same free energy difference.
    """

    def __init__(
        self,
        name: str,
        spring_constant_kcal_mol: float = 1.0,
        offset_kcal_mol: float = 0.0,
        position_angstrom: float = 0.0,
    ) -> None:
        if not spring_constant_kcal_mol > 0.0:
            raise InvalidNetworkError(
                f"the spring constant of {name!r} must be positive, not {spring_constant_kcal_mol!r}",
                name=name,
                value=spring_constant_kcal_mol,
            )
        self._name = name
        self.spring_constant_kcal_mol = float(spring_constant_kcal_mol)
        self.offset_kcal_mol = float(offset_kcal_mol)
        self.position_angstrom = float(position_angstrom)

    @property
    def name(self) -> str:
        """Return the name of the state."""
        return self._name

    @property
    def total_charge(self) -> int:
        """Return the charge of the particle: zero."""
        return 0

    @property
    def parameters(self) -> State:
        """Return the spring constant (kcal/mol/A^2), position (A) and offset (kcal/mol)."""
        return self.spring_constant_kcal_mol, self.position_angstrom, self.offset_kcal_mol

    @classmethod
    def _defaults(cls) -> dict[str, Any]:
        return {}

    def _to_dict(self) -> dict[str, Any]:
        return {
            "name": self._name,
            "spring_constant_kcal_mol": self.spring_constant_kcal_mol,
            "offset_kcal_mol": self.offset_kcal_mol,
            "position_angstrom": self.position_angstrom,
        }

    @classmethod
    def _from_dict(cls, dct: dict[str, Any]) -> Self:
        return cls(**dct)


def harmonic_state(system: Any) -> State:
    """Return the parameters of a ChemicalSystem's state.

    A system with a `HarmonicState` is that state, whatever else it contains. Any other system maps to a state drawn
    from the names of its components: artificial, but reproducible and different in every environment, so that any
    network can be rehearsed and all its cycles close.

    Returns
    -------
    tuple of float
        Spring constant (kcal/mol/A^2), position (A), offset (kcal/mol).
    """
    components = sorted(system.components.items())
    given = [component for _, component in components if isinstance(component, HarmonicState)]
    if len(given) > 1:
        raise InvalidNetworkError(
            f"system {system.name!r} has {len(given)} HarmonicStates; give it exactly one", name=system.name
        )
    if given:
        return given[0].parameters
    # not the gufe key, which differs between versions of gufe
    text = "\n".join(
        f"{label} {type(component).__name__} {component.name} {getattr(component, 'smiles', '')}"
        for label, component in components
    )
    digest = hashlib.sha256(text.encode()).digest()
    first, second, third = (int.from_bytes(digest[i : i + 4]) / 2**32 for i in (0, 4, 8))
    return 0.5 + 3.5 * first, second - 0.5, 10.0 * third - 5.0


def free_energy_kcal_mol(state: State, temperature_kelvin: float = 298.15) -> float:
    """Return the free energy of a state, up to a constant common to all states.

    Parameters
    ----------
    state : State
        Harmonic state.
    temperature_kelvin : float, default 298.15
        Temperature.
    """
    spring_constant, _, offset = state
    return offset + 0.5 * kt_kcal_mol(temperature_kelvin) * math.log(spring_constant)


def true_free_energy_kcal_mol(system: Any, temperature_kelvin: float = 298.15) -> float:
    """Return the exact free energy of a ChemicalSystem, up to a constant common to all systems.

    Parameters
    ----------
    system : object
        ChemicalSystem with a harmonic state.
    temperature_kelvin : float, default 298.15
        Temperature.
    """
    return free_energy_kcal_mol(harmonic_state(system), temperature_kelvin)


def true_difference_kcal_mol(transformation: Any, temperature_kelvin: float = 298.15) -> float:
    """Return the exact result of `HarmonicProtocol` for a Transformation: B minus A.

    Parameters
    ----------
    transformation : object
        gufe Transformation between two such ChemicalSystems.
    temperature_kelvin : float, default 298.15
        Temperature.
    """
    return true_free_energy_kcal_mol(transformation.stateB, temperature_kelvin) - true_free_energy_kcal_mol(
        transformation.stateA, temperature_kelvin
    )


def path(state_a: State, state_b: State, n_windows: int) -> list[State]:
    """Return the `n_windows + 1` states from A to B: geometric steps for spring constants, equal for the rest.

    Parameters
    ----------
    state_a : State
        State A.
    state_b : State
        State B.
    n_windows : int
        Number of windows.
    """
    (k_a, x_a, u_a), (k_b, x_b, u_b) = state_a, state_b
    steps = [i / n_windows for i in range(n_windows + 1)]
    return [
        (
            math.exp((1 - s) * math.log(k_a) + s * math.log(k_b)),
            (1 - s) * x_a + s * x_b,
            (1 - s) * u_a + s * u_b,
        )
        for s in steps
    ]
