"""Conversion between networks and cinnabar's FEMap: the only module that imports cinnabar.

Owns the conversion in both directions. The query selects edges and experiments; `estimators` computes
estimates from them. cinnabar is optional, and its two interfaces are detected by module: `cinnabar.femap` has
measurements with units, including repeated ones; `cinnabar.wrangle` (up to 0.2) has one number per edge in
kcal/mol.
"""

from __future__ import annotations

import math
from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass, field
from importlib.util import find_spec
from typing import Any, Final

import polars as pl

from ..errors import EstimationError, MissingDependencyError, NotFoundError
from ..ids import ScopedKey
from ..networks.measures import is_absent
from ..query import ask_edges, connect_for, read_sql, statement
from ..store import Lake

__all__ = ["FEMapContent", "from_femap", "network_femap", "to_femap"]

#: Source name of the lake's estimates in a FEMap.
SOURCE: Final = "alchemiscale-lake"
_KCAL: Final = "kilocalorie_per_mole"


@dataclass(frozen=True, slots=True)
class FEMapContent:
    """Content of a FEMap in kcal/mol, in the form of `estimators.solve_network`.

    Attributes
    ----------
    node_a, node_b : list of hashable
        Ends of the calculated edges; an absolute result starts at `alchemiscale_lake.networks.measures.ABSENT`.
    value_kcal_mol, uncertainty_kcal_mol : list of float
        Calculated ``f(b) - f(a)``.
    experimental : dict of label to (value, uncertainty)
        Measured affinities; the mean if a ligand has several. An unknown uncertainty is NaN.
    estimated : dict of label to (value, uncertainty)
        Calculated absolute values, such as maximum-likelihood estimates; the last if a ligand has several.
    """

    node_a: list[Hashable] = field(default_factory=list)
    node_b: list[Hashable] = field(default_factory=list)
    value_kcal_mol: list[float] = field(default_factory=list)
    uncertainty_kcal_mol: list[float] = field(default_factory=list)
    experimental: dict[Hashable, tuple[float, float]] = field(default_factory=dict)
    estimated: dict[Hashable, tuple[float, float]] = field(default_factory=dict)

    def edges(self) -> tuple[list[Hashable], list[Hashable], list[float], list[float]]:
        """Return the first four arguments of `estimators.solve_network`."""
        return self.node_a, self.node_b, self.value_kcal_mol, self.uncertainty_kcal_mol


def network_femap(lake: Lake, network: str | ScopedKey, *, kind: str | None = None) -> Any:
    """Build a FEMap of a network's newest edges, experiments and estimates.

    Parameters
    ----------
    lake : Lake
    network : str or ScopedKey
    kind : str, optional
        ``binding``, ``hydration`` or ``direct``; needed only if a network has several.

    Returns
    -------
    cinnabar.FEMap
        In the interface of the installed cinnabar.

    Raises
    ------
    NotFoundError
        If the network has no estimates (of that kind), or several kinds and `kind` is not given.
    MissingDependencyError
        If cinnabar is not installed.
    """
    network = str(ScopedKey.parse(network))
    connection = connect_for(lake, "ligands_to_rank", "latest_edges", "networks")
    nodes = read_sql(connection, statement("ligands_to_rank"), {"network": network, "kind": kind})
    kinds = sorted(nodes["kind"].unique())
    if len(kinds) != 1:
        problem = (
            f"several kinds of estimates ({', '.join(kinds)}); give one as `kind`"
            if kinds
            else f"no estimates; run `alchemiscale-lake gather {network}` first"
        )
        raise NotFoundError(f"{network} has {problem}", network=network, kinds=kinds)
    edges = ask_edges(connection, network=network, kind=kinds[0]).filter(pl.col("value_kcal_mol").is_not_null())
    return to_femap(
        FEMapContent(
            edges["ligand_i"].to_list(),
            edges["ligand_j"].to_list(),
            edges["value_kcal_mol"].to_list(),
            edges["uncertainty_kcal_mol"].fill_null(math.nan).to_list(),
            _by_ligand(nodes, "experiment_kcal_mol", "experiment_uncertainty_kcal_mol"),
            _by_ligand(nodes, "value_kcal_mol", "uncertainty_kcal_mol"),
        )
    )


def _by_ligand(nodes: pl.DataFrame, value: str, uncertainty: str) -> dict[Hashable, tuple[float, float]]:
    rows = nodes.filter(pl.col(value).is_not_null()).select("ligand", value, pl.col(uncertainty).fill_null(math.nan))
    return {ligand: (number, error) for ligand, number, error in rows.iter_rows()}


def to_femap(content: FEMapContent) -> Any:
    """Build a FEMap.

    Parameters
    ----------
    content : FEMapContent
        Edges, experiments and, if cinnabar supports them, estimates.

    Returns
    -------
    cinnabar.FEMap
        With `cinnabar.femap`, estimates refer to their own reference state, since their zero differs from
        that of experiment; an unknown uncertainty is zero. With `cinnabar.wrangle`, several edges of one pair
        become their weighted mean (cinnabar would count a reverse edge twice), ligands without experiment
        have NaN, and cinnabar computes its own estimates.

    Raises
    ------
    EstimationError
        With `cinnabar.wrangle`, if an edge has zero uncertainty or is an absolute result: it supports neither.
    MissingDependencyError
        If cinnabar is not installed.
    """
    return _build_measured(content) if _has_measurements() else _build_plain(content)


def from_femap(femap: Any) -> FEMapContent:
    """Read the content of a FEMap.

    Parameters
    ----------
    femap : cinnabar.FEMap
        Of either interface.

    Returns
    -------
    FEMapContent
        For `estimators.solve_network`: ``solve_network(*content.edges())``.
    """
    return _read_plain(femap) if hasattr(femap, "results") else _read_measured(femap)


def _has_measurements() -> bool:
    """Return whether the installed cinnabar has measurements with units."""
    if find_spec("cinnabar") is None:
        message = "a FEMap needs cinnabar; install it (the newest is on conda-forge), or write tables with `gather`"
        raise MissingDependencyError(message, package="cinnabar")
    return find_spec("cinnabar.femap") is not None


# --- cinnabar.femap ---------------------------------------------------------------------------------


def _build_measured(content: FEMapContent) -> Any:
    from cinnabar import femap, measurements

    unit = getattr(femap.unit, _KCAL)
    result = femap.FEMap()
    for a, b, value, uncertainty in zip(*content.edges(), strict=True):
        if is_absent(str(a)):
            result.add_absolute_calculation(b, value * unit, _known(uncertainty) * unit, source=SOURCE)
            continue
        result.add_relative_calculation(a, b, value * unit, _known(uncertainty) * unit, source=SOURCE)
    for label, (value, uncertainty) in content.experimental.items():
        result.add_experimental_measurement(label, value * unit, _known(uncertainty) * unit)
    for label, (value, uncertainty) in content.estimated.items():
        result.add_measurement(
            measurements.Measurement(
                labelA=measurements.ReferenceState(label=SOURCE),
                labelB=label,
                DG=value * unit,
                uncertainty=_known(uncertainty) * unit,
                computational=True,
                source=SOURCE,
            )
        )
    return result


def _read_measured(femap: Any) -> FEMapContent:
    from cinnabar.measurements import ReferenceState

    content = FEMapContent()
    measured: dict[Hashable, list[tuple[float, float]]] = {}
    for one in femap:
        value, uncertainty = float(one.DG.to(_KCAL).m), float(one.uncertainty.to(_KCAL).m)
        a, b = one.labelA, one.labelB
        if isinstance(b, ReferenceState):
            a, b, value = b, a, -value
        if not isinstance(a, ReferenceState):
            if one.computational:
                _add_edge(content, a, b, value, uncertainty)
        elif isinstance(b, ReferenceState):
            continue  # offset between the zeros of estimate and experiment
        elif one.computational:
            content.estimated[b] = (value, uncertainty)
        else:
            measured.setdefault(b, []).append((value, uncertainty))
    content.experimental.update({label: _mean(several) for label, several in measured.items()})
    return content


def _add_edge(content: FEMapContent, a: Hashable, b: Hashable, value: float, uncertainty: float) -> None:
    content.node_a.append(a)
    content.node_b.append(b)
    content.value_kcal_mol.append(value)
    content.uncertainty_kcal_mol.append(uncertainty)


def _mean(several: Sequence[tuple[float, float]]) -> tuple[float, float]:
    n = len(several)
    return sum(value for value, _ in several) / n, math.sqrt(sum(error**2 for _, error in several)) / n


def _known(uncertainty: float) -> float:
    return 0.0 if math.isnan(uncertainty) else uncertainty


# --- cinnabar.wrangle -------------------------------------------------------------------------------


def _build_plain(content: FEMapContent) -> Any:
    import networkx as nx
    from cinnabar import wrangle

    if any(is_absent(str(a)) for a in content.node_a):
        message = (
            "this cinnabar does not support absolute results next to relative ones; install one with `cinnabar.femap`"
        )
        raise EstimationError(f"{message} (0.6 or newer), or write tables with `gather`")
    merged = _merged(*content.edges())
    if not merged:
        see = "`alchemiscale-lake status` and `alchemiscale-lake failures`"
        raise EstimationError(f"the network has no edge with a value; see {see}")
    exact = [pair for pair, (_, uncertainty) in merged.items() if not uncertainty > 0.0]
    if exact:
        message = f"edge {exact[0][0]} -> {exact[0][1]} has no positive uncertainty, and this cinnabar divides by it; "
        message += "omit such edges, or install a cinnabar with `cinnabar.femap` (0.6 or newer)"
        raise EstimationError(message, edges=exact)
    result = wrangle.FEMap.__new__(wrangle.FEMap)  # its constructor only reads files
    calculated = [
        wrangle.RelativeResult(a, b, value, uncertainty, 0.0) for (a, b), (value, uncertainty) in merged.items()
    ]
    labels = dict.fromkeys(label for one in calculated for label in (one.ligandA, one.ligandB))
    known = {str(label).strip(): numbers for label, numbers in content.experimental.items()}
    experimental = {
        label: wrangle.ExperimentalResult(label, value, repr(uncertainty))
        for label, (value, uncertainty) in ((label, known.get(label, (math.nan, math.nan))) for label in labels)
    }
    result.results = {"Experimental": experimental, "Calculated": calculated}
    result.graph = nx.DiGraph()
    result.generate_graph_from_results()
    return result


def _merged(
    node_a: Sequence[Hashable], node_b: Sequence[Hashable], values: Sequence[float], uncertainties: Sequence[float]
) -> Mapping[tuple[Hashable, Hashable], tuple[float, float]]:
    """Return the weighted mean of the edges of each pair, in the direction of the first."""
    merged: dict[tuple[Hashable, Hashable], list[tuple[float, float]]] = {}
    for a, b, value, uncertainty in zip(node_a, node_b, values, uncertainties, strict=True):
        if (b, a) in merged:
            merged[b, a].append((-value, uncertainty))
        else:
            merged.setdefault((a, b), []).append((value, uncertainty))
    return {pair: one[0] if len(one) == 1 else _weighted(one) for pair, one in merged.items()}


def _weighted(several: Sequence[tuple[float, float]]) -> tuple[float, float]:
    if any(not uncertainty > 0.0 for _, uncertainty in several):
        return several[0][0], 0.0
    weights = [uncertainty**-2.0 for _, uncertainty in several]
    total = sum(weights)
    return sum(w * value for w, (value, _) in zip(weights, several, strict=True)) / total, total**-0.5


def _read_plain(femap: Any) -> FEMapContent:
    content = FEMapContent()
    for one in femap.results["Calculated"]:
        _add_edge(content, one.ligandA, one.ligandB, one.calc_DDG, one.calc_dDDG)
    for label, one in femap.results["Experimental"].items():
        if not math.isnan(one.DG):
            content.experimental[label] = (one.DG, one.dDG)
    for _, node in femap.graph.nodes(data=True):
        if "calc_DG" in node:
            content.estimated[node["name"]] = (float(node["calc_DG"]), float(node["calc_dDG"]))
    return content
