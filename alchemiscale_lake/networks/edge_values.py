"""What tables of edges hold: repeats of legs, and experimental values of ligands."""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["EdgeTable", "EdgeValue", "LigandValue"]


@dataclass(frozen=True, slots=True)
class EdgeValue:
    """One repeat of one leg, or of an edge as a whole.

    Attributes
    ----------
    system : str
        Which set of the table it belongs to; empty if the table has but one.
    phase : str
        `complex`, `solvent`, `vacuum` or `direct`.
    repeat : int
        As the table numbers it, else counted along its rows.
    numbered : bool
        Whether the table numbers it.
    charge_change : int or None
        Charge of ligand B minus that of A.
    failed : bool
        Whether the table says that it does not count.
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
        """Which leg it is of."""
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
    """What a table holds: edges, or experimental values of ligands.

    Attributes
    ----------
    edges : tuple of (system, ligand_a, ligand_b, phase)
        Every leg the table names, also those without a value.
    notes : tuple of str
        What of the table was left out or merged, with counts.
    """

    source: str
    edges: tuple[tuple[str, str, str, str], ...]
    values: tuple[EdgeValue, ...]
    ligands: tuple[LigandValue, ...]
    notes: tuple[str, ...] = ()
