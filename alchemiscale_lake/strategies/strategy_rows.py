"""Rows on which Strategies decide: Transformations, ligands and links of one network, as plain data.

No gufe object is needed to decide. `rounds` and tests fill these rows from tables; a Strategy that needs objects runs
through `stratocaster_adapter`.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

__all__ = ["LigandRow", "LinkRow", "NetworkRows", "TransformationRow"]


@dataclass(frozen=True, slots=True, kw_only=True)
class TransformationRow:
    """A Transformation, what it has yielded so far, and what a further Task is predicted to cost.

    Attributes
    ----------
    key : str
        Its ScopedKey; distinct also for parallel Transformations between the same states.
    state_a, state_b : str
        Keys of its ChemicalSystems; equal for a NonTransformation.
    n_results : int
        Good ProtocolDAGResults that count.
    n_in_flight : int
        Tasks that may still give one: waiting or running, actioned on the network.
    ligand_a, ligand_b : str or None
        The difference it measures is b minus a; `ligand_a` is None for an absolute free energy of `ligand_b`. Both are
        None if it is none of these.
    phase : str
        `complex`, `solvent`, `vacuum`, `direct`, `binding` or `hydration`, as in `estimators.network.edges`.
    group : str or None
        Legs make an edge only with legs of their group, such as one protein. A solvent or vacuum leg without group
        belongs to the edges of its ligands in every group.
    protocol : str
        Name of its Protocol; variances of one Protocol and phase are alike.
    values_kcal_mol : tuple of float
        The estimate of each result that has one.
    own_uncertainty_kcal_mol : float or None
        Root mean square of the uncertainty that its results state, such as the MBAR error.
    gpu_hours : float or None
        Predicted cost of one Task.
    score : float or None
        Score of its atom mapping, 0 to 1; high is good.
    features : tuple of float
        Facts about the perturbation for the model of variances, the same for all rows; NaN if unknown.
    frozen : bool
        Whether it may not get Tasks, for example because too many have failed.
    """

    key: str
    state_a: str
    state_b: str
    n_results: int = 0
    n_in_flight: int = 0
    ligand_a: str | None = None
    ligand_b: str | None = None
    phase: str = "direct"
    group: str | None = None
    protocol: str = ""
    values_kcal_mol: tuple[float, ...] = ()
    own_uncertainty_kcal_mol: float | None = None
    gpu_hours: float | None = None
    score: float | None = None
    features: tuple[float, ...] = ()
    frozen: bool = False

    @property
    def n_counted(self) -> int:
        """Return the number of results that exist or are in flight."""
        return self.n_results + self.n_in_flight


@dataclass(frozen=True, slots=True, kw_only=True)
class LigandRow:
    """Independent knowledge of a ligand, such as an experimental value.

    Attributes
    ----------
    ligand : str
        Name, as in the Transformations.
    value_kcal_mol, uncertainty_kcal_mol : float
        Free energy, and its standard error; both finite, the second above zero.
    group : str or None
        The group whose value it is; None applies to every group.
    """

    ligand: str
    value_kcal_mol: float
    uncertainty_kcal_mol: float
    group: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class LinkRow:
    """A declared difference between two ligands, or one ligand in two groups: known, and free of cost.

    Attributes
    ----------
    ligand_a, ligand_b : str
        Names, as in the Transformations.
    value_kcal_mol, uncertainty_kcal_mol : float
        Free energy of b minus that of a, and its standard error; zero if it is exact.
    kind : {"binding", "hydration", "direct"}
        What the difference is of, as in `estimators.network.edges`.
    group_a, group_b : str or None
        Groups of the ligands; None for every group, and if both are None, for the pair in each group.
    """

    ligand_a: str
    ligand_b: str
    value_kcal_mol: float
    uncertainty_kcal_mol: float
    kind: str = "binding"
    group_a: str | None = None
    group_b: str | None = None

    def pairs(self, groups: Iterable[str]) -> list[tuple[str, str]]:
        """Return the groups of a and b that it joins, given all groups of a network."""
        known = list(groups)
        if self.group_a is None and self.group_b is None:
            return [(group, group) for group in known]
        of_a, of_b = (known if own is None else [own] for own in (self.group_a, self.group_b))
        return [(a, b) for a in of_a for b in of_b]


@dataclass(frozen=True, slots=True, kw_only=True)
class NetworkRows:
    """A network at the time of a round.

    Attributes
    ----------
    transformations : tuple of TransformationRow
        All Transformations of the network, including those that are finished or frozen.
    ligands : tuple of LigandRow
        Ligands with independent knowledge.
    links : tuple of LinkRow
        Declared differences.
    round : int
        Number of earlier rounds.
    max_tasks : int or None
        Tasks that this round may ask for; None leaves it to the Strategy.
    max_gpu_hours : float or None
        GPU-hours that this round may ask for.
    spent_gpu_hours : float
        GPU-hours of what is finished and in flight.
    budget_gpu_hours : float or None
        GPU-hours that the network may cost in total.
    """

    transformations: tuple[TransformationRow, ...]
    ligands: tuple[LigandRow, ...] = ()
    links: tuple[LinkRow, ...] = ()
    round: int = 0
    max_tasks: int | None = None
    max_gpu_hours: float | None = None
    spent_gpu_hours: float = 0.0
    budget_gpu_hours: float | None = None

    @property
    def n_in_flight(self) -> int:
        """Return the number of Tasks in flight."""
        return sum(row.n_in_flight for row in self.transformations)

    @property
    def hours_left(self) -> float:
        """Return the GPU-hours that this round may ask for; infinite without limits."""
        limits = [float("inf") if self.max_gpu_hours is None else self.max_gpu_hours]
        if self.budget_gpu_hours is not None:
            limits.append(self.budget_gpu_hours - self.spent_gpu_hours)
        return max(0.0, min(limits))
