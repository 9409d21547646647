"""Digest of all inputs of an estimate version, from which it is known to be current. Needs no estimator."""

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


def inputs_digest(legs: pl.DataFrame, assays: pl.DataFrame, links: pl.DataFrame, rule: LegRule) -> str:
    """Return the SHA-256 of all inputs of an estimate version: with equal digests, the result is the same.

    Parameters
    ----------
    legs : polars.DataFrame
        From `legs_to_compute.sql` for one network.
    assays : polars.DataFrame
        From `newest_assays.sql` for its Scope.
    links : polars.DataFrame
        From `current_links` for its Scope.
    rule : {"pooled", "larger", "own", "sem", "sd"}
    """
    of_legs = legs.drop("network", "attempts").sort("transformation").rows()
    known = {*legs["ligand_i"], *legs["ligand_j"]}

    def is_node(name: str) -> bool:
        # nodes are named like ligands, or `ligand in environment`
        return name in known or name.rpartition(" in ")[0] in known

    values = assays.drop("scope").sort("ligand", "kind")
    measured = [row for ligand, row in zip(values["ligand"], values.iter_rows(), strict=True) if is_node(ligand)]
    columns = ("kind", "ligand_i", "ligand_j", "value_kcal_mol", "uncertainty_kcal_mol")
    rows = links.select(columns).sort(columns[:3]).iter_rows()
    declared = [row for row in rows if is_node(row[1]) and is_node(row[2])]
    # without links as before there were any, so that nothing is computed again
    inputs = [_COMPUTATION, rule, of_legs, measured, *([declared] if declared else [])]
    return hashlib.sha256(json.dumps(inputs).encode()).hexdigest()
