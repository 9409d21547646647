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
    phase : str
        `complex`, `solvent`, `vacuum` or `direct`.
    repeat : int
        Number in the table, else counted along its rows.
    numbered : bool
        Whether the number is from the table.
    charge_change : int or None
        Charge of ligand B minus that of A.
    failed : bool
        Whether the table marks it as failed.
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
    """One experimental value."""

    system: str
    ligand: str
    value_kcal_mol: float
    uncertainty_kcal_mol: float | None


@dataclass(frozen=True, slots=True)
class EdgeTable:
    """Content of a table: edges, or experimental values of ligands.

    Attributes
    ----------
    edges : tuple of (system, ligand_a, ligand_b, phase)
        Every leg in the table, including those without a value.
    notes : tuple of str
        What was left out or merged, with counts.
    """

    source: str
    edges: tuple[tuple[str, str, str, str], ...]
    values: tuple[EdgeValue, ...]
    ligands: tuple[LigandValue, ...]
    notes: tuple[str, ...] = ()
