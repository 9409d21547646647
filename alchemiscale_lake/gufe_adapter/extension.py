"""Extension of an AlchemicalNetwork by ligands: a planner proposes edges, and every edge gets the legs of the others.

A *leg* is what Transformations share apart from their ligands: the other components and the Protocol. A new edge gets
one Transformation per leg. Existing objects are used as they are, so the new network contains the old one.
"""

from __future__ import annotations

import importlib
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ..errors import InvalidNetworkError, MissingDependencyError
from ..python_files import is_file_object, list_of_own, load_file_object, load_module_object

__all__ = ["Planner", "extended_network", "konnektor_planner", "load_planner", "read_ligands"]

#: Given the ligands of a network, its atom mappings and new ligands, returns new edges: atom mappings, or pairs of
#: ligands where the Protocol needs no mapping. Every new ligand must have one.
Planner = Callable[[Sequence[Any], Sequence[Any], Sequence[Any]], Iterable[Any]]


def read_ligands(path: str | Path) -> list[Any]:
    """Return the molecules of an SDF file as SmallMoleculeComponents, named by their titles.

    Raises
    ------
    InvalidNetworkError
        If the file has no molecule, or one that RDKit cannot read, or one without a name.
    """
    gufe, chem = _module("gufe", "gufe"), _module("rdkit.Chem", "rdkit")
    if not Path(path).is_file():
        raise InvalidNetworkError(f"{path}: there is no such file; give an SDF file of ligands", source=str(path))
    found = []
    supplier = chem.SDMolSupplier()
    text = Path(path).read_text(encoding="utf-8", errors="replace")
    supplier.SetData(text, removeHs=False)
    for number, molecule in enumerate(supplier if text.strip() else [], 1):
        name = "" if molecule is None or not molecule.HasProp("_Name") else molecule.GetProp("_Name").strip()
        if not name:
            why = "cannot be read" if molecule is None else "has no name: give it one in its first line"
            raise InvalidNetworkError(f"{path}: molecule {number} {why}", source=str(path))
        found.append(gufe.SmallMoleculeComponent.from_rdkit(molecule, name=name))
    if not found:
        raise InvalidNetworkError(f"{path}: there is no molecule in it; give an SDF file of ligands", source=str(path))
    return found


def extended_network(network: Any, ligands: Sequence[Any], planner: Planner, *, name: str) -> tuple[Any, list[str]]:
    """Return a network with more ligands, and the names of the new ones.

    Parameters
    ----------
    network : AlchemicalNetwork
        Its Transformations change one component each.
    ligands : sequence of Component
        New ligands; those that the network has are left out.
    planner : callable
        See `Planner`.
    name : str
        Name of the new network.

    Raises
    ------
    InvalidNetworkError
        If no ligand is new, one has the name of another one, the network has no leg to repeat, or the planner leaves
        out a ligand or names an unknown one.
    """
    edges = sorted(network.edges, key=lambda edge: str(edge.key))
    changes = [change for edge in edges if (change := _change_of(edge)) is not None]
    if not changes:
        raise InvalidNetworkError(
            f"no Transformation of {network.name or network.key} changes one component, so it is unknown which legs "
            "new edges need; make the network with its planner, and submit it",
            network=str(network.key),
        )
    known = {str(one.key): one for change in changes for one in (change.ligand_a, change.ligand_b)}
    new = {str(one.key): one for one in ligands if str(one.key) not in known}
    _check_names(known.values(), new.values(), n_given=len(ligands))
    mappings = {(str(m.componentA.key), str(m.componentB.key)): m for change in changes for m in change.mappings}
    planned = list_of_own(planner, list(known.values()), list(mappings.values()), list(new.values()), role="planner")
    ends = [_ends(edge, known | new) for edge in planned]
    lonely = sorted(one.name for key, one in new.items() if not any(key in pair for pair in ends))
    if lonely:
        raise InvalidNetworkError(f"the planner gave no edge to {', '.join(lonely)}", ligands=lonely)
    legs = _Legs(changes)
    added = [
        transformation
        for edge, (a, b) in zip(planned, ends, strict=True)
        if a in new or b in new
        for transformation in legs.transformations((known | new)[a], (known | new)[b], edge)
    ]
    return type(network)([*edges, *added], name=name), [one.name for one in new.values()]


# --- legs -------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class _Change:
    """A Transformation that changes one component."""

    edge: Any
    label: str
    ligand_a: Any
    ligand_b: Any

    @property
    def leg(self) -> tuple[tuple[str, str], ...]:
        """Return what identifies its leg: the components other than the ligand."""
        others = {label: c for label, c in self.edge.stateA.components.items() if label != self.label}
        return (("", self.label), *sorted((label, str(c.key)) for label, c in others.items()))

    @property
    def mappings(self) -> list[Any]:
        given = getattr(self.edge, "mapping", None)
        found = given.values() if isinstance(given, dict) else given if isinstance(given, (list, tuple)) else [given]
        return [mapping for mapping in found if mapping is not None]


def _change_of(edge: Any) -> _Change | None:
    if not hasattr(edge, "stateA"):
        return None
    a, b = edge.stateA.components, edge.stateB.components
    changed = [label for label in a.keys() | b.keys() if a.get(label) != b.get(label)]
    if len(changed) != 1 or changed[0] not in a or changed[0] not in b:
        return None
    return _Change(edge, changed[0], a[changed[0]], b[changed[0]])


class _Legs:
    """The legs of a network, and its ChemicalSystems by leg and ligand."""

    def __init__(self, changes: Sequence[_Change]) -> None:
        self._templates: dict[Any, _Change] = {}
        self._systems: dict[tuple[Any, str], Any] = {}
        protocols: dict[Any, Counter[str]] = {}
        for change in changes:
            protocols.setdefault(change.leg, Counter())[str(change.edge.protocol.key)] += 1
            self._systems.setdefault((change.leg, str(change.ligand_a.key)), change.edge.stateA)
            self._systems.setdefault((change.leg, str(change.ligand_b.key)), change.edge.stateB)
        for change in changes:
            # if edges of a leg have different settings, as for a change of charge, the most frequent ones
            usual = min(protocols[change.leg].items(), key=lambda item: (-item[1], item[0]))[0]
            if str(change.edge.protocol.key) == usual:
                self._templates.setdefault(change.leg, change)

    def transformations(self, ligand_a: Any, ligand_b: Any, edge: Any) -> list[Any]:
        """Return one Transformation per leg for a new edge."""
        made = []
        for leg, template in sorted(self._templates.items()):
            states = [self._system(leg, template, ligand) for ligand in (ligand_a, ligand_b)]
            name = _renamed(template.edge.name, template, ligand_a.name, ligand_b.name)
            mapping = None if isinstance(edge, (tuple, list)) else edge
            if mapping is not None and isinstance(getattr(template.edge, "mapping", None), dict):
                mapping = {template.label: mapping}  # gufe 0.4
            made.append(type(template.edge)(*states, template.edge.protocol, mapping=mapping, name=name))
        return made

    def _system(self, leg: Any, template: _Change, ligand: Any) -> Any:
        key = (leg, str(ligand.key))
        if key not in self._systems:
            model = template.edge.stateA
            name = str(model.name or "").replace(template.ligand_a.name, ligand.name) or ligand.name
            self._systems[key] = type(model)({**model.components, template.label: ligand}, name=name)
        return self._systems[key]


def _renamed(name: str | None, template: _Change, name_a: str, name_b: str) -> str:
    """Return the name of the template with other ligands, if it has both of them."""
    parts = (name or "").partition(template.ligand_a.name)
    if parts[1] and template.ligand_b.name in parts[2]:
        behind = parts[2].replace(template.ligand_b.name, name_b).replace(template.ligand_a.name, name_a)
        return f"{parts[0]}{name_a}{behind}"
    return f"{name_a}_{name_b}"


def _check_names(known: Iterable[Any], new: Iterable[Any], *, n_given: int) -> None:
    added = list(new)
    if not added:
        raise InvalidNetworkError(f"none of the {n_given} ligands is new: the network has them all", n_given=n_given)
    taken = Counter(one.name for one in [*known, *added])
    twice = sorted(one.name for one in added if taken[one.name] > 1)
    if twice:
        raise InvalidNetworkError(
            f"there is another ligand with the name {twice[0]!r}, with another structure; rename one", names=twice
        )


def _ends(edge: Any, ligands: dict[str, Any]) -> tuple[str, str]:
    """Return the keys of the ligands of a planned edge."""
    pair = tuple(edge) if isinstance(edge, (tuple, list)) else (edge.componentA, edge.componentB)
    if len(pair) != 2 or any(str(one.key) not in ligands for one in pair):
        names = " and ".join(str(getattr(one, "name", one)) for one in pair)
        raise InvalidNetworkError(f"the planner made an edge of {names}, which are not two of the ligands")
    return str(pair[0].key), str(pair[1].key)


# --- planners ---------------------------------------------------------------------------------------


def konnektor_planner(known: Sequence[Any], mappings: Sequence[Any], new: Sequence[Any]) -> list[Any]:
    """Propose edges with konnektor: a redundant spanning tree of the new ligands, and two edges to the network.

    Atom mappings are kartograf's, and their scores lomap's where it is installed, else kartograf's.

    Parameters
    ----------
    known : sequence of SmallMoleculeComponent
        Ligands of the network.
    mappings : sequence of LigandAtomMapping
        Its atom mappings.
    new : sequence of SmallMoleculeComponent
        Ligands to add.

    Raises
    ------
    MissingDependencyError
        If konnektor, kartograf or gufe >= 1 is not installed.
    """
    planners = _module("konnektor.network_planners", "konnektor")
    kartograf, gufe = _module("kartograf", "kartograf"), _module("gufe", "gufe")
    mapper = kartograf.KartografAtomMapper()
    scorer = _scorer()
    parts = [gufe.LigandNetwork(edges=list(mappings), nodes=list(known))]
    if len(new) > 1:
        generator = planners.RedundantMinimalSpanningTreeNetworkGenerator(mappers=[mapper], scorer=scorer)
        parts.append(generator.generate_ligand_network(list(new)))
    else:
        parts.append(gufe.LigandNetwork(edges=[], nodes=list(new)))
    joined = planners.MstConcatenator(mappers=[mapper], scorer=scorer).concatenate_networks(parts)
    added = {str(one.key) for one in new}
    edges = [edge for edge in joined.edges if added & {str(edge.componentA.key), str(edge.componentB.key)}]
    return sorted(edges, key=lambda edge: (str(edge.componentA.key), str(edge.componentB.key)))


def load_planner(text: str) -> Planner:
    """Return a planner by name: `konnektor`, `package.module:function`, or `file.py:function`.

    Parameters
    ----------
    text : str

    Raises
    ------
    NotFoundError
        If there is no such planner.
    SettingsError
        If its file cannot be read or run, or does not define it.
    """
    if text == "konnektor":
        return konnektor_planner
    if is_file_object(text):
        return load_file_object(text, "planner").value  # type: ignore[no-any-return]
    forms = "konnektor, package.module:function or file.py:function"
    return load_module_object(text, "planner", forms=forms)  # type: ignore[no-any-return]


def _scorer() -> Callable[[Any], float]:
    """Return a score in [0, 1], 1 for the best."""
    try:
        score: Callable[[Any], float] = importlib.import_module("lomap.gufe_bindings.scorers").default_lomap_score
    except ImportError:
        score = _module("kartograf.atom_mapping_scorer", "kartograf").MappingRMSDScorer()
    return score


def _module(name: str, package: str) -> Any:
    try:
        return importlib.import_module(name)
    except ImportError as e:
        raise MissingDependencyError(
            f"{package} cannot be imported here ({e}); planning edges with konnektor needs konnektor and kartograf: "
            f"`conda install -c conda-forge konnektor kartograf`, or give a planner of your own, as in "
            "`--planner planner.py:propose`",
            package=package,
        ) from e
