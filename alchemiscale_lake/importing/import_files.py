"""Reading of result files for an import, and matching to Transformations.

Nothing is written here. Files whose content is already in the Scope are not parsed.
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path

import polars as pl

from .. import gufe_adapter
from ..errors import LakeError, ResultFileError
from ..ids import Scope
from ..networks import Network
from ..networks.chain import closure
from ..networks.facts import transformation_rows
from ..networks.imported import ResultFile, ResultRecord
from ..networks.nested import ObjectPool
from ..networks.reading import read_all
from ..networks.result_files import read_raw
from ..networks.result_matching import LegPlaces, described, stem
from ..networks.stored import read_objects
from ..statestore.calculations import KnownCalculations, key_map, network_calculations
from ..statestore.submit import read_chain
from ..store import Lake, collect, now_utc
from .import_batch import Batch, ImportReading, PlannedResult, SourceFile, imported_network_key, object_path

__all__ = ["FileImport", "ImportProgress"]

#: Called with the current step, the number of finished files, and the total.
ImportProgress = Callable[[str, int, int], None]


@dataclass(frozen=True, slots=True)
class _Read:
    """A file that was read, without its text."""

    path: Path
    digest: str
    n_bytes: int
    file: ResultFile
    at: datetime


class FileImport:
    """Reader of result files for one Scope.

    Parameters
    ----------
    lake : Lake
    scope : Scope
    name : str or None
        Network of the results, existing or new.
    network : Network or None
        Network of the results, if it was given as a file.
    processes : int
        Number of reading processes.
    """

    def __init__(
        self, lake: Lake, scope: Scope, name: str | None, network: Network | None, *, processes: int = 1
    ) -> None:
        self._lake = lake
        self._scope = scope
        self._name = name
        self._network = network
        self._processes = processes
        self._pool = ObjectPool()
        self._places = LegPlaces(self._pool)
        self._standing: str | None = None
        #: Stored Transformations by the keys of those that stand for them.
        self._stored: dict[str, str] = {}
        #: True if every file must belong to an existing Transformation.
        self._closed = network is not None

    def read(
        self, paths: Sequence[Path], reading: ImportReading, progress: ImportProgress, *, alone: bool = False
    ) -> None:
        """Read the files, and add their content to the reading.

        Parameters
        ----------
        paths : sequence of Path
        reading : ImportReading
        progress : callable
        alone : bool
            Whether the files were given one by one: a single one then gives its name to a new network.
        """
        found = self._read(paths, reading, progress)
        self._know_places()
        name = self._name or _common_name(paths, alone=alone)
        placed = [(self._with_estimate(one, key, reading), key) for one, key in self._place(found, name, reading)]
        made = list(self._places.made)
        source = str(paths[0] if len(paths) == 1 else paths[0].parent)
        batch = Batch(self._scope, self._standing, None, self._pool.objects, made, source=source)
        found_in = self._networks_of({key for _, key in placed})
        # with a name, everything imported becomes one network; without, results stay in existing networks
        batch.members = [key for key in dict.fromkeys(key for _, key in placed) if self._name or key not in found_in]
        reading.networks |= dict.fromkeys(network for key in sorted(found_in) for network in found_in[key])
        if batch.members and not self._closed:
            batch.name = name
            batch.network = f"{imported_network_key(batch.name)}-{self._scope}"
        for one, key in placed:
            stored_at = object_path(self._scope, one.digest, ".json")
            for record in one.file.results:
                identity = _identity(record, one.digest)
                batch.results.append(
                    PlannedResult(self._scope, key, identity, record, stored_at, one.at, one.file.on_gpu)
                )
            reading.sources.append(self._source(one, batch.network, stored_at))
        reading.batches.append(batch)

    def _source(self, one: _Read, network: str | None, stored_at: str) -> SourceFile:
        n_good = sum(record.ok for record in one.file.results)
        return SourceFile(
            scope=self._scope,
            network=network,
            path=one.path,
            digest=one.digest,
            n_bytes=one.n_bytes,
            format=one.file.format,
            protocol_qualname=one.file.protocol_qualname,
            object_path=stored_at,
            n_good=n_good,
            n_failed=len(one.file.results) - n_good,
        )

    # --- reading ----------------------------------------------------------------------------------

    def _read(self, paths: Sequence[Path], reading: ImportReading, progress: ImportProgress) -> list[_Read]:
        here = self._lake.table("imports").scan().filter(pl.col("scope") == str(self._scope))
        known = dict(collect(here.select("digest", "network"), "imports").iter_rows())
        found: list[_Read] = []
        for done, one in enumerate(read_all(paths, frozenset(known), processes=self._processes)):
            progress("read", done, len(paths))
            reading.n_files += 1
            for obj in one.objects:
                self._pool.take(obj)
            if one.problem is not None and one.unfinished:
                reading.left_out.append(one.problem)
            elif one.problem is not None:
                reading.bad.append((str(one.path), one.problem))
            elif one.digest in known:
                reading.n_known_files += 1
                network = known[one.digest]
                reading.networks |= {} if network is None else {network: None}
            elif one.file is not None and one.digest is not None:
                known[one.digest] = None
                found.append(_Read(one.path, one.digest, one.n_bytes, one.file, one.at))
        progress("read", len(paths), len(paths))
        return found

    # --- placing ----------------------------------------------------------------------------------

    def _know_places(self) -> None:
        """Load known Transformations into `LegPlaces`, and find the network of the results."""
        if self._network is not None:
            self._places.know(transformation_rows(self._network, self._scope, now_utc()), by_name=True)
            self._standing = f"{self._network.key}-{self._scope}"
            identities = network_calculations(self._network, self._scope)
            self._stored = self._unscoped(KnownCalculations.of(self._lake, self._scope).assign(identities))
            self._places.know_calculations(self._unscoped(identities))
            return
        here = pl.col("scope") == str(self._scope)
        rows = collect(self._lake.table("transformations").scan().filter(here), "Transformations")
        self._places.know(rows.to_dicts(), by_name=False)
        self._standing = self._find_standing()
        self._know_other_keys()
        if self._standing is None:
            return
        members = self._lake.table("network_members").scan().filter(here, pl.col("network") == self._standing)
        own = collect(members.select(transformation="member"), "members of networks")
        self._places.know(rows.join(own, on="transformation", how="semi").to_dicts(), by_name=True)
        # a network made by an import may grow; any other is fixed by its key
        self._closed = not self._standing.startswith(imported_network_key(self._name or ""))

    def _know_other_keys(self) -> None:
        """Load the calculations of the Scope, and what is known of Transformations that are stored under other keys."""
        known = KnownCalculations.of(self._lake, self._scope)
        self._places.know_calculations(self._unscoped(known.identities))
        self._stored = self._unscoped(known.stands_for)
        others = [key for key, stored in self._stored.items() if key != stored]
        if not others:
            return
        objects = read_objects(self._lake.table("gufe_objects").scan(), self._scope, others)
        found = [key for key in others if key in objects]
        rows = transformation_rows(described(objects, found), self._scope, now_utc())
        rows = [row | {"key": self._stored[row["key"]]} for row in rows]
        self._places.know(rows, by_name=False)
        own = key_map(self._lake, self._standing) if self._standing is not None else {}
        self._places.know([row for row in rows if row["transformation"] in own], by_name=True)

    def _unscoped(self, by_key: Mapping[str, str]) -> dict[str, str]:
        """Return a mapping with gufe keys for ScopedKeys of the Scope."""
        suffix = f"-{self._scope}"
        return {key.removesuffix(suffix): value.removesuffix(suffix) for key, value in by_key.items()}

    def _find_standing(self) -> str | None:
        """Return the ScopedKey of the Scope's network with this name."""
        if self._name is None:
            return None
        here = self._lake.table("networks").scan().filter(pl.col("scope") == str(self._scope))
        named = here.filter((pl.col("name") == self._name) | (pl.col("network") == self._name))
        found = collect(named.select("network"), "networks")["network"].to_list()
        if len(found) > 1:
            raise ResultFileError(
                f"{len(found)} networks in Scope {self._scope} have the name {self._name!r}; give the ScopedKey of "
                f"one of them: {', '.join(found)}",
                candidates=found,
            )
        return found[0] if found else None

    def _networks_of(self, keys: set[str]) -> dict[str, list[str]]:
        """Return the visible networks by Transformation; an interrupted import has none."""
        here = pl.col("scope") == str(self._scope)
        members = self._lake.table("network_members").scan().filter(here)
        seen = self._lake.table("networks").scan().filter(here).select("network")
        wanted = members.filter(pl.col("member").is_in([f"{key}-{self._scope}" for key in keys]))
        rows = collect(wanted.join(seen, on="network", how="semi").select("member", "network"), "members of networks")
        found: dict[str, list[str]] = {}
        for member, network in rows.sort("member", "network").iter_rows():
            found.setdefault(member.removesuffix(f"-{self._scope}"), []).append(network)
        return found

    def _place(self, found: Sequence[_Read], network: str, reading: ImportReading) -> list[tuple[_Read, str]]:
        """Find or create the Transformation of each file, starting with files that contain it.

        Parameters
        ----------
        network : str
            Name of the network that new Transformations are to belong to.
        """
        placed = []
        for one in sorted(found, key=lambda one: one.file.ends.content is None):
            ends, path = one.file.ends, str(one.path)
            key = self._places.find(ends, path, by_name=self._closed or ends.content is None)
            if key is None and ends.content is not None and not self._closed:
                key = self._places.make(ends)
            works = any(result.ok for result in one.file.results)
            if key is None and works and not self._closed:
                key = self._places.make_of_names(ends, path, network)
            if key is not None:
                placed.append((one, self._stored.get(key, key)))
            elif self._closed:
                why = f"{path}: belongs to no Transformation of {self._standing}; give its network"
                reading.bad.append((path, why))
            else:
                # if all repeats failed, openfe writes nothing that identifies them
                why = (
                    "it contains neither its systems nor, in the names of its units and its file, ligands and leg"
                    if works
                    else "it failed before naming its Transformation"
                )
                reading.left_out.append(f"{path}: skipped, {why}; give --network-file")
        return placed

    # --- estimates --------------------------------------------------------------------------------

    def _with_estimate(self, one: _Read, key: str, reading: ImportReading) -> _Read:
        """Compute the estimate of a ProtocolDAGResult with its Protocol, if it cannot be read."""
        result = one.file.results[0]
        if one.file.format != "protocol_dag_result" or not result.ok or result.estimate_kcal_mol is not None:
            return one
        try:
            transformation = gufe_adapter.loads_chain(self._chain_text(key))
            numbers = gufe_adapter.estimate(transformation, [gufe_adapter.loads_chain(read_raw(one.path).data)])
        except LakeError as e:
            reading.notes.append(f"{one.path}: stored without an estimate: {e.message}")
            return one
        value, uncertainty = numbers.value_kcal_mol, numbers.uncertainty_kcal_mol
        replicates = tuple(
            (repeat.value_kcal_mol, repeat.uncertainty_kcal_mol)
            for repeat in numbers.replicates
            if repeat.value_kcal_mol is not None
        )
        known = replace(result, estimate_kcal_mol=value, uncertainty_kcal_mol=uncertainty, replicates=replicates)
        return replace(one, file=replace(one.file, results=(known,)))

    def _chain_text(self, key: str) -> bytes:
        """Return the keyed chain of a Transformation: from this import, the given network, or the lake."""
        for objects in (self._pool.objects, self._network.objects if self._network else {}):
            if key in objects:
                chain = closure(objects, [key], "the import")
                return json.dumps([[obj.key, obj.keyed_dict] for obj in chain]).encode()
        return read_chain(self._lake, f"{key}-{self._scope}")


def _identity(record: ResultRecord, digest: str) -> str:
    """Return an identifier of the calculation that is the same in all its files.

    openfe numbers repeats, and gufe units, at random: these ids stay if a run is resumed. A repeat with only a
    counter, or a result without units, is identified by its file.
    """
    if len(record.label) > 9:
        return record.label
    named = [unit for unit in record.units if len(unit.unit.partition("-")[2]) >= 32]
    if not named:
        return f"{digest} {record.label}"
    latest = datetime.max.replace(tzinfo=UTC)
    first = min(named, key=lambda unit: (unit.started_at or latest, unit.unit))
    return f"{first.unit} {record.label}"


def _common_name(paths: Sequence[Path], *, alone: bool) -> str:
    """Return a name for a network of these files: that of a single file, else of their common folder."""
    if alone and len(paths) == 1:
        return stem(paths[0])
    folder = Path(os.path.commonpath([path.resolve().parent for path in paths]))
    return folder.name or "imported"
