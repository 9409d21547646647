"""Content of tables of edges: repeats of legs, and experimental values of ligands."""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["EdgeTable", "EdgeValue", "LigandValue"]


@dataclass(frozen=True, slots=True)
class EdgeValue:
    """One repeat of one leg, or of a whole edge.

    Attributes
    ----------
    system : str
        System within the table; empty if the table has only one.
    ligand_a : str
        Name of the ligand in state A.
    ligand_b : str
        Name of the ligand in state B.
    phase : str
        `complex`, `solvent`, `vacuum` or `direct`.
    repeat : int
        Number in the table, else counted along its rows.
    value_kcal_mol : float or None
        B minus A; None if there is none.
    uncertainty_kcal_mol : float or None
        None if the table states none.
    failed : bool
        Whether the table marks it as failed.
    charge_change : int or None
        Charge of ligand B minus that of A.
    mapping_score : float or None
        Score of the atom mapping; None if the table has none.
    numbered : bool
        Whether the number is from the table.
    """

    system: str
    ligand_a: str
    ligand_b: str
    phase: str
    repeat: int
    value_kcal_mol: float | None
    uncertainty_kcal_mol: float | None
    failed: bool
    charge_change: int | None
    mapping_score: float | None
    numbered: bool = False

    @property
    def edge(self) -> tuple[str, str, str, str]:
        """Return the leg it belongs to."""
        return self.system, self.ligand_a, self.ligand_b, self.phase


@dataclass(frozen=True, slots=True)
class LigandValue:
    """One experimental value.

    Attributes
    ----------
    system : str
        System within the table; empty if the table has only one.
    ligand : str
        Name of the ligand.
    value_kcal_mol : float
        Free energy.
    uncertainty_kcal_mol : float or None
        None if the table states none.
    """

    system: str
    ligand: str
    value_kcal_mol: float
    uncertainty_kcal_mol: float | None


@dataclass(frozen=True, slots=True)
class EdgeTable:
    """Content of a table: edges, or experimental values of ligands.

    Attributes
    ----------
    source : str
        Path of the table.
    edges : tuple of (system, ligand_a, ligand_b, phase)
        Every leg in the table, including those without a value.
    values : tuple of EdgeValue
        Values in the order of the table.
    ligands : tuple of LigandValue
        Experimental values.
    notes : tuple of str
        What was left out or merged, with counts.
    """

    source: str
    edges: tuple[tuple[str, str, str, str], ...]
    values: tuple[EdgeValue, ...]
    ligands: tuple[LigandValue, ...]
    notes: tuple[str, ...] = ()
