"""Notes about the uncertainties of a network: information from cycles, and its limits.

Owns the wording. The estimates are in `estimators.network.shared_error` and `estimators.network.cycle_closure`.
"""

from __future__ import annotations

from ...plurals import count, verb
from ..notes import Note
from .cycle_closure import ClosureTest
from .shared_error import SharedError

__all__ = ["scaled_by_cycles", "shared_error", "unchecked"]


def shared_error(shared: SharedError, closure: ClosureTest) -> Note:
    """Return the note on the error added to every edge because its repeats share it, and on the evidence.

    Parameters
    ----------
    shared : SharedError
        Estimated shared error, kcal/mol.
    closure : ClosureTest
        Closure of the cycles without it.
    """
    added = f"{_short(shared.added_kcal_mol)} kcal/mol is added to the uncertainty of every edge"
    if not closure.degrees_of_freedom:
        message = (
            f"without cycles, an error that the repeats of an edge share cannot be seen: {added}, as estimated from "
            f"published networks (95 % of such networks have less than {_short(shared.high_kcal_mol)}); edges that "
            "close cycles measure it"
        )
        return Note("shared-error", message)
    return Note("shared-error", f"{_misfit(closure)}: {added}, an error that the repeats of an edge share")


def scaled_by_cycles(scale: float, closure: ClosureTest, *, unknown: bool) -> Note:
    """Return the note on the factor for stated uncertainties, or on uncertainties from cycles if none is stated.

    Parameters
    ----------
    scale : float
        Factor, as from `scale_from_cycles`.
    closure : ClosureTest
        Closure of the cycles without the factor.
    unknown : bool
        No result states an uncertainty.
    """
    if unknown:
        message = (
            f"no result has an uncertainty: {_short(scale)} kcal/mol per edge is estimated from {_cycles(closure)}"
        )
    else:
        message = f"{_misfit(closure)} and there are no repeats: stated uncertainties are scaled by {_short(scale)}"
    return Note("scaled-by-cycles", message)


def unchecked(closure: ClosureTest) -> Note:
    """Return the note that stated uncertainties of single results are neither contradicted nor confirmed.

    Parameters
    ----------
    closure : ClosureTest
        Closure of the cycles, which are too few to check them (`cycle_closure.too_few_to_check`).
    """
    n = closure.degrees_of_freedom
    which = (
        f"only {count(n, 'independent cycle')} {verb(n, 'closes', 'close')}, as by chance" if n else "no cycle closes"
    )
    message = (
        f"no leg has repeats and {which}, so stated uncertainties are not checked (errors of single published "
        "results were 3.6 times the stated ones, and 95 % intervals covered 47 %); run repeats or add edges that close "
        "cycles"
    )
    return Note("uncertainty-unchecked", message)


def _misfit(closure: ClosureTest) -> str:
    return f"reduced chi-squared {_short(closure.chi2 / closure.degrees_of_freedom)} over {_cycles(closure)}"


def _short(value: float) -> str:
    """Format a number with two significant figures; 310, not 3.1e+02."""
    return f"{float(f'{value:.2g}'):g}"


def _cycles(closure: ClosureTest) -> str:
    return count(closure.degrees_of_freedom, "cycle")
