"""Features of a calculation before it runs, and its cost predicted by physics alone.

Owns the names, units and meanings of the features, quantities derived from them (solvated atoms, steps), and the
physical prior: number of steps x time of a step on that GPU model. `cost` learns corrections from results.

Nothing here is fitted to run times. The geometry of solvated proteins (extent of a solute, atoms per volume of a water
box) is that of 37 published benchmark systems in cubic boxes with 1.2 nm of padding.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from ..errors import EstimatorInputError
from .gpu_speed import CPU, is_cpu, speed_of, unlisted

__all__ = ["FEATURES", "STRINGS", "CostRows", "Derived", "Feature", "complete_rows", "derive", "solvated_atoms"]

FloatArray = NDArray[np.float64]
StringArray = NDArray[np.str_]

#: Equally long columns by feature name: numbers of `FEATURES` (NaN = unknown), strings of `STRINGS` ("" = unknown). A
#: mapping of arrays, a polars or pandas DataFrame, or a structured array: scikit-learn can split these.
CostRows = Any


@dataclass(frozen=True, slots=True)
class Feature:
    """A numeric feature of a calculation before it runs.

    Attributes
    ----------
    unit : str
        Empty for plain counts and ratios.
    meaning : str
        Its meaning, and its replacement if unknown.
    """

    unit: str
    meaning: str


#: Numeric features; all may be NaN.
FEATURES: Final[dict[str, Feature]] = {
    "n_atoms": Feature("", "atoms simulated, solvent and ions included; estimated from what follows if unknown"),
    "n_solute_atoms": Feature("", "atoms of the largest state without solvent: protein, cofactors and ligand"),
    "n_ligand_atoms": Feature("", "atoms of the larger ligand"),
    "n_ligand_heavy_atoms": Feature("", "atoms of the larger ligand but hydrogen"),
    "n_dummy_atoms": Feature("", "atoms of either ligand that the mapping leaves without partner"),
    "n_dummy_heavy_atoms": Feature("", "the same without hydrogen"),
    "charge_change": Feature("e", "net charge that the transformation makes, with or without sign"),
    "ring_change": Feature("", "rings broken or made"),
    "mapping_score": Feature("", "score of the atom mapping, 1 best"),
    "simulated_ns": Feature("ns", "time simulated per window or replica: equilibration and production"),
    "n_windows": Feature("", "windows or replicas; 1 if unknown"),
    "n_repeats": Feature("", "repeats that one result holds (protocol_repeats in one ProtocolDAG); 1 if unknown"),
    "timestep_fs": Feature("fs", "time step; 4 if unknown"),
    "is_complex": Feature("", "1 where the ligand is bound to a protein, else 0"),
    "is_solvent": Feature("", "1 where the ligand is alone in solvent, else 0"),
    "is_vacuum": Feature("", "1 where nothing is solvated, else 0"),
    "box_nm": Feature("nm", "edge of the box, if known beforehand"),
    "solute_diameter_nm": Feature("nm", "of the sphere around the middle of the solute that holds all of its atoms"),
    "padding_nm": Feature("nm", "solvent on each side of the solute; 1.2 if unknown"),
    "box_volume_factor": Feature("", "volume of the box over that of a cube as wide: dodecahedron 0.71; 1 if unknown"),
    "packing": Feature("", "calculations side by side on the GPU; 1 if unknown"),
}

#: String features. `gpu_model`: as named by the driver, `cpu` for a worker without GPU, "" if unknown. `group`:
#: calculations that share a system (a target). `campaign`: calculations that were set up together.
STRINGS: Final = ("protocol", "gpu_model", "group", "campaign")

# For published solvated proteins: their bounding spheres have a diameter of 0.413 nm * atoms ** (1/3), within 9 %. A
# cubic nm of box contains 97 atoms, minus a fifth of an atom per solute atom, which packs less densely than water.
_DIAMETER_NM: Final = 0.413
_ATOMS_PER_NM3: Final = 97.0
_LESS_PER_SOLUTE_ATOM: Final = 0.217
_PADDING_NM: Final = 1.2
_TIMESTEP_FS: Final = 4.0
_FS_PER_NS: Final = 1e6
_MS_PER_HOUR: Final = 3.6e6

# Defaults for a protein and a ligand in solvent if even their atoms are unknown.
_TYPICAL_COMPLEX_ATOMS: Final = 50_000.0
_TYPICAL_LIGAND_ATOMS: Final = 45.0

# Time of a step relative to the benchmark: latency, and work per atom of plain MD and of a hybrid system (soft core,
# exceptions, replica exchange, energies of all states). Medians of published openfe data on seven and on three GPU
# models, github.com/OpenFreeEnergy/performance_benchmarks; deviations are learned from results.
_LATENCY_FACTOR: Final = 1.4
_PLAIN_WORK: Final = 1.5
_HYBRID_WORK: Final = 3.3
#: Classes of Protocols without a transformation: openfe's `PlainMDProtocol` and similarly named ones.
_PLAIN_PROTOCOL: Final = re.compile(r"(Plain|Conventional|Classical)MD|^MD(Protocol)?$")
# Setup, minimisation and analysis: cost of a result in addition to its steps.
_OVERHEAD_GPU_HOURS: Final = 0.05
_OVERHEAD_CPU_HOURS: Final = 0.001
# If even the length of the simulation is unknown: a minute without a GPU, two hours with one.
_UNKNOWN_CPU_HOURS: Final = 1.0 / 60.0
_UNKNOWN_GPU_HOURS: Final = 2.0


@dataclass(frozen=True, slots=True)
class Derived:
    """Quantities derived from the features, one entry per row.

    Attributes
    ----------
    rows : dict of str to ndarray
        Complete rows, with every feature and string.
    n_atoms : ndarray of float
        Simulated atoms, estimated if unknown.
    atoms_known : ndarray of bool
        Whether `n_atoms` was given, or follows from a given box or solute size.
    atoms_guessed : ndarray of bool
        Whether even the solute's atoms were not given.
    steps : ndarray of float
        Steps of all windows and repeats; NaN if the simulated time is unknown.
    prior_log_hours : ndarray of float
        Natural logarithm of the hours predicted by physics (GPU-hours; worker-hours without a GPU).
    gpu_model : ndarray of str
        Name by which rows of one GPU model are pooled: that of the table if listed, else as given.
    gpu_sd_log : ndarray of float
        Uncertainty of the table for the row's GPU model, log standard deviation.
    """

    rows: dict[str, NDArray]  # type: ignore[type-arg]
    n_atoms: FloatArray
    atoms_known: NDArray[np.bool_]
    atoms_guessed: NDArray[np.bool_]
    steps: FloatArray
    prior_log_hours: FloatArray
    gpu_model: StringArray
    gpu_sd_log: FloatArray


def complete_rows(rows: CostRows) -> dict[str, NDArray]:  # type: ignore[type-arg]
    """Add missing features to every row.

    Parameters
    ----------
    rows : mapping, DataFrame or structured array
        Some of the features and strings, equally long, see `CostRows`.

    Returns
    -------
    dict of str to ndarray
        All features and strings; NaN and "" where unknown.

    Raises
    ------
    EstimatorInputError
        If there is no column, a name is unknown, lengths differ, or a number is negative or infinite where this is
        invalid.
    """
    rows = _by_name(rows)
    for name in rows:
        if name not in FEATURES and name not in STRINGS:
            near = difflib.get_close_matches(name, [*FEATURES, *STRINGS], n=1)
            hint = f"did you mean {near[0]!r}?" if near else f"known are {', '.join([*FEATURES, *STRINGS])}"
            raise EstimatorInputError(f"cost rows have a column {name!r} that is not a feature; {hint}", column=name)
    lengths = {name: len(values) for name, values in rows.items()}
    if len(set(lengths.values())) > 1:
        raise EstimatorInputError(f"cost rows have columns of unequal length: {lengths}")
    n = next(iter(lengths.values()))
    complete: dict[str, NDArray] = {}  # type: ignore[type-arg]
    for name in FEATURES:
        complete[name] = np.array(rows[name], dtype=np.float64) if name in rows else np.full(n, np.nan)
        _check_range(name, complete[name])
    for name in STRINGS:
        complete[name] = _texts(rows[name]) if name in rows else np.full(n, "", dtype=np.str_)
    return complete


def _by_name(rows: CostRows) -> Mapping[str, Any]:
    """Return columns by name, for any supported form of rows."""
    if isinstance(rows, Mapping):
        by_name = rows
    else:
        names = getattr(getattr(rows, "dtype", None), "names", None) or getattr(rows, "columns", None)
        if names is None:
            raise EstimatorInputError(
                f"cost rows are {type(rows).__name__}, whose columns have no names; give a DataFrame, a structured "
                "array or a mapping of arrays"
            )
        by_name = {str(name): rows[name] for name in names}
    if not by_name:
        raise EstimatorInputError(f"cost rows have no column; give at least one of {', '.join(FEATURES)}")
    return by_name


def _texts(values: Any) -> StringArray:
    """Return strings; missing values become empty."""
    given = np.asarray(values)
    if given.dtype.kind == "O":
        given = np.array(["" if value is None or value != value else str(value) for value in given], dtype=np.str_)
    return given.astype(np.str_)


def solvated_atoms(
    n_solute_atoms: FloatArray, padding_nm: FloatArray, volume_factor: FloatArray, diameter_nm: FloatArray | None = None
) -> FloatArray:
    """Estimate the number of atoms of a solvated solute, by OpenMM's rule for the box.

    Parameters
    ----------
    n_solute_atoms : ndarray of float
        Atoms of the solute.
    padding_nm : ndarray of float
        Distance between the solute and its next image, nm.
    volume_factor : ndarray of float
        Volume of the box relative to a cube of the same width.
    diameter_nm : ndarray of float, optional
        Diameter of the solute's bounding sphere, nm; a typical value if NaN or not given.

    Returns
    -------
    ndarray of float
        Atoms including solvent: within 2 % if the diameter is known, else within about 20 %.

    References
    ----------
    `openmm.app.Modeller.addSolvent`: the box width is that of the sphere plus the padding, and at least twice the
    padding.
    """
    typical_nm = _DIAMETER_NM * np.cbrt(n_solute_atoms)
    sphere_nm = typical_nm if diameter_nm is None else np.where(np.isnan(diameter_nm), typical_nm, diameter_nm)
    edge_nm = np.maximum(sphere_nm + padding_nm, 2.0 * padding_nm)
    return np.maximum(_atoms_in(edge_nm, volume_factor, n_solute_atoms), n_solute_atoms)


def _atoms_in(edge_nm: FloatArray, volume_factor: FloatArray, n_solute_atoms: FloatArray) -> FloatArray:
    """Return the number of atoms in a box."""
    atoms: FloatArray = _ATOMS_PER_NM3 * volume_factor * edge_nm**3 - _LESS_PER_SOLUTE_ATOM * n_solute_atoms
    return atoms


def derive(rows: CostRows) -> Derived:
    """Complete rows and compute the physical prior.

    Parameters
    ----------
    rows : mapping of str to array-like
        Features and strings, see `FEATURES` and `STRINGS`.

    Returns
    -------
    Derived
        Atoms, steps, and the hours of the prior.

    Raises
    ------
    EstimatorInputError
        As `complete_rows`.
    """
    complete = complete_rows(rows)
    n_atoms, guessed = _atoms(complete)
    timestep_fs = np.nan_to_num(complete["timestep_fs"], nan=_TIMESTEP_FS)
    runs = np.nan_to_num(complete["n_windows"], nan=1.0) * np.nan_to_num(complete["n_repeats"], nan=1.0)
    steps = complete["simulated_ns"] * _FS_PER_NS / timestep_fs * runs
    hours, pooled, sd_log = _physical_hours(complete, n_atoms, steps)
    return Derived(
        rows=complete,
        n_atoms=n_atoms,
        atoms_known=~(np.isnan(complete["n_atoms"]) & np.isnan(complete["box_nm"]) & ~_is_measured(complete)),
        atoms_guessed=guessed,
        steps=steps,
        prior_log_hours=np.log(hours),
        gpu_model=pooled,
        gpu_sd_log=sd_log,
    )


def _atoms(rows: dict[str, NDArray]) -> tuple[FloatArray, NDArray[np.bool_]]:  # type: ignore[type-arg]
    """Return the simulated atoms, and where nothing at all was known about them."""
    vacuum = rows["is_vacuum"] == 1.0
    # A ligand alone is its own solute.
    alone = vacuum | (rows["is_solvent"] == 1.0)
    solute = np.where(np.isnan(rows["n_solute_atoms"]) & alone, rows["n_ligand_atoms"], rows["n_solute_atoms"])
    solute = np.where(np.isnan(solute) & alone, 2.0 * rows["n_ligand_heavy_atoms"], solute)
    padding_nm = np.nan_to_num(rows["padding_nm"], nan=_PADDING_NM)
    factor = np.nan_to_num(rows["box_volume_factor"], nan=1.0)
    from_box = _atoms_in(rows["box_nm"], factor, np.nan_to_num(solute))
    guessed = np.isnan(rows["n_atoms"]) & np.isnan(solute) & np.isnan(from_box)
    typical = np.where(
        vacuum,
        _TYPICAL_LIGAND_ATOMS,
        np.where(
            alone,
            solvated_atoms(np.full(len(solute), _TYPICAL_LIGAND_ATOMS), padding_nm, factor),
            _TYPICAL_COMPLEX_ATOMS,
        ),
    )
    estimate = np.where(vacuum, solute, solvated_atoms(solute, padding_nm, factor, rows["solute_diameter_nm"]))
    estimate = np.where(np.isnan(from_box) | vacuum, estimate, from_box)
    estimate = np.where(np.isnan(estimate), typical, estimate)
    return np.maximum(np.where(np.isnan(rows["n_atoms"]), estimate, rows["n_atoms"]), 1.0), guessed


def _is_measured(rows: dict[str, NDArray]) -> NDArray[np.bool_]:  # type: ignore[type-arg]
    """Return whether both the size and the number of atoms of a solute are known."""
    measured: NDArray[np.bool_] = ~np.isnan(rows["solute_diameter_nm"]) & ~np.isnan(rows["n_solute_atoms"])
    return measured


def _physical_hours(
    rows: dict[str, NDArray],  # type: ignore[type-arg]
    n_atoms: FloatArray,
    steps: FloatArray,
) -> tuple[FloatArray, StringArray, FloatArray]:
    """Return hours of the prior, pooled GPU model, and uncertainty of its speed; grouped by GPU model."""
    hours = np.empty(len(n_atoms))
    sd_log = np.empty(len(n_atoms))
    packing = np.maximum(np.nan_to_num(rows["packing"], nan=1.0), 1.0)
    work = _work(rows["protocol"])
    names, of_row = np.unique(rows["gpu_model"], return_inverse=True)
    pooled = []
    for k, name in enumerate(names):
        mine = of_row == k
        speed = speed_of(str(name)) or unlisted()
        cpu = is_cpu(str(name))
        step_ms = _LATENCY_FACTOR * speed.step_ms(
            n_atoms[mine], 1.0 if cpu else packing[mine], work[mine] / _LATENCY_FACTOR
        )
        overhead, unknown = (
            (_OVERHEAD_CPU_HOURS, _UNKNOWN_CPU_HOURS) if cpu else (_OVERHEAD_GPU_HOURS, _UNKNOWN_GPU_HOURS)
        )
        hours[mine] = np.where(np.isnan(steps[mine]), unknown, overhead + steps[mine] * step_ms / _MS_PER_HOUR)
        sd_log[mine] = speed.sd_log
        pooled.append(CPU if cpu else _pooled_name(str(name), speed.model, speed.slices))
    return hours, np.array(pooled, dtype=np.str_)[of_row.ravel()], sd_log


def _work(protocol: StringArray) -> FloatArray:
    """Return the work per step of each row's Protocol."""
    names, of_row = np.unique(protocol, return_inverse=True)
    work = np.array([_PLAIN_WORK if _PLAIN_PROTOCOL.search(str(name)) else _HYBRID_WORK for name in names])
    of_rows: FloatArray = work[of_row.ravel()]
    return of_rows


def _pooled_name(name: str, model: str, slices: float) -> str:
    """Return the table's name; slices of a card, and models missing from the table, are models of their own."""
    if model == unlisted().model:
        return " ".join(name.split()) or "unknown"
    return model if slices == 1.0 else f"{model} {slices:.2f} MIG"


def _check_range(name: str, values: FloatArray) -> None:
    """Raise for impossible values."""
    bad = np.isinf(values) | ((values < 0) if name not in ("charge_change", "mapping_score") else False)
    if bad.any():
        worst = values[bad][0]
        raise EstimatorInputError(
            f"feature {name} is {worst} in {int(bad.sum())} of {len(values)} rows; leave what is unknown NaN",
            feature=name,
        )
