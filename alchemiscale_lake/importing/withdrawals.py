"""Entry and withdrawal of experimental values: rows are appended, none is removed.

A value is withdrawn by a row of `assay_log`, and entered again by another. Which values are current is decided by the
named query `current_assays`. Files are read in `assays`.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import Any, Final

import polars as pl

from ..caller import Caller
from ..errors import NotFoundError
from ..ids import Scope
from ..query import ask, connect_for
from ..store import Lake, now_utc
from ..suggestions import did_you_mean

__all__ = ["current_assays", "enter_assays", "withdraw_assays"]

_KEY: Final = ("scope", "ligand", "kind", "value_kcal_mol", "source")


def current_assays(lake: Lake, scope: Scope | str | None = None, *, kind: str | None = None) -> pl.DataFrame:
    """Return the experimental values that are not withdrawn, with the columns of `assays`.

    Parameters
    ----------
    lake : Lake
    scope : Scope or str, optional
        Only of this Scope; in a pattern, `*` stands for any part.
    kind : str, optional
        `binding`, `hydration` or `direct`.
    """
    return ask(connect_for(lake, "current_assays"), "current_assays", scope=scope, kind=kind)


def enter_assays(
    lake: Lake, rows: Sequence[Mapping[str, Any]], *, caller: Caller, again: bool = True
) -> tuple[int, int]:
    """Append experimental values that the lake lacks, and enter withdrawn ones again.

    Parameters
    ----------
    lake : Lake
    rows : sequence of mapping
        Rows of `assays`.
    caller : Caller
        Recorded as the author.
    again : bool, default True
        Whether values that were withdrawn become current again.

    Returns
    -------
    n_entered : int
        Number of values that are now current and were not before.
    n_withdrawn : int
        Number of values that stay withdrawn.
    """
    if not rows:
        return 0, 0
    n_new = lake.table("assays").append_new(rows)
    if lake.table("assay_log").scan().head(1).collect().is_empty():
        return n_new, 0
    current = set(current_assays(lake).select(_KEY).iter_rows())
    withdrawn = [row for row in rows if tuple(row[name] for name in _KEY) not in current]
    if not again:
        return n_new, len(withdrawn)
    _log(lake, withdrawn, "entered", caller, None)
    return n_new + len(withdrawn), 0


def withdraw_assays(
    lake: Lake,
    scope: Scope | str,
    ligands: Collection[str] = (),
    *,
    kind: str | None = None,
    source: str | None = None,
    reason: str | None = None,
    caller: Caller | None = None,
) -> int:
    """Withdraw experimental values: they are kept in the lake, and no longer used.

    The next `gather` makes a new estimate version of the networks that used them. Importing a value again makes it
    current again.

    Parameters
    ----------
    lake : Lake
    scope : Scope or str
        Specific Scope of the values.
    ligands : collection of str
        Names of the ligands; all if empty, then with a source.
    kind : str, optional
        Only values of this kind: `binding`, `hydration` or `direct`.
    source : str, optional
        Only values of this source, such as the name of an imported file.
    reason : str, optional
        Free text, recorded in the log.
    caller : Caller, optional
        Default: the user of this process.

    Returns
    -------
    int
        Number of withdrawn values.

    Raises
    ------
    NotFoundError
        If a ligand, or the source, has no current value in the Scope. Nothing is written.
    InvalidScopeError
        If the Scope is malformed or has a wildcard.
    """
    scope = Scope.parse(scope).require_specific()
    caller = caller or Caller.this_user()
    caller.require("write", [scope])
    if not ligands and source is None:
        raise NotFoundError("nothing was withdrawn: name the ligands, or the source, whose values to withdraw")
    current = current_assays(lake, scope, kind=kind)
    if source is not None:
        _require([source], current["source"].to_list(), "of source", scope, kind)
        current = current.filter(pl.col("source") == source)
    _require(ligands, current["ligand"].to_list(), "of ligand", scope, kind)
    chosen = current.filter(pl.col("ligand").is_in(list(ligands))) if ligands else current
    _log(lake, chosen.rows(named=True), "withdrawn", caller, reason)
    return len(chosen)


def _require(names: Collection[str], known: Sequence[str], what: str, scope: Scope, kind: str | None) -> None:
    unknown = [name for name in names if name not in known]
    if unknown:
        of_kind = "" if kind is None else f" of kind {kind}"
        raise NotFoundError(
            f"{scope} has no experimental value{of_kind} {what} {unknown[0]!r}, so nothing was withdrawn"
            f"{did_you_mean(unknown[0], known) or f'; `alchemiscale-lake assays --scope {scope} --list` lists all'}",
            name=unknown[0],
        )


def _log(lake: Lake, rows: Sequence[Mapping[str, Any]], event: str, caller: Caller, reason: str | None) -> None:
    if rows:
        common = {"event": event, "actor": caller.name, "reason": reason, "at": now_utc()}
        lake.table("assay_log").append_new([{name: row[name] for name in _KEY} | common for row in rows])
