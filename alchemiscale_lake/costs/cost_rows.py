"""Conversion of Transformations and hosts, as in the tables, to inputs of cost models.

Owns the mapping of columns to features. `estimators.cost.features` defines the features,
`cost_history` selects the results.
"""

from __future__ import annotations

from typing import Any, Final

import numpy as np
import polars as pl

from ..estimators.cost.features import CostRows

__all__ = ["CPU", "DIAMETER", "FEATURE_COLUMNS", "UNKNOWN_GPU", "cost_rows"]

#: Columns of `transformations` that affect cost.
FEATURE_COLUMNS: Final = (
    "phase",
    "protocol_qualname",
    "n_atoms_a",
    "n_atoms_b",
    "n_ligand_atoms_a",
    "n_ligand_atoms_b",
    "n_ligand_heavy_atoms_a",
    "n_ligand_heavy_atoms_b",
    "n_dummy_atoms",
    "n_dummy_heavy_atoms",
    "charge_change",
    "ring_change",
    "mapping_score",
    "simulated_ns",
    "n_windows",
    "n_repeats",
    "timestep_fs",
    "solvent_padding_nm",
    "box_shape",
    "explicit_solvent",
)
#: Additional column from `solute_diameters`.
DIAMETER: Final = "solute_diameter_nm"
#: Placeholders for the GPU model of results without GPU, and of unknown hosts.
CPU: Final = "cpu"
UNKNOWN_GPU: Final = "unknown"

#: Volume of a box relative to a cube of the same width.
_VOLUMES: Final = {"cube": 1.0, "dodecahedron": 0.7071, "octahedron": 0.7698}
_PHASES: Final = ("complex", "solvent", "vacuum")


def cost_rows(frame: pl.DataFrame) -> CostRows:
    """Make the rows for training or prediction.

    Parameters
    ----------
    frame : polars.DataFrame
        `FEATURE_COLUMNS`, the columns added by `cost_history.with_targets`, `gpu_model` (null: unknown) and `packing`
        (concurrent Tasks on the GPU; null: unknown); optionally the column of `solute_diameters`.
    """
    bare = (pl.col("phase") == "vacuum") | ~pl.col("explicit_solvent").fill_null(value=True)
    solute = pl.max_horizontal("n_atoms_a", "n_atoms_b")
    phase = [(pl.col("phase") == name).alias(f"is_{name}") for name in _PHASES]
    features = frame.select(
        n_atoms=pl.when(bare).then(solute),
        n_solute_atoms=solute,
        n_ligand_atoms=pl.max_horizontal("n_ligand_atoms_a", "n_ligand_atoms_b"),
        n_ligand_heavy_atoms=pl.max_horizontal("n_ligand_heavy_atoms_a", "n_ligand_heavy_atoms_b"),
        n_dummy_atoms="n_dummy_atoms",
        n_dummy_heavy_atoms="n_dummy_heavy_atoms",
        charge_change=pl.col("charge_change").abs(),
        ring_change="ring_change",
        mapping_score="mapping_score",
        simulated_ns="simulated_ns",
        n_windows="n_windows",
        n_repeats="n_repeats",
        timestep_fs="timestep_fs",
        padding_nm="solvent_padding_nm",
        solute_diameter_nm=DIAMETER if DIAMETER in frame.columns else pl.lit(None),
        box_volume_factor=pl.col("box_shape")
        .cast(pl.String)
        .replace_strict(_VOLUMES, default=None, return_dtype=pl.Float64),
        packing="packing",
    ).cast(pl.Float64)
    flags = frame.select(phase).cast(pl.Float64)
    rows: dict[str, np.ndarray[Any, Any]] = {
        name: features[name].fill_null(float("nan")).to_numpy() for name in features.columns
    }
    rows |= {name: flags[name].to_numpy() for name in flags.columns}
    rows["group"] = frame["system"].cast(pl.String).fill_null("").to_numpy()
    rows["campaign"] = frame["campaign"].to_numpy()
    rows["protocol"] = frame["protocol_qualname"].to_numpy()
    rows["gpu_model"] = frame["gpu_model"].cast(pl.String).fill_null(UNKNOWN_GPU).to_numpy()
    return rows
