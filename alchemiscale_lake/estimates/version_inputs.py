"""Whether an estimate version is still current: a digest of all inputs it was computed from. Needs no estimator."""

from __future__ import annotations

import hashlib
import json
from typing import TYPE_CHECKING, Final

import polars as pl

if TYPE_CHECKING:
    from ..estimators.network.leg_uncertainties import LegRule

__all__ = ["inputs_digest"]

#: Version of the computation; raised when the same legs give other results, so that networks are recomputed.
_COMPUTATION: Final = 5


def inputs_digest(legs: pl.DataFrame, assays: pl.DataFrame, rule: LegRule) -> str:
    """Return the SHA-256 of all inputs of an estimate version: with equal digests, the result is the same.

    Parameters
    ----------
    legs : polars.DataFrame
        From `legs_to_compute.sql` for one network.
    assays : polars.DataFrame
        From `newest_assays.sql` for its Scope.
    rule : {"pooled", "larger", "own", "sem", "sd"}
    """
    of_legs = legs.drop("network", "attempts").sort("transformation").rows()
    ligands = [*legs["ligand_i"], *legs["ligand_j"]]
    measured = assays.drop("scope").filter(pl.col("ligand").is_in(ligands)).sort("ligand", "kind").rows()
    return hashlib.sha256(json.dumps([_COMPUTATION, rule, of_legs, measured]).encode()).hexdigest()
