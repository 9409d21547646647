"""Matching of result files to Transformations.

By the keys of states, Protocol and mapping, which are derived from content; by the calculation, if the file contains
the systems themselves; otherwise by the names of Transformation, ligands and phase, if only one matches. An unmatched
file becomes a new Transformation, provided that it contains the systems themselves.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

from ..ids import Scope
from .calculation import Calculations
from .chain import ChainObject, closure
from .facts import transformation_rows
from .imported import Content, Ends
from .nested import ObjectPool, gufe_token
from .network import Network
from .table_objects import add_transformation

__all__ = ["LegPlaces", "described", "stem"]

_PHASES: Final = re.compile(r"(?<![a-z])(complex|solvent|vacuum)(?![a-z])")
_ANYWHERE: Final = Scope("org", "campaign", "project")


class LegPlaces:
    """Transformations that results may belong to.

    Parameters
    ----------
    pool : ObjectPool
        Contains the objects of files, and receives new Transformations.

    Attributes
    ----------
    made : dict of str to None
        Keys of the Transformations created here, in order.
    """

    def __init__(self, pool: ObjectPool) -> None:
        self._pool = pool
        self._keys: set[str] = set()
        self._by_content: dict[tuple[Any, ...], str] = {}
        self._by_states: dict[tuple[Any, ...], set[str]] = {}
        self._by_name: dict[str, set[str]] = {}
        self._by_ligands: dict[tuple[Any, ...], set[str]] = {}
        self._by_calculation: dict[str, str] = {}
        self._calculations = Calculations(pool.objects)
        self.made: dict[str, None] = {}

    def know(self, rows: Iterable[Mapping[str, Any]], *, by_name: bool) -> None:
        """Add rows of `transformations`.

        Parameters
        ----------
        rows : iterable of mapping of str to object
            Rows of `transformations`.
        by_name : bool
            Whether they may be found by name: within one network, but not among all of a Scope.
        """
        for row in rows:
            key = str(row["key"])
            self._keys.add(key)
            content = _content(row["state_a"], row["state_b"], row["protocol"], row["mappings"] or ())
            self._by_content.setdefault(content, key)
            if by_name:
                self._by_states.setdefault(content[:2], set()).add(key)
                self._by_name.setdefault(str(row["name"]), set()).add(key)
                ligands = (row["phase"], row["ligand_a_name"], row["ligand_b_name"])
                self._by_ligands.setdefault(ligands, set()).add(key)

    def know_calculations(self, identities: Mapping[str, str]) -> None:
        """Add Transformations by what they compute.

        Parameters
        ----------
        identities : mapping of str to str
            Calculations by key; of equal ones, the first is found.
        """
        for key, identity in identities.items():
            self._keys.add(key)
            self._by_calculation.setdefault(identity, key)

    def find(self, ends: Ends, source: str, *, by_name: bool) -> str | None:
        """Return the key of the Transformation that a file belongs to, None if unknown.

        Parameters
        ----------
        ends : Ends
            What the file says of its Transformation.
        source : str
            Name of the file, for the message.
        by_name : bool
            Whether names may decide if keys do not.
        """
        if ends.transformation in self._keys:
            return ends.transformation
        told = _content(ends.state_a, ends.state_b, ends.protocol, ends.mappings)
        found = self._by_content.get(told)
        if found is None and ends.content is not None:
            computed = self._calculations.of(_transformation(ends.content, None))
            found = self._by_content.get(_content(*ends.content)) or self._by_calculation.get(computed)
        named = stem(source).removesuffix("_results")
        if found is not None or named in self._keys:
            return found or named
        if not by_name:
            return None
        states = told[:2] if ends.content is None else ends.content[:2]
        return (
            _sole(self._by_states.get(told[:2]))
            or _sole(self._by_states.get(states))
            or _sole(self._by_name.get(named))
            or _sole(self._by_name.get(Path(source).parent.name))
            or _sole(self._by_ligands.get(self._ligands(ends, source)))
        )

    def make(self, ends: Ends) -> str:
        """Create a Transformation from the objects in a file, and return its key."""
        assert ends.content is not None
        row = self._row(_transformation(ends.content, None))
        name = row["name"]
        if row["ligand_a_name"] is not None and ends.content.state_b is not None:
            name = f"{row['ligand_a_name']}_{row['ligand_b_name'] or 'none'}_{row['phase']}"
        made = _transformation(ends.content, name)
        self._pool.take(made)
        self.made[made.key] = None
        self.know([{**row, "key": made.key, "name": name}], by_name=True)
        if ends.state_a is not None:  # files of failures contain only these keys
            told = {"state_a": ends.state_a, "state_b": ends.state_b, "protocol": ends.protocol}
            self.know([{**row, **told, "mappings": ends.mappings, "key": made.key, "name": name}], by_name=True)
        return made.key

    def make_of_names(self, ends: Ends, source: str, network: str) -> str | None:
        """Make a Transformation of the names of ligands and leg, and return its key; None if those are not known.

        openfe wrote files without the systems themselves until 2023.

        Parameters
        ----------
        ends : Ends
            What the file says of its Transformation.
        source : str
            Name of the file, for the message.
        network : str
            Name of the network: ligands of one name in two networks are not taken for one another.
        """
        phase = _phase(source)
        if ends.ligands is None or phase is None or ends.ligands[0] == ends.ligands[1]:
            return None
        key = add_transformation(self._pool, network, ("", *ends.ligands, phase), None)
        self.made[key] = None
        return key

    def _ligands(self, ends: Ends, source: str) -> tuple[Any, Any, Any]:
        if ends.content is not None:
            row = self._row(_transformation(ends.content, None))
            return row["phase"], row["ligand_a_name"], row["ligand_b_name"]
        return (_phase(source), *(ends.ligands or (None, None)))

    def _row(self, transformation: ChainObject) -> dict[str, Any]:
        network = described({**self._pool.objects, transformation.key: transformation}, [transformation.key])
        return transformation_rows(network, _ANYWHERE, datetime.now(UTC))[0]


def _content(state_a: Any, state_b: Any, protocol: Any, mappings: Iterable[str]) -> tuple[Any, ...]:
    return state_a, state_b, protocol, *sorted(mappings)


def _transformation(content: Content, name: str | None) -> ChainObject:
    def refer(key: str) -> dict[str, str]:
        return {":gufe-key:": key}

    fields: dict[str, Any] = {"protocol": refer(content.protocol), "name": name}
    if content.state_b is None:
        fields |= {"system": refer(content.state_a), "__qualname__": "NonTransformation"}
    else:
        mappings = [refer(key) for key in content.mappings]
        fields |= {
            "stateA": refer(content.state_a),
            "stateB": refer(content.state_b),
            "mapping": mappings[0] if len(mappings) == 1 else mappings or None,
            "__qualname__": "Transformation",
        }
    fields |= {"__module__": "gufe.transformations.transformation", ":version:": 1}
    needed = [key for key in (content.state_a, content.state_b, content.protocol, *content.mappings) if key is not None]
    key = f"{fields['__qualname__']}-{gufe_token(fields)}"
    return ChainObject(key, fields, json.dumps(fields), tuple(dict.fromkeys(needed)))


def described(objects: Mapping[str, ChainObject], transformations: Sequence[str]) -> Network:
    """Return Transformations with their dependencies as a `Network`, the input of the row functions.

    Parameters
    ----------
    objects : mapping of str to ChainObject
        Objects by gufe key.
    transformations : sequence of str
        gufe keys.
    """
    needed = {obj.key: obj for obj in closure(objects, transformations, "the files")}
    systems = sorted(k for k, obj in needed.items() if isinstance(obj.keyed_dict.get("components"), dict))
    return Network(
        objects=needed,
        key="",
        name=None,
        transformations=tuple(sorted(transformations)),
        systems=tuple(systems),
        source="the files",
    )


def _sole(keys: set[str] | None) -> str | None:
    return next(iter(keys)) if keys is not None and len(keys) == 1 else None


def _phase(source: str) -> str | None:
    """Return the phase that a file's name has, else that of its folder."""
    for name in (stem(source), Path(source).parent.name):
        phases = set(_PHASES.findall(name.lower()))
        if phases:
            return phases.pop() if len(phases) == 1 else None
    return None


def stem(source: str | Path) -> str:
    """Return the name of a result file without its suffixes."""
    name = Path(source).name
    for suffix in (".gz", ".zst", ".json"):
        name = name.removesuffix(suffix)
    return name
