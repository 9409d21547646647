"""Ligands as chemists draw them: places of atoms and kinds of bonds of a 2-D structure, where RDKit is installed.

A structure is numbers and element symbols, so that the page that shows it decides on colours and sizes, and
nothing in a molecule's name or file reaches it. `ligand_structures` finds the molecule of a ligand and the
atoms that two ligands share.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

__all__ = ["Depicted", "Structure", "depict", "has_rdkit", "read_small_molecule", "read_smiles"]

#: `xy`: x and y of every atom, hundredths of a bond, y downwards; `atoms`: [atom, symbol, hydrogens, charge] of
#: those that are not plain carbon; `bonds`: begin, end, kind of every bond.
Structure = dict[str, Any]

#: Kinds of bonds. A double bond in a ring has its second line to the left or right of the way from begin to end.
SINGLE, DOUBLE, TRIPLE, WEDGE, HASH, WAVY, LEFT, RIGHT = range(1, 9)

#: Where an atom was in what was read.
_AT: Final = "_at"
_SCALE: Final = 100 / 1.5
#: A depiction along another's atoms is kept if its bonds are within these parts of the usual length.
_SHORTEST, _LONGEST = 0.6, 1.6
#: Atoms that share no bond and come nearer than this, in angstrom, are drawn over one another.
_NEAREST: Final = 0.55
#: To turn a molecule like another takes as many shared atoms.
_MIN_SHARED: Final = 2


@dataclass(frozen=True, slots=True)
class Depicted:
    """A molecule with its places.

    Attributes
    ----------
    molecule : rdkit Mol
        With one conformer.
    structure : Structure
    place : dict of int to int
        Atom of the structure, by its position in what was read; hydrogens that are not drawn are missing.
    """

    molecule: Any
    structure: Structure
    place: dict[int, int]


def has_rdkit() -> bool:
    """Return whether structures can be drawn."""
    try:
        import rdkit  # noqa: F401
    except ImportError:
        return False
    return True


def read_smiles(smiles: str) -> Any | None:
    """Read a SMILES as an RDKit molecule; None where RDKit cannot."""
    from rdkit import Chem, rdBase

    with rdBase.BlockLogs():
        molecule = Chem.MolFromSmiles(smiles)
    return molecule if molecule is not None and molecule.GetNumAtoms() else None


def read_small_molecule(keyed_dict: Mapping[str, Any]) -> Any | None:
    """Read a gufe SmallMoleculeComponent from its keyed dict as an RDKit molecule, without gufe.

    Parameters
    ----------
    keyed_dict : mapping
        With `atoms` and `bonds` as gufe writes them.

    Returns
    -------
    rdkit Mol or None
        Without the hydrogens that nobody draws. None where there are no atoms, or they make no molecule.
    """
    from rdkit import Chem, rdBase

    atoms, bonds = keyed_dict.get("atoms"), keyed_dict.get("bonds")
    if not isinstance(atoms, list) or not isinstance(bonds, list):
        return None
    try:
        with rdBase.BlockLogs():
            molecule = _molecule(atoms, bonds)
            Chem.SanitizeMol(molecule)
            molecule = Chem.RemoveHs(molecule)
    except (ValueError, TypeError, KeyError, IndexError, RuntimeError, OverflowError):
        # written by another gufe version, or not a molecule: the page omits the structure
        return None
    return molecule if molecule.GetNumAtoms() else None


def depict(molecule: Any, like: Depicted | None = None, shared: Mapping[int, int] | None = None) -> Depicted:
    """Place the atoms of a molecule on paper.

    Parameters
    ----------
    molecule : rdkit Mol
    like : Depicted, optional
        A molecule to draw it like.
    shared : mapping of int to int, optional
        Atoms of `like` to atoms of this molecule, by their positions in what was read.
    """
    from rdkit import rdBase
    from rdkit.Chem.Draw import rdMolDraw2D

    place = {_at(atom): atom.GetIdx() for atom in molecule.GetAtoms()}
    pairs = (
        [(like.place[a], place[b]) for a, b in (shared or {}).items() if a in like.place and b in place] if like else []
    )
    with rdBase.BlockLogs():
        if not (like and _draw_along(molecule, like.molecule, pairs)):
            _draw_alone(molecule, like.molecule if like else None, pairs)
        # kekulised, with wedges at stereocentres, and the hydrogens that those need
        drawn = rdMolDraw2D.PrepareMolForDrawing(molecule, kekulize=True, addChiralHs=True, wedgeBonds=True)
    return Depicted(molecule, _structure(drawn), place)


def _at(atom: Any) -> int:
    return int(atom.GetIntProp(_AT)) if atom.HasProp(_AT) else int(atom.GetIdx())


def _molecule(atoms: list[Any], bonds: list[Any]) -> Any:
    from rdkit import Chem

    molecule = Chem.RWMol()
    for at, (number, isotope, charge, aromatic, chirality, *_) in enumerate(atoms):
        atom = Chem.Atom(number)
        atom.SetFormalCharge(charge)
        atom.SetNoImplicit(True)
        atom.SetIntProp(_AT, at)
        # gufe 0.4 wrote the atom's name second, and bonds as Kekule drew them: RDKit finds the rest by itself
        if not isinstance(isotope, str):
            atom.SetIsotope(isotope)
            atom.SetIsAromatic(bool(aromatic))
            # gufe uses RDKit's numbers for chirality and bond orders
            atom.SetChiralTag(Chem.ChiralType.values[chirality])
        molecule.AddAtom(atom)
    for begin, end, order, *_ in bonds:
        if not (0 <= begin < len(atoms) and 0 <= end < len(atoms)):
            raise IndexError(f"a bond between atoms {begin} and {end} of {len(atoms)}")
        molecule.AddBond(begin, end, Chem.BondType.values[order])
    return molecule


# --- places -----------------------------------------------------------------------------------------


def _draw_along(molecule: Any, like: Any, pairs: list[tuple[int, int]]) -> bool:
    """Put shared atoms exactly where the other has them; False if that makes a bad drawing."""
    from rdkit.Chem import rdDepictor
    from rdkit.Geometry import Point2D

    kept = [(a, b) for a, b in pairs if _ring_sizes(like, a) == _ring_sizes(molecule, b)]
    if len(kept) < _MIN_SHARED:
        return False
    there = like.GetConformer()
    points = {b: Point2D(there.GetAtomPosition(a)) for a, b in kept}
    try:
        rdDepictor.Compute2DCoords(molecule, coordMap=points, clearConfs=True)
    except (RuntimeError, ValueError):
        return False
    # RDKit keeps the shape of what is given, not its place
    _turn(molecule, like, kept)
    return _is_legible(molecule)


def _ring_sizes(molecule: Any, atom: int) -> list[int]:
    return sorted(molecule.GetRingInfo().AtomRingSizes(atom))


def _draw_alone(molecule: Any, like: Any | None, pairs: list[tuple[int, int]]) -> None:
    from rdkit.Chem import rdDepictor

    rdDepictor.Compute2DCoords(molecule, clearConfs=True)
    if like is not None and len(pairs) >= _MIN_SHARED:
        _turn(molecule, like, pairs)
    elif like is None:
        rdDepictor.StraightenDepiction(molecule)


def _turn(molecule: Any, like: Any, pairs: list[tuple[int, int]]) -> None:
    """Turn, and if need be mirror, a depiction so that shared atoms come to lie where the other has them."""
    import numpy as np
    from rdkit.Geometry import Point3D

    own, there = molecule.GetConformer(), like.GetConformer()
    source = own.GetPositions()[[b for _, b in pairs], :2]
    target = there.GetPositions()[[a for a, _ in pairs], :2]
    middle, goal = source.mean(axis=0), target.mean(axis=0)
    left, _, right = np.linalg.svd((source - middle).T @ (target - goal))
    # wedges are drawn anew from the stereo of the atoms, so that a mirrored drawing is the same molecule
    for k, (x, y) in enumerate((own.GetPositions()[:, :2] - middle) @ (left @ right) + goal):
        own.SetAtomPosition(k, Point3D(float(x), float(y), 0.0))


def _is_legible(molecule: Any) -> bool:
    import numpy as np

    at = molecule.GetConformer().GetPositions()[:, :2]
    bonds = np.array([(b.GetBeginAtomIdx(), b.GetEndAtomIdx()) for b in molecule.GetBonds()]).reshape(-1, 2)
    lengths = np.linalg.norm(at[bonds[:, 0]] - at[bonds[:, 1]], axis=1)
    if len(lengths) and not (lengths.min() > 1.5 * _SHORTEST and lengths.max() < 1.5 * _LONGEST):
        return False
    distances = np.linalg.norm(at[:, None] - at[None], axis=2) + 9.0 * np.eye(len(at))
    return bool(distances.min() > _NEAREST)


# --- as data ----------------------------------------------------------------------------------------


def _structure(molecule: Any) -> Structure:
    at = molecule.GetConformer().GetPositions()
    # six-membered ones first: a second line goes into the ring that looks aromatic
    rings = sorted(
        (tuple(ring) for ring in molecule.GetRingInfo().AtomRings()), key=lambda ring: (abs(len(ring) - 6), ring)
    )
    return {
        "xy": [round(float(v) * _SCALE) for x, y, _ in at for v in (x, -y)],
        "atoms": [label for atom in molecule.GetAtoms() if (label := _label(atom)) is not None],
        "bonds": [number for bond in molecule.GetBonds() for number in _bond(bond, at, rings)],
    }


def _label(atom: Any) -> list[Any] | None:
    """[atom, symbol, hydrogens, charge]; None for carbon that is drawn as a corner."""
    symbol, charge, isotope = atom.GetSymbol(), atom.GetFormalCharge(), atom.GetIsotope()
    if symbol == "C" and not charge and not isotope and not atom.GetNumRadicalElectrons() and atom.GetDegree():
        return None
    return [atom.GetIdx(), f"{isotope}{symbol}" if isotope else symbol, atom.GetTotalNumHs(), charge]


def _bond(bond: Any, at: Any, rings: Sequence[tuple[int, ...]]) -> tuple[int, int, int]:
    from rdkit import Chem

    begin, end, direction = bond.GetBeginAtomIdx(), bond.GetEndAtomIdx(), bond.GetBondDir()
    if bond.GetBondType() == Chem.BondType.TRIPLE:
        return begin, end, TRIPLE
    if bond.GetBondType() == Chem.BondType.DOUBLE:
        return begin, end, _double(bond, at, rings)
    wedges = {Chem.BondDir.BEGINWEDGE: WEDGE, Chem.BondDir.BEGINDASH: HASH, Chem.BondDir.UNKNOWN: WAVY}
    return begin, end, wedges.get(direction, SINGLE)


def _double(bond: Any, at: Any, rings: Sequence[tuple[int, ...]]) -> int:
    """Return on which side the second line goes: inside a ring, else where most neighbours are, else on both."""
    begin, end = bond.GetBeginAtomIdx(), bond.GetEndAtomIdx()
    ring = next((ring for ring in rings if begin in ring and end in ring), None)
    if ring is not None:
        others = [k for k in ring if k not in (begin, end)]
    else:
        around = (bond.GetBeginAtom(), bond.GetEndAtom())
        others = [n.GetIdx() for atom in around for n in atom.GetNeighbors() if n.GetIdx() not in (begin, end)]
        if min(atom.GetDegree() for atom in around) < 2:
            return DOUBLE
    (x0, y0, _), (x1, y1, _) = at[begin], at[end]
    turned = sum((x1 - x0) * (at[k][1] - y0) - (y1 - y0) * (at[k][0] - x0) for k in others)
    if abs(turned) < 1e-3:
        return DOUBLE
    return LEFT if turned > 0 else RIGHT
