"""What explains the free energies of ligands: their scale, and the notes of the solver in words for people."""

from __future__ import annotations

from typing import Final

import polars as pl

from ..ids import Scope

__all__ = ["ligand_notes", "notes_of", "scale_of"]

#: Codes of notes not shown: covered by the remark about the scale, or about the computation only.
_HIDDEN: Final = frozenset(
    {
        "absolute-results",
        "covariance-omitted",
        "disconnected",
        "expected-information",
        "experiment-missing",
        "experiment-pinned",
        "observed-information",
    }
)


def ligand_notes(known: pl.DataFrame) -> list[str]:
    """Return the scale of ligands with a value, and the notes that explain their numbers, as `gather` words them.

    Parameters
    ----------
    known : polars.DataFrame
        Rows of `ligand_ranking`.
    """
    return [scale_of(known), *notes_of(known)] if len(known) else []


def scale_of(known: pl.DataFrame, scope: Scope | None = None) -> str:
    """Return the scale of ligands with a value in one sentence.

    Parameters
    ----------
    known : polars.DataFrame
        Rows of `ligand_ranking`.
    scope : Scope, optional
        Scope of the network; if given, the sentence says how to import experimental values that are missing.
    """
    fixed = pl.col("notes").list.eval(pl.element().str.starts_with("absolute-results:")).list.any()
    scales = {
        "absolute: absolute results fix their zero": known.select(fixed.fill_null(False)).to_series(),
        "on the scale of experiment: their mean over measured ligands is that of the measurements": known["absolute"],
    }
    rest, found = pl.Series([True] * len(known)), []
    for text, applies in scales.items():
        if (rest & applies).any():
            found.append(text)
        rest &= ~applies
    if rest.any():
        assays = f" (import experimental values with `alchemiscale-lake assays FILE --scope {scope}`)"
        found.append(f"relative: their mean is zero{assays if scope else ''}")
    return f"values are {found[0]}" if len(found) == 1 else f"values of each part are {'; or '.join(found)}"


def notes_of(known: pl.DataFrame, only: frozenset[str] | None = None) -> list[str]:
    """Return the distinct notes about values and uncertainties, without their codes.

    Parameters
    ----------
    known : polars.DataFrame
        Rows of `ligand_ranking`.
    only : frozenset of str, optional
        Codes of the notes to return; default: all that explain the numbers.
    """
    notes = known["notes"].explode().drop_nulls().unique(maintain_order=True)
    coded = [(code, text) for code, _, text in (str(note).partition(": ") for note in notes)]
    return [text for code, text in coded if (code not in _HIDDEN if only is None else code in only)]
