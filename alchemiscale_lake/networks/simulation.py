"""Simulation parameters from a Protocol's settings: lengths, repeats, time steps and boxes.

Read from plain JSON of any Protocol: well-known names are searched for at any level. Unknown values are None. The
simulated atoms come from the components, see `facts`.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final

__all__ = ["SimulationFacts", "simulation_facts"]

_FS: Final = {
    **dict.fromkeys(("fs", "femtosecond", "femtoseconds"), 1.0),
    **dict.fromkeys(("ps", "picosecond", "picoseconds"), 1e3),
    **dict.fromkeys(("ns", "nanosecond", "nanoseconds"), 1e6),
    **dict.fromkeys(("us", "microsecond", "microseconds"), 1e9),
    **dict.fromkeys(("s", "second", "seconds"), 1e15),
}
_NM: Final = {
    **dict.fromkeys(("nm", "nanometer", "nanometers", "nanometre"), 1.0),
    **dict.fromkeys(("angstrom", "angstroms", "a", "å"), 0.1),
}
#: Upper limit for valid numbers in settings.
_MOST: Final = 1e12
_NUMBER_WITH_UNIT: Final = re.compile(r"\s*([0-9.eE+-]+)\s*\*?\s*([A-Za-zÅå]+)\s*")

_TIMESTEP: Final = ("timestep", "time_step", "dt")
_PRODUCTION: Final = (
    "production_length",
    "production_time",
    "sampling_time",
    "sampling_length",
    "simulation_length",
    "simulation_time",
    "n_production_steps",
    "production_steps",
)
_EQUILIBRATION: Final = (
    "equilibration_length",
    "equilibration_time",
    "equilibration_length_nvt",
    "n_equilibration_steps",
    "equilibration_steps",
)
_WINDOWS: Final = ("n_replicas", "lambda_windows", "n_windows", "n_lambda_windows", "n_lambda", "n_states")
_SCHEDULES: Final = ("lambda_elec", "lambda_vdw", "lambda_schedule", "lambdas")
_REPEATS: Final = ("protocol_repeats", "n_repeats")
_PADDING: Final = ("solvent_padding", "box_padding", "padding")
_SHAPE: Final = ("box_shape",)
_PHASES: Final = ("complex", "solvent", "vacuum")


@dataclass(frozen=True, slots=True)
class SimulationFacts:
    """Simulations of one ProtocolDAG.

    Attributes
    ----------
    simulated_ns : float or None
        Equilibration and production time of one window (or replica, or cycle), nanoseconds. For a Protocol that
        simulates several phases in one Transformation: of the phase with the largest box.
    n_windows : int or None
        Number of windows, replicas or cycles of that length per repeat.
    n_repeats : int or None
        Number of repeats per ProtocolDAG.
    timestep_fs : float or None
    solvent_padding_nm : float or None
        Distance between solute and box.
    box_shape : str or None
    explicit_solvent : bool or None
        False if only the solute is simulated, whatever the components are.
    """

    simulated_ns: float | None = None
    n_windows: int | None = None
    n_repeats: int | None = None
    timestep_fs: float | None = None
    solvent_padding_nm: float | None = None
    box_shape: str | None = None
    explicit_solvent: bool | None = None


def simulation_facts(qualname: str, settings: Mapping[str, Any] | None, phase: str) -> SimulationFacts:
    """Read settings.

    Parameters
    ----------
    qualname : str
        Class of the Protocol.
    settings : mapping or None
        Its settings as JSON data.
    phase : str
        Phase of the Transformation: if settings are given for several phases, those of this one count.
    """
    found = _Found(settings or {}, phase)
    timestep_fs = found.time_fs(_TIMESTEP, bare="fs")
    if qualname in _READERS:
        simulated_ns, n_windows = _READERS[qualname](found, timestep_fs)
    else:
        simulated_ns, n_windows = _length_ns(found, timestep_fs), _windows(found)
    shape = found.text(_SHAPE)
    padding = found.length_nm(_PADDING)
    explicit = True if padding is not None and phase != "vacuum" else None
    return SimulationFacts(
        simulated_ns=simulated_ns,
        n_windows=n_windows,
        n_repeats=found.count(_REPEATS),
        timestep_fs=timestep_fs,
        solvent_padding_nm=padding if phase != "vacuum" else None,
        box_shape=shape if phase != "vacuum" else None,
        explicit_solvent=False if qualname in _IMPLICIT else explicit,
    )


# --- by Protocol ----------------------------------------------------------------------------------


def _cycles(found: _Found, timestep_fs: float | None) -> tuple[float | None, int | None]:
    """feflow: each cycle has equilibrium at both ends, and a switch in each direction."""
    steps = [found.number((name,)) for name in ("equilibrium_steps", "nonequilibrium_steps")]
    known = [n for n in steps if n is not None]
    length = 2.0 * sum(known) * timestep_fs * 1e-6 if timestep_fs is not None and len(known) == 2 else None
    return length, found.count(("num_cycles",))


def _four_samples(found: _Found, timestep_fs: float | None) -> tuple[float | None, int | None]:
    """HydrationProtocol: both ligands in both phases."""
    return _length_ns(found, timestep_fs), 4


def _one_trajectory(found: _Found, timestep_fs: float | None) -> tuple[float | None, int | None]:
    return _length_ns(found, timestep_fs), 1


def _no_dynamics(found: _Found, timestep_fs: float | None) -> tuple[float | None, int | None]:
    return None, found.count(("n_windows",))


_READERS: Final = {
    "NonEquilibriumCyclingProtocol": _cycles,
    "HydrationProtocol": _four_samples,
    "HarmonicProtocol": _no_dynamics,
    "PlainMDProtocol": _one_trajectory,
}
_IMPLICIT: Final = frozenset({"HydrationProtocol", "HarmonicProtocol", "NoOpProtocol"})


def _length_ns(found: _Found, timestep_fs: float | None) -> float | None:
    """Return the sum of production and the equilibration next to it."""
    production = found.best(_PRODUCTION)
    if production is None:
        return None
    beside = production.beside
    length_fs = _as_fs(production.name, production.value, timestep_fs)
    if length_fs is None:
        return None
    for name, value in beside.items():
        if _stem(name)[0] in _EQUILIBRATION:
            length_fs += _as_fs(name, value, timestep_fs) or 0.0
    return length_fs * 1e-6


def _windows(found: _Found) -> int | None:
    count = found.count(_WINDOWS)
    if count is None:
        lengths = [len(leaf.value) for leaf in found.all(_SCHEDULES) if isinstance(leaf.value, list)]
        count = max(lengths, default=0) or None
    return count


# --- search by name -------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class _Leaf:
    name: str
    value: Any
    parents: tuple[str, ...]
    beside: Mapping[str, Any]


class _Found:
    """Settings by name, at any level."""

    def __init__(self, settings: Mapping[str, Any], phase: str) -> None:
        self._leaves: dict[str, list[_Leaf]] = {}
        for leaf in _leaves(settings, ()):
            self._leaves.setdefault(_stem(leaf.name)[0], []).append(leaf)
        self._phase = phase

    def all(self, names: tuple[str, ...]) -> Iterator[_Leaf]:
        """Yield settings of these names that have a value; for each name, best first."""
        for name in names:
            yield from sorted(self._leaves.get(name, ()), key=self._rank)

    def best(self, names: tuple[str, ...]) -> _Leaf | None:
        return next(self.all(names), None)

    def number(self, names: tuple[str, ...]) -> float | None:
        return next((n for leaf in self.all(names) if (n := _number(leaf.value)) is not None), None)

    def count(self, names: tuple[str, ...]) -> int | None:
        n = self.number(names)
        return None if n is None or n < 1 else round(n)

    def text(self, names: tuple[str, ...]) -> str | None:
        return next((leaf.value for leaf in self.all(names) if isinstance(leaf.value, str)), None)

    def time_fs(self, names: tuple[str, ...], bare: str) -> float | None:
        for leaf in self.all(names):
            value = _in_unit(leaf.name, leaf.value, _FS, bare)
            if value is not None and value > 0:
                return value
        return None

    def length_nm(self, names: tuple[str, ...]) -> float | None:
        return next((v for leaf in self.all(names) if (v := _in_unit(leaf.name, leaf.value, _NM, "nm"))), None)

    def _rank(self, leaf: _Leaf) -> tuple[bool, int, int]:
        """Rank settings of this phase first, then of no phase, then of another; minimisation and pre-runs last."""
        said = " ".join(leaf.parents)
        named = [phase for phase in _PHASES if re.search(rf"(^|[ _]){phase}_", said)]
        other = 0 if self._phase in named else 1 if not named else 2
        return "equil_" in said or "minim" in said, other, len(leaf.parents)


def _leaves(value: Mapping[str, Any], parents: tuple[str, ...]) -> Iterator[_Leaf]:
    for name, below in value.items():
        if isinstance(below, dict) and "magnitude" not in below:
            yield from _leaves(below, (*parents, name))
        elif below is not None and not name.startswith("__"):
            yield _Leaf(name, below, parents, value)


def _stem(name: str) -> tuple[str, str | None]:
    """Split the unit off a name: `sampling_time_ps` is `sampling_time` in ps."""
    stem, _, unit = name.rpartition("_")
    return (stem, unit) if stem and unit in ("fs", "ps", "ns", "us", "nm", "angstrom") else (name, None)


def _as_fs(name: str, value: Any, timestep_fs: float | None) -> float | None:
    """Return a time, given directly (bare numbers: nanoseconds) or in steps."""
    if _stem(name)[0].endswith("steps"):
        steps = _number(value)
        return None if steps is None or timestep_fs is None else steps * timestep_fs
    return _in_unit(name, value, _FS, "ns")


def _in_unit(name: str, value: Any, units: Mapping[str, float], bare: str) -> float | None:
    """Read a quantity: a number with its unit in the name, `{"magnitude", "unit"}`, or a text such as `5 ns`."""
    unit = _stem(name)[1] or bare
    if isinstance(value, dict):
        value, unit = value.get("magnitude"), str(value.get("unit"))
    elif isinstance(value, str):
        parts = _NUMBER_WITH_UNIT.fullmatch(value)
        value, unit = parts.groups() if parts else (None, unit)
        try:
            value = None if value is None else float(value)
        except ValueError:
            value = None
    number, factor = _number(value), units.get(unit.lower())
    return None if number is None or factor is None else number * factor


def _number(value: Any) -> float | None:
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not 0 <= value <= _MOST:
        return None
    return float(value)
