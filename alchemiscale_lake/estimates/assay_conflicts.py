"""Notes about experimental values that disagree."""

from __future__ import annotations

from typing import Final

import polars as pl

from ..estimators.notes import Note

__all__ = ["conflicting_assays"]

#: Values of one ligand that differ by less, or by less than their uncertainties allow, are not called conflicting.
_CONFLICT_KCAL_MOL: Final = 0.3
_CONFLICT_DEVIATIONS: Final = 1.96


def conflicting_assays(assays: pl.DataFrame) -> list[Note]:
    """Note each ligand with several experimental values that disagree.

    Parameters
    ----------
    assays : polars.DataFrame
        As `newest_assays.sql` answers, of one kind.
    """
    if "lowest_kcal_mol" not in assays.columns:
        return []
    notes = []
    columns = ("ligand", "value_kcal_mol", "extremes_uncertainty_kcal_mol", "lowest_kcal_mol", "highest_kcal_mol")
    for ligand, value, uncertainty, low, high in assays.select(columns).iter_rows():
        allowed = _CONFLICT_DEVIATIONS * uncertainty
        if high - low > max(_CONFLICT_KCAL_MOL, allowed):
            message = (
                f"experimental values of {ligand} lie between {low:.2f} and {high:.2f} kcal/mol; the one entered last, "
                f"{value:.2f}, is used"
            )
            notes.append(Note("experiment-conflict", message, nodes=(ligand,)))
    return notes
