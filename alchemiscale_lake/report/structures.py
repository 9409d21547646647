"""2-D structures of ligands as SVG paths, if RDKit is installed.

A structure is a list of paths without style or script: the page sets the colours, and nothing from a molecule's
name or file reaches the page. `ligand_structures` finds the molecule of a ligand.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, Final

__all__ = ["Structure", "draw_small_molecule", "draw_smiles", "has_rdkit"]

#: Paths of one colour each: stroke, fill, and the SVG attribute `d`. Colours are `#rrggbb`, "" for none, and "ink"
#: for black.
Structure = list[tuple[str, str, str]]

#: Size of the drawing, in the units of the paths.
WIDTH, HEIGHT = 220, 150

_PATH: Final = re.compile(r"<path\b[^>]*?/?>")
_ATTRIBUTE: Final = re.compile(r"([\w-]+)='([^']*)'")
_COLOUR: Final = re.compile(r"#[0-9A-Fa-f]{6}")
_DRAWN: Final = re.compile(r"[MLQCZ0-9eE .,+-]+")
_BLACK: Final = "#000000"


def has_rdkit() -> bool:
    """Return whether structures can be drawn."""
    try:
        import rdkit  # noqa: F401
    except ImportError:
        return False
    return True


def draw_smiles(smiles: str) -> Structure | None:
    """Draw a SMILES; None if RDKit cannot read it."""
    from rdkit import Chem, rdBase

    with rdBase.BlockLogs():
        return _draw(Chem.MolFromSmiles(smiles))


def draw_small_molecule(keyed_dict: Mapping[str, Any]) -> Structure | None:
    """Draw a gufe SmallMoleculeComponent from its keyed dict, without gufe.

    Parameters
    ----------
    keyed_dict : mapping
        With `atoms` and `bonds` as gufe writes them.

    Returns
    -------
    Structure or None
        None if it has neither, or they are not a valid molecule.
    """
    from rdkit import Chem, rdBase

    atoms, bonds = keyed_dict.get("atoms"), keyed_dict.get("bonds")
    if not isinstance(atoms, list) or not isinstance(bonds, list):
        return None
    try:
        with rdBase.BlockLogs():
            molecule = _molecule(atoms, bonds)
            Chem.SanitizeMol(molecule)
            return _draw(Chem.RemoveHs(molecule))
    except (ValueError, TypeError, KeyError, IndexError, RuntimeError, OverflowError):
        # written by another gufe version, or not a molecule: the page omits the structure
        return None


def _molecule(atoms: list[Any], bonds: list[Any]) -> Any:
    from rdkit import Chem

    molecule = Chem.RWMol()
    for number, isotope, charge, aromatic, chirality, *_ in atoms:
        atom = Chem.Atom(number)
        atom.SetFormalCharge(charge)
        atom.SetNoImplicit(True)
        # gufe 0.4 wrote the atom's name second, and Kekule bonds: RDKit perceives aromaticity
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


def _draw(molecule: Any) -> Structure | None:
    from rdkit.Chem import rdDepictor
    from rdkit.Chem.Draw import rdMolDraw2D

    if molecule is None or not molecule.GetNumAtoms():
        return None
    rdDepictor.Compute2DCoords(molecule)
    paper = rdMolDraw2D.MolDraw2DSVG(WIDTH, HEIGHT)
    options: Any = paper.drawOptions()
    options.clearBackground = False
    options.bondLineWidth = 1.5
    options.fixedBondLength = 26
    rdMolDraw2D.PrepareAndDrawMolecule(paper, molecule)
    paper.FinishDrawing()
    return _paths(paper.GetDrawingText())


def _paths(svg: str) -> Structure:
    """Return the paths of an SVG, one per pair of colours."""
    joined: dict[tuple[str, str], list[str]] = {}
    for tag in _PATH.findall(svg):
        attributes = dict(_ATTRIBUTE.findall(tag))
        style = dict(part.split(":", 1) for part in attributes.get("style", "").split(";") if ":" in part)
        fill = _colour(style.get("fill") or attributes.get("fill", ""))
        stroke = _colour(style.get("stroke") or attributes.get("stroke", ""))
        drawn = " ".join(attributes.get("d", "").split())
        if (fill or stroke) and _DRAWN.fullmatch(drawn):
            joined.setdefault((stroke, fill), []).append(drawn)
    return [(stroke, fill, " ".join(parts)) for (stroke, fill), parts in joined.items()]


def _colour(text: str) -> str:
    found = _COLOUR.fullmatch(text.strip())
    if found is None:
        return ""
    return "ink" if found[0] == _BLACK else found[0].lower()
