"""Networks for replayed campaigns: published ones with their own edges, spreads and costs, and random ones."""

from __future__ import annotations

import csv
import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

__all__ = ["ReplayNetwork", "data_folder", "published_networks", "random_networks"]

FloatArray = NDArray[np.float64]

#: Scatter of the published repeats of OpenFE 2024: median standard deviation by phase, kcal/mol, and how far the
#: log-variance of a leg spreads around the model, as degrees of freedom of an inverse chi-squared distribution.
_MEDIAN_SD = {"complex": 0.17, "solvent": 0.05}
_TAIL_DOF = 1.6
#: A Protocol states its error too small by this factor, and with this spread of the logarithm of the variance.
_STATED_FACTOR, _STATED_SPREAD = 2.8, 0.9
_FEATURES = (
    "lomap_score", "alchemical_charge_difference", "num_heavy_dummy_A", "num_heavy_dummy_B", "difference_num_rings_AB",
)  # fmt: skip


@dataclass(frozen=True, slots=True, eq=False)
class ReplayNetwork:
    """A network whose truth is known.

    Attributes
    ----------
    name : str
    value : ndarray, shape (n,)
        True free energies of the ligands, kcal/mol.
    pairs : ndarray of int, shape (m, 2)
        Edges; each has a complex and a solvent leg, with indices 2 e and 2 e + 1.
    sd, stated, hours : ndarray, shape (2 m,)
        Of each leg: true standard deviation of a repeat, the error that its results state (root mean square), and
        GPU-hours of a repeat.
    features : ndarray, shape (2 m, p)
    """

    name: str
    value: FloatArray
    pairs: NDArray[np.int64]
    sd: FloatArray
    stated: FloatArray
    hours: FloatArray
    features: FloatArray

    @property
    def n_ligands(self) -> int:
        return len(self.value)


def data_folder() -> Path | None:
    """Return the folder of published data: that of the environment, or beside the repository; None if absent."""
    named = os.environ.get("ALCHEMISCALE_LAKE_TEST_DATA")
    folder = Path(named) if named else Path(__file__).parents[1].resolve().parent / "shared" / "data"
    return folder if (folder / "openfe2024_edges.csv").is_file() else None


def published_networks(folder: Path, *, least_ligands: int = 10) -> list[ReplayNetwork]:
    """Return the largest connected part of each published network, with at least some ligands.

    True values are the published ones; true variances are the sample variances, shrunk as heavy-tailed ones are. Costs
    follow from the throughput on one GPU; charge changes cost seven times as much.
    """
    hours = _hours(folder)
    with (folder / "openfe2024_edges.csv").open() as file:
        rows = [row for row in csv.DictReader(file) if not row["failed"].strip()]
    with (folder / "openfe2024_ligands.csv").open() as file:
        published = {(r["dataset_name"], r["ligand name"]): float(r["DG (kcal/mol)"]) for r in csv.DictReader(file)}
    by_set: dict[str, list[dict[str, str]]] = {}
    for row in rows:
        by_set.setdefault(row["dataset_name"], []).append(row)
    found = []
    for name, edges in sorted(by_set.items()):
        whole = [row for row in edges if (name, row["ligand_A"]) in published and (name, row["ligand_B"]) in published]
        whole = _largest_part([row for row in whole if _repeats(row, "complex") and _repeats(row, "solvent")])
        ligands = sorted({row[end] for row in whole for end in ("ligand_A", "ligand_B")})
        if len(ligands) >= least_ligands:
            found.append(_published(name, whole, ligands, published, hours))
    return found


def _published(
    name: str,
    rows: Sequence[dict[str, str]],
    ligands: Sequence[str],
    published: dict[tuple[str, str], float],
    hours: dict[str, tuple[float, float]],
) -> ReplayNetwork:
    number = {ligand: k for k, ligand in enumerate(ligands)}
    sd, stated, cost, features = [], [], [], []
    per_phase = hours.get(rows[0]["system name"], (1.0, 4.0))
    for row in rows:
        charged = float(row["alchemical_charge_difference"] or 0) != 0
        for phase, of_phase in (("complex", per_phase[1]), ("solvent", per_phase[0])):
            values, errors = zip(*_repeats(row, phase), strict=True)
            prior = _MEDIAN_SD[phase] ** 2
            squares = float(np.var(values) * len(values))
            sd.append(np.sqrt((_TAIL_DOF * prior + squares) / (_TAIL_DOF + len(values) - 1)))
            stated.append(float(np.sqrt(np.mean(np.square(errors)))))
            cost.append(of_phase * (7.0 if charged else 1.0))
            features.append([float(row[word] or "nan") for word in _FEATURES])
    pairs = np.array([[number[row["ligand_A"]], number[row["ligand_B"]]] for row in rows])
    value = np.array([published[name, ligand] for ligand in ligands])
    parts = name.split("/")
    return ReplayNetwork(parts[1], value, pairs, *map(np.array, (sd, stated, cost, features)))


def _hours(folder: Path) -> dict[str, tuple[float, float]]:
    """Return GPU-hours of a solvent and a complex leg of neutral edges, by target: 11 windows of 6 ns."""
    with (folder / "openfe2024_l40s_throughput.csv").open() as file:
        return {
            row["System"]: (24 * 66 / float(row["Solvent ns/day"]), 24 * 66 / float(row["Complex ns/day"]))
            for row in csv.DictReader(file)
        }


def _repeats(row: dict[str, str], phase: str) -> list[tuple[float, float]]:
    words = [(f"{phase}_repeat_{k}_DG (kcal/mol)", f"{phase}_repeat_{k}_dDG (kcal/mol)") for k in range(3)]
    found = [(row[value], row[error]) for value, error in words if row[value] and row[error]]
    return [(float(value), float(error)) for value, error in found] if len(found) > 1 else []


def _largest_part(rows: list[dict[str, str]]) -> list[dict[str, str]]:
    label: dict[str, str] = {}

    def root(ligand: str) -> str:
        while label.setdefault(ligand, ligand) != ligand:
            ligand = label[ligand]
        return ligand

    for row in rows:
        label[root(row["ligand_A"])] = root(row["ligand_B"])
    roots = [root(row["ligand_A"]) for row in rows]
    largest = max(sorted(set(roots)), key=roots.count, default="")
    return [row for row, of in zip(rows, roots, strict=True) if of == largest]


def random_networks(
    n: int, sizes: Sequence[int], *, edges_per_ligand: float, seed: int = 2026
) -> Iterator[ReplayNetwork]:
    """Yield random networks with variances, stated errors and costs like the published ones.

    Ligands are joined to similar ones: a random tree, and the nearest pairs of points in three dimensions.
    """
    for k in range(n):
        rng = np.random.default_rng([seed, k, round(100 * edges_per_ligand)])
        size = sizes[k % len(sizes)]
        place = rng.normal(size=(size, 3))
        distance = np.linalg.norm(place[:, None] - place[None, :], axis=2)
        chosen = {(int(np.argmin(distance[a, :a])), a) for a in range(1, size)}
        one, other = np.triu_indices(size, 1)
        # noise, so that cycles are not only triangles
        for edge in np.argsort(distance[one, other] * np.exp(0.3 * rng.normal(size=len(one)))):
            if len(chosen) >= edges_per_ligand * size:
                break
            chosen.add((int(one[edge]), int(other[edge])))
        pairs = np.array(sorted(chosen))
        m = len(pairs)
        prior = np.tile([_MEDIAN_SD["complex"], _MEDIAN_SD["solvent"]], m) ** 2
        rough = np.repeat(rng.normal(size=m), 2)
        # structure explains a third of the spread of log-variances
        variance = prior * np.exp(0.9 * rough) * 3.0 / rng.chisquare(3.0, 2 * m)
        stated = np.sqrt(variance * np.exp(_STATED_SPREAD * rng.normal(size=2 * m))) / _STATED_FACTOR
        charged = np.repeat(rng.random(m) < 0.05, 2)
        hours = np.tile([4.0, 0.8], m) * np.where(charged, 7.0, 1.0)
        features = np.column_stack([rough + rng.normal(size=2 * m), charged])
        value = rng.normal(scale=1.2, size=size)
        yield ReplayNetwork(
            f"random-{size}-{edges_per_ligand:g}-{k}", value, pairs, np.sqrt(variance), stated, hours, features
        )
