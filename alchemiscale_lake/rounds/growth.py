"""Growth of a living network by design files: each content of a file once, whoever looks and whatever is killed.

A living network is a name in a Scope. What it is at a time is a network like any other; growing submits a superset of
it, which keeps every Transformation, Task and result, and succeeds it (`succession`). The superset is submitted before
the pick-up is recorded, by compare-and-swap. So a file whose pick-up is recorded is in the network, and one whose
pick-up is not is found again by the next run.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, Final

import polars as pl

from ..caller import Caller
from ..errors import AmbiguousScopeError, CommitConflictError, InvalidNetworkError, StorageError
from ..faults import fault_point
from ..ids import Scope, ScopedKey
from ..networks import Network, parse_chain
from ..networks.chain import index_chain
from ..networks.network import is_network, network_of
from ..statestore.network_state import set_network_state
from ..statestore.submit import Lineage, check_submission, read_chain, store_network
from ..store import Lake, NetworkState, collect
from .design_history import DesignHistory, record_pickup
from .design_source import DesignFile, DesignSource
from .succession import hand_over

__all__ = ["DesignGrowth", "grow_network", "living_network"]

_TRIES: Final = 10
#: What to do about a file that is left out.
_NEXT: Final = {
    "refused": "Replace the file; its new content is picked up at the next run.",
    "waiting": "Install it where living networks grow; the file is picked up at the next run.",
}


@dataclass(frozen=True, slots=True)
class DesignGrowth:
    """Outcome of looking for design files.

    Attributes
    ----------
    network : str or None
        ScopedKey of what the living network is now; None if there is nothing in it yet.
    grown, known, refused, waiting, changed : tuple of str
        Paths of the files by which it grew, of those that it had all of, of those that are refused since now, of those
        that wait since now for a package to be installed, and of those that had another content before.
    reasons : tuple of str
        Why files are refused or wait, in the order of `refused` and `waiting`.
    n_new_transformations : int
    n_unsettled : int
        Number of files that were changed so recently that they wait for the next run.
    paused : bool
        Whether nothing was picked up, because the network is not active.
    note : str or None
        Why reasons could not be written beside refused files.
    """

    network: str | None
    grown: tuple[str, ...] = ()
    known: tuple[str, ...] = ()
    refused: tuple[str, ...] = ()
    waiting: tuple[str, ...] = ()
    changed: tuple[str, ...] = ()
    reasons: tuple[str, ...] = ()
    n_new_transformations: int = 0
    n_unsettled: int = 0
    paused: bool = False
    note: str | None = None


def living_network(lake: Lake, scope: Scope | str, name: str) -> str | None:
    """Return the ScopedKey of what a living network is now, None if there is nothing in it yet.

    Before its first growth, it is the network with its name.

    Parameters
    ----------
    lake : Lake
    scope : Scope or str
        Specific Scope, without wildcards.
    name : str
        Name of the living network.

    Raises
    ------
    AmbiguousScopeError
        If several networks have the name, and none has grown.
    """
    scope = Scope.parse(scope).require_specific()
    return _current(lake, scope, name, DesignHistory.of(lake, scope, name))


def grow_network(
    lake: Lake,
    source: str,
    scope: Scope | str,
    name: str,
    *,
    caller: Caller,
    settle_s: float = 60.0,
    retry_refused: bool = False,
) -> DesignGrowth:
    """Pick up new and changed design files, and grow a living network by them.

    A file is a network or a Transformation, as written by openfe. Nothing is ever removed from the network.

    Parameters
    ----------
    lake : Lake
    source : str
        Folder, or URL of a prefix in a bucket, with all that is below it.
    scope : Scope or str
        Specific Scope, without wildcards.
    name : str
        Name of the living network.
    caller : Caller
        Recorded as the author; needs the right to do this in the Scopes concerned.
    settle_s : float, default 60
        Age from which a file in a folder is taken to be complete.
    retry_refused : bool, default False
        Read refused files again although they have not changed.

    Raises
    ------
    NotFoundError
        If there is no such folder.
    AmbiguousScopeError
        If several networks have the name, and none has grown.
    StorageError, CommitConflictError
    """
    scope = Scope.parse(scope).require_specific()
    caller.require("write", [scope])
    folder = DesignSource(source, settle_s=settle_s)
    submitted: set[str] = set()
    for _ in range(_TRIES):
        history = DesignHistory.of(lake, scope, name)
        network = _current(lake, scope, name, history)
        if network is not None:
            # what a killed run left over
            for older in history.versions:
                if older != network:
                    hand_over(lake, older, network, caller=caller)
            if lake.network_log.states().get(network, NetworkState()).state != "active":
                return DesignGrowth(network, n_unsettled=folder.n_unsettled, paused=True)
        growth = _grown(lake, folder, scope, name, history, network, submitted, caller, retry_refused=retry_refused)
        if growth is not None:
            _withdraw(lake, scope, name, submitted, caller)
            return replace(growth, n_unsettled=folder.n_unsettled, note=_set_aside(lake, folder, scope, name))
    raise CommitConflictError(f"others kept growing {name} in Scope {scope}; try again", name=name)


def _grown(
    lake: Lake,
    folder: DesignSource,
    scope: Scope,
    name: str,
    history: DesignHistory,
    network: str | None,
    submitted: set[str],
    caller: Caller,
    *,
    retry_refused: bool,
) -> DesignGrowth | None:
    """Grow by the files that are new in the light of a history; return None if others were faster.

    Networks that are submitted are added to `submitted`.
    """
    files = _new_files(folder, history, retry_refused=retry_refused)
    if not files:
        return DesignGrowth(network)
    fault_point("growth:files-read")
    before = None if network is None else _stored(lake, network)
    superset, files = _joined(lake, before, files, scope, name)
    known = frozenset() if before is None else frozenset(before.transformations)
    after = network
    if superset is not None and set(superset.transformations) - known:
        made = None if network is None else Lineage("extend", (network,))
        after = store_network(lake, superset, scope, name=name, caller=caller, lineage=made).network
        submitted.add(after)
    fault_point("growth:submitted")
    rows = [_row(file, known, history.latest(folder.url).get(file.path), network, after) for file in files]
    if not record_pickup(lake, scope, name, folder.url, rows, after=history.pickup, caller=caller):
        return None
    fault_point("growth:recorded")
    if network is not None and after is not None and after != network:
        hand_over(lake, network, after, caller=caller)

    def paths(outcome: str) -> tuple[str, ...]:
        return tuple(row["path"] for row in rows if row["outcome"] == outcome)

    return DesignGrowth(
        after,
        paths("grown"),
        paths("known"),
        paths("refused"),
        paths("waiting"),
        changed=tuple(row["path"] for row in rows if row["replaces"] is not None),
        reasons=tuple(row["reason"] for outcome in _NEXT for row in rows if row["outcome"] == outcome),
        n_new_transformations=0 if superset is None else len(set(superset.transformations) - known),
    )


def _current(lake: Lake, scope: Scope, name: str, history: DesignHistory) -> str | None:
    if history.versions:
        return history.versions[-1]
    rows = lake.table("networks").scan().filter((pl.col("scope") == str(scope)) & (pl.col("name") == name))
    found = collect(rows.select("network"), "networks")["network"].sort().to_list()
    states = lake.network_log.states()
    found = [network for network in found if states.get(network, NetworkState()).state == "active"] or found
    if len(found) > 1:
        raise AmbiguousScopeError(
            f"{len(found)} networks of Scope {scope} have the name {name!r}: {', '.join(found)}; a living network "
            "grows from one: set the others inactive with `alchemiscale-lake networks set-state`",
            candidates=found,
        )
    return found[0] if found else None


def _new_files(folder: DesignSource, history: DesignHistory, *, retry_refused: bool) -> list[DesignFile]:
    """Read files that were never picked up, or whose content has changed; an unchanged size and time spare reading."""
    latest, found = history.latest(folder.url), []
    for info in folder.files:
        last = latest.get(info.path)
        waited = last is not None and last["outcome"] == "waiting"
        again = waited or (last is not None and last["outcome"] == "refused" and retry_refused)
        as_before = last is not None and (last["n_bytes"], last["modified_at"]) == (info.n_bytes, info.modified_at)
        if as_before and not again:
            continue
        file = folder.read(info)
        if file is None:
            continue
        is_same = last is not None and last["digest"] == file.digest
        if not is_same or (again and not (waited and file.is_waiting)):
            found.append(file)
    return found


def _stored(lake: Lake, network: str) -> Network:
    """Return a stored network with all of its objects."""
    key, source = str(ScopedKey.from_str(network).gufe_key), f"the network {network}"
    return network_of(parse_chain(read_chain(lake, network).decode(), source), [key], source)


def _joined(
    lake: Lake, before: Network | None, files: Sequence[DesignFile], scope: Scope, name: str
) -> tuple[Network | None, list[DesignFile]]:
    """Return the network with the files, one after the other, and the files, of which some may be refused now."""
    whole, judged = before, []
    for file in files:
        if file.network is not None:
            try:
                check_submission(lake, file.network, scope)
                whole = _union(whole, file.network, name)
            except InvalidNetworkError as e:
                file = replace(file, network=None, reason=str(e))
        judged.append(file)
    return whole, judged


def _union(one: Network | None, other: Network, name: str) -> Network:
    """Return the network of the Transformations of both; raise if they contradict each other."""
    parts = [other] if one is None else [one, other]
    objects = [obj for part in parts for obj in part.objects.values() if not is_network(obj)]
    if one is not None and set(other.transformations) <= set(one.transformations):
        index_chain(objects, other.source)
        return one
    roots = sorted({key for part in parts for key in part.transformations})
    versions = [part.gufe_version for part in parts if part.gufe_version is not None]
    return network_of(objects, roots, other.source, name=name, gufe_version=versions[-1] if versions else None)


def _row(
    file: DesignFile, known: frozenset[str], last: dict[str, Any] | None, before: str | None, after: str | None
) -> dict[str, Any]:
    own = None if file.network is None else set(file.network.transformations)
    n_new = None if own is None else len(own - known)
    return {
        "path": file.path,
        "digest": file.digest,
        "n_bytes": file.n_bytes,
        "modified_at": file.modified_at,
        "replaces": None if last is None or last["digest"] == file.digest else last["digest"],
        "outcome": _left_out(file) if own is None else "grown" if n_new else "known",
        "reason": file.reason,
        "n_transformations": None if own is None else len(own),
        "n_new": n_new,
        "network": None if own is None else after,
        "grown_from": before if n_new and before != after else None,
    }


def _left_out(file: DesignFile) -> str:
    return "waiting" if file.is_waiting else "refused"


def _withdraw(lake: Lake, scope: Scope, name: str, submitted: set[str], caller: Caller) -> None:
    """Set networks inactive that were submitted in vain, because others grew the living network meanwhile."""
    vain = sorted(submitted - set(DesignHistory.of(lake, scope, name).versions))
    if vain:
        set_network_state(lake, vain, "inactive", caller=caller, reason=f"others have grown {name} meanwhile")


def _set_aside(lake: Lake, folder: DesignSource, scope: Scope, name: str) -> str | None:
    """Bring the reasons beside files that are left out up to date; return why that was not possible, if so."""
    latest = DesignHistory.of(lake, scope, name).latest(folder.url)
    left_out = {
        path: f"{row['reason']}\n\n{_NEXT[row['outcome']]}\n" for path, row in latest.items() if row["outcome"] in _NEXT
    }
    try:
        folder.set_aside(left_out)
    except StorageError as e:
        return str(e)
    return None
