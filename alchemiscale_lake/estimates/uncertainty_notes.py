"""Notes about the uncertainties of a network: information from cycles, and its limits.

Owns the wording. The estimates are in `estimators.network.shared_error` and `estimators.network.cycle_closure`.
"""

from __future__ import annotations

import math
from typing import Final

import polars as pl

from ..estimators.network.cycle_closure import ClosureTest
from ..estimators.network.shared_error import SharedError
from ..estimators.notes import Note
from ..plurals import count

__all__ = ["conflicting_assays", "scaled_by_cycles", "shared_error", "unchecked"]

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
    columns = ("ligand", "value_kcal_mol", "uncertainty_kcal_mol", "lowest_kcal_mol", "highest_kcal_mol")
    for ligand, value, uncertainty, low, high in assays.select(columns).iter_rows():
        allowed = _CONFLICT_DEVIATIONS * math.sqrt(2.0) * (uncertainty or 0.0)
        if high - low > max(_CONFLICT_KCAL_MOL, allowed):
            message = (
                f"experimental values of {ligand} lie between {low:.2f} and {high:.2f} kcal/mol; the one entered last, "
                f"{value:.2f}, is used"
            )
            notes.append(Note("experiment-conflict", message, nodes=(ligand,)))
    return notes


def shared_error(shared: SharedError, closure: ClosureTest) -> Note:
    """Return the note on the error added to every edge because its repeats share it, and on the evidence."""
    added = f"{shared.added_kcal_mol:.2g} kcal/mol, which the repeats of an edge may share, is added to every edge"
    if not closure.degrees_of_freedom:
        message = (
            f"no cycle shows whether the repeats of an edge share an error: {added}, as published networks show "
            f"(95 % of such networks have less than {shared.high_kcal_mol:.2g}); edges that close cycles measure it"
        )
        return Note("shared-error", message)
    return Note("shared-error", f"{_misfit(closure)}: {added}")


def scaled_by_cycles(scale: float, closure: ClosureTest, *, unknown: bool) -> Note:
    """Return the note on the factor for stated uncertainties, or on uncertainties from cycles if none is stated."""
    if unknown:
        message = f"no result has an uncertainty: {scale:.2g} kcal/mol per edge is estimated from {_cycles(closure)}"
    else:
        message = f"{_misfit(closure)} and there are no repeats: stated uncertainties are scaled by {scale:.2g}"
    return Note("scaled-by-cycles", message)


def unchecked() -> Note:
    """Return the note that stated uncertainties of single results are neither contradicted nor confirmed."""
    message = (
        "no leg has repeats and no cycle closes, so stated uncertainties are not checked (errors of single published "
        "results were 3.6 times the stated ones); run repeats or add edges that close cycles"
    )
    return Note("uncertainty-unchecked", message)


def _misfit(closure: ClosureTest) -> str:
    return f"reduced chi-squared {closure.chi2 / closure.degrees_of_freedom:.2g} over {_cycles(closure)}"


def _cycles(closure: ClosureTest) -> str:
    return count(closure.degrees_of_freedom, "cycle")
