"""Features of a calculation as columns of a linear model of log hours.

Owns the columns, their prior standard deviations, and the levels of pooled factors: Protocols, GPU models, their
pairs, groups and campaigns. `fit` fits the coefficients.

Every column is zero where the physical prior of `features` is right: the model learns the deviation from the prior,
and without results it predicts the prior.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from .features import Derived

__all__ = ["BLOCKS", "OF_GROUPS", "POOLED", "Design", "DesignColumns", "columns_of", "design"]

FloatArray = NDArray[np.float64]

# Zero of the columns: a solvated kinase with a drug-like ligand, 11 windows of 6 ns at 4 fs.
_REFERENCE_ATOMS: Final = 30_000.0
_REFERENCE_STEPS: Final = 1.65e7
_REFERENCE_LIGAND_ATOMS: Final = 40.0

#: Log of the atoms over the reference below which size does not matter: latency determines the time of a step.
_SMALLEST_SIZE: Final = -3.0

#: Prior standard deviation of the columns of a block (log hours per unit of the column), and the weight of that prior,
#: in columns, against results.
BLOCKS: Final[dict[str, tuple[float, float]]] = {
    "level": (0.6, 1.0),
    "size": (0.3, 2.0),
    "curvature": (0.1, 2.0),
    "chemistry": (0.1, 4.0),
    "phase": (0.3, 2.0),
    "phase size": (0.2, 2.0),
    "work": (0.1, 2.0),
    "packing": (0.3, 2.0),
    "unknown atoms": (0.25, 2.0),
    "protocol": (0.4, 3.0),
    "protocol size": (0.15, 3.0),
    "protocol work": (0.15, 3.0),
    "protocol phase": (0.15, 3.0),
    "protocol of unknown work": (2.0, 3.0),
    "gpu": (1.0, 6.0),
    "gpu size": (0.1, 4.0),
    "gpu curvature": (0.05, 4.0),
    "protocol and gpu": (0.1, 3.0),
    "protocol and gpu size": (0.05, 4.0),
    "group": (0.1, 4.0),
    "group complex": (0.1, 4.0),
    # Of one protein without coordinates, all boxes are misjudged alike: by a quarter of their atoms.
    "group box": (0.25, 4.0),
    # For one protein, published twice by the same group, hours of the complex leg differ by 12 % in the median.
    "campaign": (0.06, 4.0),
    "campaign complex": (0.1, 4.0),
}

#: Blocks of levels: an unseen level widens the interval by the block's standard deviation.
POOLED: Final = (
    "protocol",
    "protocol size",
    "protocol work",
    "protocol phase",
    "protocol of unknown work",
    "gpu",
    "gpu size",
    "gpu curvature",
    "protocol and gpu",
    "protocol and gpu size",
    "group",
    "group complex",
    "group box",
    "campaign",
    "campaign complex",
)

# Blocks that may be absent in a lake.
_OPTIONAL: Final = ("group", "campaign")
#: Blocks with one level per group.
OF_GROUPS: Final = ("group", "group complex", "group box")
# Blocks of which only the most frequent levels are kept.
_MANY_LEVELS: Final = (*OF_GROUPS, "campaign", "campaign complex")


@dataclass(frozen=True, slots=True)
class DesignColumns:
    """Columns of a model: block and level of each.

    Attributes
    ----------
    block : tuple of str
        Block, see `BLOCKS`.
    level : tuple of str
        Name within the block: of the column, or of the Protocol, GPU model or group.
    """

    block: tuple[str, ...]
    level: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Design:
    """Rows as a sparse matrix over some columns; for numpy and scikit-learn a dense one over the training columns.

    Attributes
    ----------
    matrix : scipy.sparse.csr_array, shape (n, p)
        One row per calculation.
    columns : DesignColumns
        Its columns.
    derived : Derived
        The rows.
    n_known : int
        Number of training columns, which come first; those after them are of unseen levels.
    """

    matrix: sparse.csr_array
    columns: DesignColumns
    derived: Derived
    n_known: int

    @property
    def shape(self) -> tuple[int, int]:
        """Return the numbers of rows and of training columns."""
        return self.matrix.shape[0], self.n_known

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> FloatArray:
        """Return the training columns."""
        return np.asarray(self.matrix[:, : self.n_known].toarray(), dtype=dtype)


def design(derived: Derived, columns: DesignColumns | None = None, *, most_levels: int = 200) -> Design:
    """Return the design of rows.

    Parameters
    ----------
    derived : Derived
        Rows.
    columns : DesignColumns, optional
        Known columns; levels that are not among them get columns after these. Default: all columns of the rows.
    most_levels : int
        Maximum number of groups and of campaigns with a column of their own, the most frequent first; without
        `columns`.

    Returns
    -------
    Design
        Matrix and columns.
    """
    pooled = [block for block in _OPTIONAL if _is_pooled(block, derived, columns)]
    entries: list[tuple[str, str | NDArray[np.str_], FloatArray]] = [*_fixed(derived), *_levels(derived, pooled)]
    found = dict.fromkeys(zip(columns.block, columns.level, strict=True)) if columns else {}
    index = {key: k for k, key in enumerate(found)}
    rows, cols, values = [], [], []
    for block, level, value in entries:
        there = value != 0.0
        if isinstance(level, str):
            names, of_row, count = np.array([level]), np.zeros(there.sum(), dtype=np.intp), np.array([there.sum()])
        else:
            names, of_row, count = np.unique(level[there], return_inverse=True, return_counts=True)
        kept = np.ones(len(names), dtype=bool)
        if block in _MANY_LEVELS and columns is None and len(names) > most_levels:
            kept[np.argsort(-count, kind="stable")[most_levels:]] = False
        position = np.full(len(names), -1)
        for k, name in enumerate(names):
            if kept[k]:
                position[k] = index.setdefault((block, str(name)), len(index))
        at = position[of_row.ravel()]
        rows.append(np.flatnonzero(there)[at >= 0])
        cols.append(at[at >= 0])
        values.append(value[there][at >= 0])
    matrix = sparse.csr_array(
        (np.concatenate(values), (np.concatenate(rows), np.concatenate(cols))),
        shape=(len(derived.n_atoms), len(index)),
    )
    laid_out = DesignColumns(tuple(key[0] for key in index), tuple(key[1] for key in index))
    return Design(matrix, laid_out, derived, len(columns.block) if columns else len(index))


def columns_of(rows_columns: DesignColumns, block: str) -> list[str]:
    """Return the levels of a block, in order.

    Parameters
    ----------
    rows_columns : DesignColumns
        Levels by block.
    block : str
        Name of the block.
    """
    return [level for of, level in zip(rows_columns.block, rows_columns.level, strict=True) if of == block]


def _size(derived: Derived) -> FloatArray:
    size: FloatArray = np.maximum(np.log(derived.n_atoms / _REFERENCE_ATOMS), _SMALLEST_SIZE)
    return size


def _fixed(derived: Derived) -> list[tuple[str, str, FloatArray]]:
    """Return the columns that every calculation has."""
    rows, n = derived.rows, len(derived.n_atoms)
    size = _size(derived)
    work = _log_or_zero(derived.steps / _REFERENCE_STEPS)
    ligand = np.where(np.isnan(rows["n_ligand_atoms"]), 2.0 * rows["n_ligand_heavy_atoms"], rows["n_ligand_atoms"])
    dummy = np.where(np.isnan(rows["n_dummy_heavy_atoms"]), rows["n_dummy_atoms"] / 2, rows["n_dummy_heavy_atoms"])
    complex_, solvent, vacuum = (np.nan_to_num(rows[name]) for name in ("is_complex", "is_solvent", "is_vacuum"))
    solute_share = _log_or_zero(rows["n_solute_atoms"] / derived.n_atoms / 0.1)
    return [
        ("level", "all", np.ones(n)),
        ("size", "atoms", size),
        ("curvature", "atoms squared", size**2),
        ("work", "steps", work),
        ("work", "windows", _log_or_zero(rows["n_windows"] / 11.0)),
        ("phase", "complex", complex_),
        ("phase", "solvent", solvent),
        ("phase", "vacuum", vacuum),
        ("phase size", "complex", complex_ * size),
        ("chemistry", "ligand atoms", _log_or_zero(ligand / _REFERENCE_LIGAND_ATOMS)),
        ("chemistry", "ligand atoms in solvent", solvent * _log_or_zero(ligand / _REFERENCE_LIGAND_ATOMS)),
        ("chemistry", "dummy atoms", np.nan_to_num(np.log1p(dummy) - np.log(8.0))),
        ("chemistry", "charge change", np.minimum(np.abs(np.nan_to_num(rows["charge_change"])), 2.0)),
        ("chemistry", "rings", np.log1p(np.nan_to_num(rows["ring_change"]))),
        ("chemistry", "mapping", np.clip(1.0 - np.nan_to_num(rows["mapping_score"], nan=1.0), 0.0, 1.0)),
        ("chemistry", "share of solute", complex_ * solute_share),
        ("packing", "side by side", _log_or_zero(np.maximum(rows["packing"], 1.0))),
        ("unknown atoms", "estimated", (~derived.atoms_known).astype(float)),
        ("unknown atoms", "guessed", 3.0 * derived.atoms_guessed.astype(np.float64)),
    ]


def _is_pooled(block: str, derived: Derived, columns: DesignColumns | None) -> bool:
    """Return whether a block is used: in training if any row has a level, later if training did."""
    return block in columns.block if columns else bool((derived.rows[block] != "").any())


def _levels(derived: Derived, pooled: list[str]) -> list[tuple[str, NDArray[np.str_], FloatArray]]:
    """Return the columns of pooled factors: one per level, zero for other levels."""
    rows, n = derived.rows, len(derived.n_atoms)
    size = _size(derived)
    protocol, gpu = rows["protocol"], derived.gpu_model
    without_steps = np.isnan(derived.steps)
    phase = np.nan_to_num(rows["is_complex"]) - np.nan_to_num(rows["is_solvent"])
    both = np.char.add(np.char.add(protocol, " on "), gpu) if n else protocol
    return [
        ("protocol", protocol, np.ones(n)),
        ("protocol size", protocol, size),
        ("protocol work", protocol, _log_or_zero(derived.steps / _REFERENCE_STEPS)),
        ("protocol phase", protocol, phase),
        ("protocol of unknown work", protocol, without_steps.astype(float)),
        # In units of the table's own error: an unlisted model may be off by more than a listed one.
        ("gpu", gpu, derived.gpu_sd_log),
        ("gpu size", gpu, size),
        ("gpu curvature", gpu, size**2),
        ("protocol and gpu", both, np.ones(n)),
        ("protocol and gpu size", both, size),
        # Rows without a level are treated as one level, so that their common error does not average out.
        *((block, rows[block], np.ones(n)) for block in pooled),
        # The differences between targets are in their complexes; the ligand in solvent does not depend on it.
        *((block, rows[of], value) for block, of, value in _in_complex(derived) if of in pooled),
    ]


def _in_complex(derived: Derived) -> list[tuple[str, str, FloatArray]]:
    """Return what groups and campaigns change in complex legs only: time of a step, and an estimated box."""
    bound: FloatArray = np.nan_to_num(derived.rows["is_complex"])
    return [
        ("group complex", "group", bound),
        ("group box", "group", bound * ~derived.atoms_known),
        ("campaign complex", "campaign", bound),
    ]


def _log_or_zero(ratio: FloatArray) -> FloatArray:
    """Return the logarithm; zero (the reference) where the ratio is unknown or zero."""
    known = np.isfinite(ratio) & (ratio > 0)
    log: FloatArray = np.log(np.where(known, ratio, 1.0))
    return log
