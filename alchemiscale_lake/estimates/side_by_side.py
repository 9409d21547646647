"""Several networks compared with experiment side by side, on what all of them estimate.

Owns the pairing and what a difference is. Statistics and resampling are in `estimators.statistics.performance`;
comparisons of one network are in `comparisons`.

All networks are resampled with the same ligands (or edges), so that what they share, such as a ligand with a poor
measurement, cancels in the difference. Two separate intervals may overlap although the difference is certain.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import polars as pl

from ..errors import EstimationError, SettingsError
from ..estimators.statistics.performance import Resampled, Statistic, resample
from ..ids import ScopedKey
from ..query import Connection, ask
from .comparisons import QUANTITIES, Quantity, compared_pairs

__all__ = ["CommonPairs", "SideBySide", "common_pairs", "compare_sources"]

#: Columns added to pairs: number of the part that shares a zero in every network, and whether values are shifted to it.
_ZERO, _RELATIVE = "zero", "relative"


@dataclass(frozen=True, slots=True, eq=False)
class CommonPairs:
    """Pairs of estimate and experiment that several networks have, of one kind and quantity.

    Attributes
    ----------
    kind : str
        `binding`, `hydration` or `direct`.
    quantity : {"dG", "ddG"}
        Ligands or edges.
    of : mapping of str to polars.DataFrame
        ScopedKey of each network to its rows of `compared_ligands` or `compared_edges`, the same ligands or edges in
        the same order and direction. Two more columns: `zero`, equal for ligands that are compared on one zero, and
        `relative`, whether values are shifted to it.
    """

    kind: str
    quantity: Quantity
    of: Mapping[str, pl.DataFrame]


@dataclass(frozen=True, slots=True)
class SideBySide:
    """One statistic of one of several networks, on the pairs that all have.

    Attributes
    ----------
    kind : str
        `binding`, `hydration` or `direct`.
    quantity : {"dG", "ddG"}
        Ligands or edges.
    n : int
        Number of common pairs.
    network : str
        ScopedKey.
    statistic : Statistic
        With its own bootstrap interval; RMSE and MUE in kcal/mol; NaN if undefined.
    difference : Statistic or None
        The first network's minus this one's, with its joint bootstrap interval; NaN if undefined. None for the first.
    """

    kind: str
    quantity: Quantity
    n: int
    network: str
    statistic: Statistic
    difference: Statistic | None


def compare_sources(
    connection: Connection,
    networks: Sequence[str],
    *,
    kind: str | None = None,
    n_bootstrap: int = 1000,
    confidence: float = 0.95,
    seed: int = 2019,
) -> list[SideBySide]:
    """Compare several networks with experiment, on the ligands and edges that all of them estimate.

    Each network is compared with the experimental values of its own Scope. Differences are the first network's
    statistic minus that of each other.

    Parameters
    ----------
    connection : Connection
    networks : sequence of str
        ScopedKeys, at least two.
    kind : str, optional
        `binding`, `hydration` or `direct`.
    n_bootstrap : int
        Number of joint resamples.
    confidence : float
        Confidence of the intervals.
    seed : int
        Seed of the resampling.

    Returns
    -------
    list of SideBySide
        Ligands before edges; of each statistic one per network, in the order given.

    Raises
    ------
    SettingsError
        If fewer than two networks are given, or one of them twice.
    EstimationError
        If the networks have no two measured ligands in common.
    """
    found = []
    for pairs in common_pairs(connection, networks, kind=kind):
        resampled = {network: _resampled(own, pairs.quantity, n_bootstrap, seed) for network, own in pairs.of.items()}
        first = resampled[networks[0]]
        own = [resampled[network].performance(confidence).statistics for network in networks]
        minus = [None, *(first.minus(resampled[network], confidence) for network in networks[1:])]
        for place in range(len(own[0])):
            for network, statistics, differences in zip(networks, own, minus, strict=True):
                difference = None if differences is None else differences[place]
                one = SideBySide(pairs.kind, pairs.quantity, first.n, network, statistics[place], difference)
                found.append(one)
    return found


def common_pairs(connection: Connection, networks: Sequence[str], *, kind: str | None = None) -> list[CommonPairs]:
    """Return the pairs of estimate and experiment that all networks have, ligands before edges.

    Ligands are matched by name; edges in either direction, and of several edges of a pair the first counts.

    Parameters
    ----------
    connection : Connection
    networks : sequence of str
        ScopedKeys, at least two.
    kind : str, optional
        `binding`, `hydration` or `direct`.

    Raises
    ------
    SettingsError
        If fewer than two networks are given, or one of them twice.
    EstimationError
        If the networks have no two measured ligands in common.
    """
    twice = next((one for k, one in enumerate(networks) if one in networks[:k]), None)
    if twice is not None:
        raise SettingsError(f"{twice} cannot be compared with itself: name each network once", network=twice)
    if len(networks) < 2:
        raise SettingsError("name at least two networks to compare")
    found: list[CommonPairs] = []
    for quantity in QUANTITIES:
        sides = {one: compared_pairs(connection, quantity, network=one, kind=kind) for one in networks}
        found += _common(sides, quantity)
    if not found:
        raise EstimationError(_nothing(connection, networks, kind))
    return found


def _nothing(connection: Connection, networks: Sequence[str], kind: str | None) -> str:
    """Return why nothing can be compared, and the commands that add what each network lacks."""
    counts, steps = [], []
    for one in networks:
        ligands = ask(connection, "ligand_ranking", network=one, kind=kind)
        ligands = ligands.filter(pl.col("value_kcal_mol").is_not_null())
        n_measured = ligands["ligand"].filter(ligands["experiment_kcal_mol"].is_not_null()).n_unique()
        counts.append(f"{n_measured} in {one}")
        if not len(ligands):
            steps.append(f"`alchemiscale-lake gather {one}` (no estimate yet)")
        elif not n_measured:
            scope = ScopedKey.from_str(one).scope
            steps.append(f"`alchemiscale-lake assays FILE --scope {scope}`, then `alchemiscale-lake gather {one}`")
    if not steps:
        steps = [f"`alchemiscale-lake gather {one}`" for one in networks]
        todo = f"ligands are matched by name: {', '.join(steps)} show those of each"
    else:
        todo = f"to add what is missing: {'; '.join(dict.fromkeys(steps))}"
    number = "two" if len(networks) == 2 else str(len(networks))
    return (
        f"the {number} networks have no two ligands in common that all have an estimate and an experimental value "
        f"(with both: {', '.join(counts)}); {todo}"
    )


def _common(sides: Mapping[str, pl.DataFrame], quantity: Quantity) -> list[CommonPairs]:
    """Return the pairs that all have, by kind."""
    keys = ["kind", *(["ligand"] if quantity == "dG" else ["ligand_i", "ligand_j"])]
    if quantity == "ddG":
        sides = {network: _directed(side) for network, side in sides.items()}
    shared = next(iter(sides.values())).select(keys)
    for side in sides.values():
        shared = shared.join(side, on=keys, how="semi")
    shared = shared.sort(keys)
    aligned = {
        network: shared.join(side, on=keys, how="left", maintain_order="left") for network, side in sides.items()
    }
    found = []
    for (kind,), _ in shared.group_by("kind", maintain_order=True):
        of_kind = {network: side.filter(pl.col("kind") == kind) for network, side in aligned.items()}
        of_kind = _on_common_zeros(of_kind) if quantity == "dG" else _unshifted(of_kind)
        if len(next(iter(of_kind.values()))):
            found.append(CommonPairs(str(kind), quantity, of_kind))
    return found


def _directed(edges: pl.DataFrame) -> pl.DataFrame:
    """Return edges with their ligands in order of name; of several edges of a pair the first."""
    turned = pl.col("ligand_i") > pl.col("ligand_j")
    signed = ("value_kcal_mol", "experiment_kcal_mol")
    edges = edges.with_columns(
        *(pl.when(turned).then(-pl.col(name)).otherwise(pl.col(name)).alias(name) for name in signed),
        ligand_i=pl.min_horizontal("ligand_i", "ligand_j"),
        ligand_j=pl.max_horizontal("ligand_i", "ligand_j"),
    )
    return edges.unique(["kind", "ligand_i", "ligand_j"], keep="first", maintain_order=True)


def _unshifted(sides: Mapping[str, pl.DataFrame]) -> dict[str, pl.DataFrame]:
    return {
        network: side.with_columns(pl.lit(0).alias(_ZERO), pl.lit(value=False).alias(_RELATIVE))
        for network, side in sides.items()
    }


def _on_common_zeros(sides: Mapping[str, pl.DataFrame]) -> dict[str, pl.DataFrame]:
    """Leave out ligands that share their zero with no other in one of the networks: all keep the same ligands."""
    components = list(zip(*(side["component"] for side in sides.values()), strict=True))
    numbers: dict[tuple[object, ...], int] = {}
    zero = [numbers.setdefault(one, len(numbers)) for one in components]
    absolute = pl.DataFrame({network: side["absolute_results"] for network, side in sides.items()})
    places = pl.DataFrame({_ZERO: zero}, schema={_ZERO: pl.Int64}).with_columns(
        everywhere=absolute.select(pl.all_horizontal(pl.all())).to_series()
    )
    # one zero for all, so that none is shifted within a part that another does not have
    kept = places.select((pl.len().over(_ZERO) > 1) | pl.col("everywhere")).to_series()
    return {
        network: side.with_columns(places[_ZERO], (~side["absolute_results"]).alias(_RELATIVE)).filter(kept)
        for network, side in sides.items()
    }


def _resampled(pairs: pl.DataFrame, quantity: Quantity, n_bootstrap: int, seed: int) -> Resampled:
    ligands = quantity == "dG"
    return resample(
        pairs["value_kcal_mol"].to_numpy(),
        pairs["experiment_kcal_mol"].to_numpy(),
        relative=pairs[_RELATIVE].to_list() if ligands else False,
        zero_of=pairs[_ZERO].to_list() if ligands else None,
        both_directions=not ligands,
        n_bootstrap=n_bootstrap,
        seed=seed,  # the same for all: the same pairs are drawn
    )
