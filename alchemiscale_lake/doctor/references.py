"""References between tables: every row that is named exists, and no key exists twice."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Final

import polars as pl

from ..plurals import part, verb
from ..schemas import TABLES
from ..store import Lake, collect
from .key_hashes import described, hash_of, keys_of, missing
from .lake_finding import REPAIR, SUBMIT_AGAIN, LakeFinding, Severity

__all__ = ["REFERENCES", "Reference", "check_keys", "check_references"]

CHECK: Final = "references"
_RESTORE: Final = "restore the table from a backup"
_FROM_RECEIPT: Final = f"`{REPAIR}` records it again if its receipt is in the lake; else {_RESTORE}"
_LOST: Final = f"`{REPAIR}` records its receipt; without one, restore the table 'results' from a backup"


@dataclass(frozen=True, slots=True)
class Reference:
    """A column that names rows of other tables.

    Attributes
    ----------
    table : str
    column : str
    to : tuple of str
        Tables and columns, as `table.column`, one of which has what is named.
    remedy : str
        What to do if none has it.
    severity : Severity, default Severity.DAMAGE
    in_scope : bool, default False
        The name is unique within its Scope only.
    where : polars.Expr, optional
        Rows that refer to something.
    named : polars.Expr, optional
        What the column refers to, if that is not its value.
    or_held : bool, default False
        The attempt may also be one that holds a claim now.
    """

    table: str
    column: str
    to: tuple[str, ...]
    remedy: str = _RESTORE
    severity: Severity = Severity.DAMAGE
    in_scope: bool = False
    where: pl.Expr | None = field(default=None, compare=False)
    or_held: bool = False

    @property
    def tables(self) -> set[str]:
        """Return all tables that it needs."""
        held = {"task_log"} if self.or_held else set()
        return {self.table, *(place.partition(".")[0] for place in self.to)} | held


_TRANSFORMATION: Final = ("transformations.transformation",)
_NETWORK: Final = ("networks.network",)
_ATTEMPT: Final = ("results.attempt", "attempt_ends.attempt")
_OBJECT: Final = ("gufe_objects.key",)

#: All references between tables.
REFERENCES: Final = (
    *(
        Reference("transformations", column, _OBJECT, SUBMIT_AGAIN, in_scope=True)
        for column in ("key", "state_a", "state_b", "protocol")
    ),
    Reference("gufe_objects", "refers_to", _OBJECT, SUBMIT_AGAIN, in_scope=True),
    Reference(
        "network_members",
        "member",
        _TRANSFORMATION,
        SUBMIT_AGAIN,
        where=pl.col("kind") == "transformation",
    ),
    Reference("network_members", "network", _NETWORK, f"it was interrupted: {SUBMIT_AGAIN}", Severity.NOTE),
    Reference("networks", "network", ("network_members.network",), SUBMIT_AGAIN, where=pl.col("n_transformations") > 0),
    Reference("calculations", "stands_for", _TRANSFORMATION, SUBMIT_AGAIN),
    Reference("tasks", "transformation", _TRANSFORMATION, SUBMIT_AGAIN),
    Reference("tasks", "extends", ("tasks.task",), f"`{REPAIR}`"),
    Reference("tasks", "task", ("task_log.task",), "nothing: it was never created", Severity.NOTE),
    Reference("task_log", "task", ("tasks.task",), f"`{REPAIR}`"),
    Reference("results", "task", ("tasks.task",), f"`{REPAIR}`"),
    Reference("results", "transformation", _TRANSFORMATION, SUBMIT_AGAIN),
    Reference("results", "host", ("hosts.host",), _FROM_RECEIPT),
    Reference("attempt_ends", "task", ("tasks.task",), f"`{REPAIR}`"),
    *(
        Reference(table, "attempt", _ATTEMPT, _LOST, or_held=True)
        for table in ("unit_results", "result_files", "refused_files", "replicates")
    ),
    Reference("result_estimates", "attempt", ("results.attempt",), _LOST),
    Reference("transformation_estimates", "transformation", _TRANSFORMATION, SUBMIT_AGAIN),
    *(
        Reference(table, "network", _NETWORK, SUBMIT_AGAIN)
        for table in ("network_log", "edge_estimates", "network_estimates", "network_findings", "strategy_rounds")
    ),
)


def check_references(lake: Lake, sound: Collection[str], tell: Callable[[str], None]) -> Iterator[LakeFinding]:
    """Yield references to rows that do not exist.

    Parameters
    ----------
    lake : Lake
    sound : collection of str
        Tables that can be read; references from and to others are left out.
    tell : callable
        Called with a line before each step.

    Raises
    ------
    StorageError
    """
    for reference in REFERENCES:
        if reference.tables <= set(sound):
            tell(f"references: {reference.table}.{reference.column}")
            found = _dangling(lake, reference)
            if found is not None:
                yield found


def check_keys(lake: Lake, sound: Collection[str], tell: Callable[[str], None]) -> Iterator[LakeFinding]:
    """Yield tables in which a key has more than one row.

    Parameters
    ----------
    lake : Lake
    sound : collection of str
        Tables that can be read.
    tell : callable
        Called with a line before each step.

    Raises
    ------
    StorageError
    """
    for name in sound:
        tell(f"keys: {name}")
        key = [pl.col(column).cast(pl.String).fill_null("") for column in TABLES[name].key]
        counted = lake.table(name).scan().select(rows=pl.len(), keys=hash_of(*key).n_unique())
        n_rows, n_keys = collect(counted, f"table '{name}'", streaming=True).row(0)
        if n_rows != n_keys:
            what = (
                f"{part(n_rows - n_keys, n_rows, 'row')} {verb(n_rows - n_keys, 'has', 'have')} the key of another row"
            )
            yield LakeFinding(Severity.DAMAGE, "keys", name, what, advice=_RESTORE)


def _dangling(lake: Lake, reference: Reference) -> LakeFinding | None:
    # what is referred to was written first, so a newer state of it has all
    frame = lake.table(reference.table).scan()
    if reference.where is not None:
        frame = frame.filter(reference.where)
    if reference.column == "refers_to":
        frame = frame.explode("refers_to", empty_as_null=True)
    scoped = ("scope",) if reference.in_scope else ()
    known = [_known(lake, place, scoped) for place in reference.to]
    if reference.or_held:
        held = [state.attempt for state in lake.task_log.states().running().values() if state.attempt is not None]
        known.append(keys_of(pl.LazyFrame({"attempt": held}, schema={"attempt": pl.String}), "attempt"))
    n, examples = missing(frame, [*scoped, reference.column], known, pl.col(reference.column))
    if not n:
        return None
    places = " or ".join(place.partition(".")[0] for place in reference.to)
    what = f"{described(n, 'row', examples)}; not in {places}"
    subject = f"{reference.table}.{reference.column}"
    return LakeFinding.advised(reference.severity, CHECK, subject, what, reference.remedy)


def _known(lake: Lake, place: str, scoped: Sequence[str]) -> pl.LazyFrame:
    table, _, column = place.partition(".")
    return keys_of(lake.table(table).scan(), *scoped, column).unique()
