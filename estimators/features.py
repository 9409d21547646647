"""What is known of a calculation before it runs, and what physics alone makes of it.

Owns the names, units and meanings of the features, what is derived from them (solvated atoms, steps), and the
physical prior: steps x time of a step on that GPU model. What results teach beyond that is in `cost`.

Nothing here is fitted to run times. The geometry of solvated proteins (extent of a solute, atoms per volume of a
water box) is that of 37 published benchmark systems in cubic boxes with 1.2 nm of padding.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from estimators.errors import EstimatorInputError
from estimators.gpu_speed import CPU, is_cpu, speed_of, unlisted

__all__ = ["FEATURES", "STRINGS", "CostRows", "Derived", "Feature", "complete_rows", "derive", "solvated_atoms"]

FloatArray = NDArray[np.float64]
StringArray = NDArray[np.str_]

#: Equally long columns by feature name: numbers of `FEATURES` (NaN = unknown), strings of `STRINGS` ("" = unknown). A
#: mapping of arrays, a polars or pandas DataFrame, or a structured array: these are what scikit-learn can split.
CostRows = Any


@dataclass(frozen=True, slots=True)
class Feature:
    """One number known of a calculation before it runs.

    Attributes
    ----------
    unit : str
        Empty for plain counts and ratios.
    meaning : str
        What it is, and what is taken where it is unknown.
    """

    unit: str
    meaning: str


#: Numbers a row may have; all may be NaN.
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

#: Strings a row may have. `gpu_model`: as the driver names it, `cpu` for a worker without one, "" where it is unknown
#: which one it will be. `group`: what shares a system (a target). `campaign`: what was set up together.
STRINGS: Final = ("protocol", "gpu_model", "group", "campaign")

# Of published solvated proteins: their bounding spheres are 0.413 nm * atoms ** (1/3) wide, give or take 9 %. A cubic
# nm of box holds 97 atoms, and a fifth of an atom less for each of the solute, which packs less densely than water.
_DIAMETER_NM: Final = 0.413
_ATOMS_PER_NM3: Final = 97.0
_LESS_PER_SOLUTE_ATOM: Final = 0.217
_PADDING_NM: Final = 1.2
_TIMESTEP_FS: Final = 4.0
_FS_PER_NS: Final = 1e6
_MS_PER_HOUR: Final = 3.6e6

# A protein and a ligand in solvent where not even their atoms are known.
_TYPICAL_COMPLEX_ATOMS: Final = 50_000.0
_TYPICAL_LIGAND_ATOMS: Final = 45.0

# What a step takes over one of the benchmark: latency, and work per atom of plain MD and of a hybrid system (soft core,
# exceptions, replica exchange, energies of all states). Medians of what is published for openfe on seven and on three
# GPU models, github.com/OpenFreeEnergy/performance_benchmarks; how far a system is from them, results teach.
_LATENCY_FACTOR: Final = 1.4
_PLAIN_WORK: Final = 1.5
_HYBRID_WORK: Final = 3.3
#: Classes of Protocols that transform nothing: openfe's `PlainMDProtocol` and others named like it.
_PLAIN_PROTOCOL: Final = re.compile(r"(Plain|Conventional|Classical)MD|^MD(Protocol)?$")
# Setting up, minimising, analysing: what a result takes besides its steps.
_OVERHEAD_GPU_HOURS: Final = 0.05
_OVERHEAD_CPU_HOURS: Final = 0.001
# Where not even the length of a simulation is known: a minute without a GPU, two hours with one.
_UNKNOWN_CPU_HOURS: Final = 1.0 / 60.0
_UNKNOWN_GPU_HOURS: Final = 2.0


@dataclass(frozen=True, slots=True)
class Derived:
    """What is made of the features, one entry per row.

    Attributes
    ----------
    rows : dict of str to ndarray
        Complete rows: every feature and string there.
    n_atoms : ndarray of float
        Atoms simulated, estimated where unknown.
    atoms_known : ndarray of bool
        Whether `n_atoms` was given, or the box or the solute's size from which they follow.
    atoms_guessed : ndarray of bool
        Whether not even the solute's atoms were given.
    steps : ndarray of float
        Steps of all windows and repeats; NaN where the simulated time is unknown.
    prior_log_hours : ndarray of float
        Natural logarithm of the hours physics expects (GPU-hours; worker-hours without a GPU).
    gpu_model : ndarray of str
        Name by which rows of one GPU model are pooled: the table's name where it is listed, else as given.
    gpu_sd_log : ndarray of float
        How far the table may be off for the row's GPU model, log standard deviation.
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
    """Give every row every feature.

    Parameters
    ----------
    rows : mapping, DataFrame or structured array
        Some of the features and strings, equally long, see `CostRows`.

    Returns
    -------
    dict of str to ndarray
        All of them; NaN and "" where nothing is known.

    Raises
    ------
    EstimatorInputError
        If there is no column, a name is unknown, lengths disagree, or a number is negative or infinite where it
        cannot be.
    """
    rows = _by_name(rows)
    for name in rows:
        if name not in FEATURES and name not in STRINGS:
            near = difflib.get_close_matches(name, [*FEATURES, *STRINGS], n=1)
            hint = f"did you mean {near[0]!r}?" if near else f"known are {', '.join([*FEATURES, *STRINGS])}"
            raise EstimatorInputError(f"cost rows have a column {name!r} that is no feature; {hint}", column=name)
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
    """Columns by name, however the rows came."""
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
    """Strings; what is missing is empty."""
    given = np.asarray(values)
    if given.dtype.kind == "O":
        given = np.array(["" if value is None or value != value else str(value) for value in given], dtype=np.str_)
    return given.astype(np.str_)


def solvated_atoms(
    n_solute_atoms: FloatArray, padding_nm: FloatArray, volume_factor: FloatArray, diameter_nm: FloatArray | None = None
) -> FloatArray:
    """Estimate how many atoms a solute has once it is solvated, by OpenMM's rule for the box.

    Parameters
    ----------
    n_solute_atoms : ndarray of float
        Atoms of the solute.
    padding_nm : ndarray of float
        Solvent between the solute and its next image, nm.
    volume_factor : ndarray of float
        Volume of the box over that of a cube as wide.
    diameter_nm : ndarray of float, optional
        Of the solute's bounding sphere, nm; what such solutes have where it is NaN or not given.

    Returns
    -------
    ndarray of float
        Atoms with solvent: good to 2 % where the diameter is known, else to some 20 %.

    References
    ----------
    `openmm.app.Modeller.addSolvent`: the box is as wide as the sphere and the padding, and twice the padding at least.
    """
    typical_nm = _DIAMETER_NM * np.cbrt(n_solute_atoms)
    sphere_nm = typical_nm if diameter_nm is None else np.where(np.isnan(diameter_nm), typical_nm, diameter_nm)
    edge_nm = np.maximum(sphere_nm + padding_nm, 2.0 * padding_nm)
    return np.maximum(_atoms_in(edge_nm, volume_factor, n_solute_atoms), n_solute_atoms)


def _atoms_in(edge_nm: FloatArray, volume_factor: FloatArray, n_solute_atoms: FloatArray) -> FloatArray:
    """Atoms that a box holds."""
    atoms: FloatArray = _ATOMS_PER_NM3 * volume_factor * edge_nm**3 - _LESS_PER_SOLUTE_ATOM * n_solute_atoms
    return atoms


def derive(rows: CostRows) -> Derived:
    """Complete rows and say what physics expects of them.

    Parameters
    ----------
    rows : mapping of str to array-like
        Features and strings, see `FEATURES` and `STRINGS`.

    Returns
    -------
    Derived
        Atoms, steps, and the prior's hours.

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
    """Atoms simulated, and where nothing at all was known of them."""
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
    """Whether the size of a solute of so many atoms is known."""
    measured: NDArray[np.bool_] = ~np.isnan(rows["solute_diameter_nm"]) & ~np.isnan(rows["n_solute_atoms"])
    return measured


def _physical_hours(
    rows: dict[str, NDArray],  # type: ignore[type-arg]
    n_atoms: FloatArray,
    steps: FloatArray,
) -> tuple[FloatArray, StringArray, FloatArray]:
    """Hours of the prior, pooled GPU model, and how far its speed may be off; by GPU model as there are few."""
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
    """Work of a step of each row's Protocol."""
    names, of_row = np.unique(protocol, return_inverse=True)
    work = np.array([_PLAIN_WORK if _PLAIN_PROTOCOL.search(str(name)) else _HYBRID_WORK for name in names])
    of_rows: FloatArray = work[of_row.ravel()]
    return of_rows


def _pooled_name(name: str, model: str, slices: float) -> str:
    """The table's name; slices of a card are a model of their own, and so is what the table does not have."""
    if model == unlisted().model:
        return " ".join(name.split()) or "unknown"
    return model if slices == 1.0 else f"{model} {slices:.2f} MIG"


def _check_range(name: str, values: FloatArray) -> None:
    """Refuse what no calculation has."""
    bad = np.isinf(values) | ((values < 0) if name not in ("charge_change", "mapping_score") else False)
    if bad.any():
        worst = values[bad][0]
        raise EstimatorInputError(
            f"feature {name} is {worst} in {int(bad.sum())} of {len(values)} rows; leave what is unknown NaN",
            feature=name,
        )
