"""Ligands as chemists draw them: lines and letters of a 2-D structure, where RDKit is installed.

A structure is paths without style or script, so that the page that shows it decides on colours and
nothing in a molecule's name or file reaches it. Which molecule a ligand is, `network_graph` says.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, Final

__all__ = ["Structure", "draw_small_molecule", "draw_smiles", "has_rdkit"]

#: Paths of one colour each: stroke, fill, and what SVG calls `d`. Colours are `#rrggbb`, "" where nothing
#: is painted, and "ink" for what is black on white paper.
Structure = list[tuple[str, str, str]]

#: The paper, in the units of the paths.
WIDTH, HEIGHT = 220, 150

_PATH: Final = re.compile(r"<path\b[^>]*?/?>")
_ATTRIBUTE: Final = re.compile(r"([\w-]+)='([^']*)'")
_COLOUR: Final = re.compile(r"#[0-9A-Fa-f]{6}")
_DRAWN: Final = re.compile(r"[MLQCZ0-9eE .,+-]+")
_BLACK: Final = "#000000"


def has_rdkit() -> bool:
    """Whether structures can be drawn."""
    try:
        import rdkit  # noqa: F401
    except ImportError:
        return False
    return True


def draw_smiles(smiles: str) -> Structure | None:
    """Draw a SMILES; None where RDKit cannot read it."""
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
        None where it has none, or they make no molecule.
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
        # written by another gufe, or no molecule: the page does without
        return None


def _molecule(atoms: list[Any], bonds: list[Any]) -> Any:
    from rdkit import Chem

    molecule = Chem.RWMol()
    for number, isotope, charge, aromatic, chirality, *_ in atoms:
        atom = Chem.Atom(number)
        atom.SetFormalCharge(charge)
        atom.SetNoImplicit(True)
        # gufe 0.4 wrote the atom's name second, and bonds as Kekule drew them: RDKit finds the rest by itself
        if not isinstance(isotope, str):
            atom.SetIsotope(isotope)
            atom.SetIsAromatic(bool(aromatic))
            # gufe numbers chirality and orders as RDKit does
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
    """Keep of an SVG what its paths are, one path per pair of colours."""
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
