"""Findings: inconsistencies among the results of a network, as rows with text.

Determines which checks are made of an estimate version and the text of each finding. The checks are in `estimators`:
`replicate_checks` (check `result`, `repeats`), `pooling` (`spread`), `edge_checks` (`edge`, `hysteresis`, `parallel`)
and `cycle_closure` (`cycle`, `closure`).
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final, cast, get_args

import numpy as np
import polars as pl

from ..estimators.network.cycle_closure import ClosureTest, close_cycles
from ..estimators.network.edge_checks import compare_parallel_legs, disagreeing_edges
from ..estimators.network.edges import EdgeEstimate, Kind, Leg, Phase, whole_edges
from ..estimators.network.leg_uncertainties import LegUncertainties
from ..estimators.network.network_mle import NetworkEstimate
from ..estimators.network.pooling import PooledSpread
from ..estimators.network.replicate_checks import outlying_results, scattering_legs
from ..estimators.statistics.findings import Finding, ranked
from ..networks.measures import MEASURES, is_absent
from ..plurals import count, verb
from .transformation_estimates import none_if_nan

__all__ = ["SolvedKind", "finding_rows"]

#: Number of findings kept per check and kind, in addition to those that are flagged.
_KEPT: Final = 20
#: Suffix for a leg whose stated uncertainty is not used.
_OVERRULED: Final = "; their stated uncertainties are not used"
#: A closure test with a lower p-value is flagged.
_CLOSURE_P: Final = 0.05


@dataclass(frozen=True, slots=True)
class SolvedKind:
    """Edges of one kind, their network estimate, and the closure of its cycles given stated or observed errors.

    Attributes
    ----------
    kind : Kind
        Kind of the free energy difference, such as binding.
    estimate : NetworkEstimate
        Network estimate from the edges.
    edges : sequence of EdgeEstimate
        Edges of this kind.
    closure : ClosureTest
        Test of the cycles against the stated or observed errors.
    """

    kind: Kind
    estimate: NetworkEstimate
    edges: Sequence[EdgeEstimate]
    closure: ClosureTest


def finding_rows(legs: pl.DataFrame, chosen: LegUncertainties, kinds: Iterable[SolvedKind]) -> list[dict[str, Any]]:
    """Return rows of `network_findings` without scope, network, round and found_at.

    Parameters
    ----------
    legs : polars.DataFrame
        From `legs_to_compute.sql` for one network, edges only.
    chosen : LegUncertainties
        Uncertainties of these legs, in this order.
    kinds : iterable of SolvedKind
    """
    rows = _leg_rows(legs, chosen) + _parallel_rows(legs, chosen)
    for solved in kinds:
        rows += _edge_rows(solved) + _closure_rows(solved)
    # the former name too, which older versions read
    return [row | {"says": row["description"]} for row in rows]


def _rows(
    checked: str, kind: str, findings: Sequence[Finding], describe: Callable[[Finding], tuple[list[str], str]]
) -> list[dict[str, Any]]:
    """Return the rows of one check and kind, for findings in order."""
    rows = []
    for rank, finding in enumerate(findings, start=1):
        if rank > _KEPT and not finding.flagged:
            break
        subject, description = describe(finding)
        rows.append(
            {
                "checked": checked,
                "kind": kind,
                "rank": rank,
                "subject": subject,
                "value_kcal_mol": none_if_nan(finding.value_kcal_mol),
                "uncertainty_kcal_mol": none_if_nan(finding.uncertainty_kcal_mol),
                "z": finding.z if math.isfinite(finding.z) else None,
                "p_value": none_if_nan(finding.p_value),
                "flagged": finding.flagged,
                "description": description,
            }
        )
    return rows


# --- repeats ----------------------------------------------------------------------------------------


def _leg_rows(legs: pl.DataFrame, chosen: LegUncertainties) -> list[dict[str, Any]]:
    """Return findings on the spread of legs by kind, on legs that scatter more, and on outlying results."""
    names = _names(legs)
    keys, attempts = legs["transformation"].to_list(), legs["attempts"].to_list()
    values = [np.array(v or (), dtype=np.float64) for v in legs["values_kcal_mol"].to_list()]
    sd = legs["sd_kcal_mol"].cast(pl.Float64).fill_null(math.nan).to_numpy()
    scattering: dict[str, list[Finding]] = {}
    outlying: dict[str, list[Finding]] = {}
    looked: dict[str, int] = {}
    rows = []
    for rank, ((protocol, phase), members) in enumerate(_groups(legs).items(), start=1):
        spread = chosen.spreads.get((protocol, phase))
        if spread is None or (protocol, phase) in chosen.borrowed:
            continue
        inside = np.array(members)
        variance = chosen.stated_variance_kcal2_mol2[inside]
        kind = _kind(protocol, phase)
        rows.append(_spread_row(kind, protocol, spread, variance) | {"rank": rank})
        if spread.scale == "own" and np.isnan(variance).any():
            continue
        stated = np.array([chosen.overruled_kcal2_mol2.get(k, v) for k, v in zip(members, variance, strict=True)])
        found = scattering_legs(chosen.n[inside], sd[inside], stated, spread)
        scattering.setdefault(kind, []).extend(_moved(found, members))
        # identical copies count as one result
        several = [values[k] if chosen.n[k] > 1 else values[k][:1] for k in members]
        # the variance shown by a leg's own results would hide the outlier among them
        odd, n_results = outlying_results(several, np.minimum(stated, variance), spread)
        outlying.setdefault(kind, []).extend(_moved(odd, members))
        looked[kind] = looked.get(kind, 0) + n_results

    def of_leg(finding: Finding) -> tuple[list[str], str]:
        k = int(str(finding.subject[0]))
        n, value, expected = len(values[k]), finding.value_kcal_mol, finding.uncertainty_kcal_mol
        source = "stated uncertainties and " if chosen.stated_variance_kcal2_mol2[k] > 0 else ""
        description = f"{n} results scatter by {value:.2f} kcal/mol; expected {expected:.2f} from {source}similar legs"
        return [keys[k]], f"{names[k]}: {description}" + (_OVERRULED if k in chosen.overruled_kcal2_mol2 else "")

    def of_result(finding: Finding) -> tuple[list[str], str]:
        k, j = (int(str(part)) for part in finding.subject)
        away, expected = finding.value_kcal_mol, finding.uncertainty_kcal_mol
        side = "above" if away > 0 else "below"
        description = f"result {values[k][j]:.2f} is {abs(away):.2f} {side} the mean of the {len(values[k]) - 1} others"
        return [keys[k], attempts[k][j]], f"{names[k]}: {description}; expected {expected:.2f} kcal/mol"

    for kind, found in scattering.items():
        rows += _rows("repeats", kind, ranked(found), of_leg)
    for kind, found in outlying.items():
        rows += _rows("result", kind, ranked(found, looked=looked[kind]), of_result)
    return rows


def _kind(protocol: str, phase: str) -> str:
    """Return the phase of a leg; of a Protocol whose estimate is a difference of two environments, its kind."""
    measure = MEASURES.get(protocol)
    return phase if measure is None else measure.kind


def _groups(legs: pl.DataFrame) -> dict[tuple[str, str], list[int]]:
    """Return legs with a value by Protocol and phase, as grouped for pooling."""
    groups: dict[tuple[str, str], list[int]] = {}
    for k, (protocol, phase, value) in enumerate(legs.select("protocol", "phase", "value_kcal_mol").iter_rows()):
        if value is not None:
            groups.setdefault((protocol, phase), []).append(k)
    return groups


def _moved(findings: Iterable[Finding], members: Sequence[int]) -> list[Finding]:
    """Convert findings about the legs of a group to findings about the network's legs."""
    return [replace(f, subject=(members[int(str(f.subject[0]))], *f.subject[1:])) for f in findings]


def _spread_row(kind: str, protocol: str, spread: PooledSpread, variance: np.ndarray[Any, Any]) -> dict[str, Any]:
    """Return the row on the spread of all repeats of a kind of leg."""
    typical = math.sqrt(spread.ratio * (float(np.median(variance)) if spread.scale == "own" else 1.0))
    n = spread.degrees_of_freedom
    scatter = verb(spread.n_legs, "scatters", "scatter")
    of = "leg" if protocol not in MEASURES else "edge" if not MEASURES[protocol].absolute else "ligand"
    seen = f"{kind} {of}s of {protocol}: {count(spread.n_legs, of)} ({count(n, 'degree')} of freedom)"
    if spread.scale == "own":
        description = f"{seen} {scatter} {math.sqrt(spread.ratio):.2g} times as much as stated"
    else:
        description = f"{seen} {scatter} by {typical:.2g} kcal/mol; results state no uncertainty"
    return {
        "checked": "spread",
        "kind": kind,
        "subject": [protocol],
        "value_kcal_mol": typical,
        "uncertainty_kcal_mol": None,
        "z": None,
        "p_value": None,
        "flagged": False,
        "description": f"{description}; weight in each leg: {spread.prior_dof:.3g} degrees of freedom",
    }


def _names(legs: pl.DataFrame) -> list[str]:
    """Name each leg by its phase, or the kind of a difference, and its ligands."""
    names = []
    for protocol, phase, i, j in legs.select("protocol", "phase", "ligand_i", "ligand_j").iter_rows():
        measure, kind = MEASURES.get(protocol), _kind(protocol, phase)
        ligands = [end for end in (i, j) if end is not None and not is_absent(end)]
        of_one = f"absolute {kind}" if measure is not None else f"{kind} leg"
        names.append(f"{kind} {' -> '.join(ligands)}" if len(ligands) == 2 else f"{of_one} of {' '.join(ligands)}")
    return names


def _parallel_rows(legs: pl.DataFrame, chosen: LegUncertainties) -> list[dict[str, Any]]:
    """Return findings on pairs measured in both directions, or twice in one."""
    keys, names = legs["transformation"].to_list(), _names(legs)
    columns = ("ligand_i", "ligand_j", "protocol", "phase", "value_kcal_mol", "environment")
    given = []
    for k, (i, j, protocol, phase, value, environment) in enumerate(legs.select(columns).iter_rows()):
        kind = _kind(protocol, phase)
        known = cast("Phase", kind if kind in get_args(Phase) else "direct")
        number = math.nan if value is None else value
        given.append(Leg(i, j, known, number, float(chosen.uncertainty_kcal_mol[k]), environment))
    hysteresis, parallel = compare_parallel_legs(given)

    def say(finding: Finding) -> tuple[list[str], str]:
        first, second = (int(str(part)) for part in finding.subject)
        both = (
            f"{names[first]} and its reverse add up to"
            if finding in hysteresis
            else f"two legs {names[first]} differ by"
        )
        return [keys[first], keys[second]], f"{both} {_with_error(finding)}"

    rows = []
    for checked, findings in (("hysteresis", hysteresis), ("parallel", parallel)):
        for phase in dict.fromkeys(given[int(str(f.subject[0]))].phase for f in findings):
            of_phase = [f for f in findings if given[int(str(f.subject[0]))].phase == phase]
            rows += _rows(checked, phase, of_phase, say)
    return rows


# --- networks ---------------------------------------------------------------------------------------


def _edge_rows(solved: SolvedKind) -> list[dict[str, Any]]:
    """Return findings on edges that disagree with all others, and on cycles that do not close."""
    node_a, node_b, value, uncertainty = whole_edges(solved.edges, solved.kind)
    if not len(value):
        return []
    declared = {frozenset((edge.ligand_a, edge.ligand_b)) for edge in solved.edges if edge.whole and not edge.legs}

    def of_edge(finding: Finding) -> tuple[list[str], str]:
        a, b = (str(node) for node in finding.subject)
        side = "above" if finding.value_kcal_mol > 0 else "below"
        description = f"{abs(finding.value_kcal_mol):.2f} +/- {finding.uncertainty_kcal_mol:.2f} kcal/mol {side}"
        word = "declared " if frozenset((a, b)) in declared else ""
        edge = f"absolute {solved.kind} of {b}" if is_absent(a) else f"{word}{solved.kind} {a} -> {b}"
        return _ligands(finding), f"{edge} is {description} the value from the rest of the network"

    def of_cycle(finding: Finding) -> tuple[list[str], str]:
        return _ligands(finding), f"{solved.kind} {_around(finding)} adds up to {_with_error(finding)}"

    edges = disagreeing_edges(node_a, node_b, uncertainty, solved.estimate)
    cycles = close_cycles(node_a, node_b, value, uncertainty)
    return _rows("edge", solved.kind, edges, of_edge) + _rows("cycle", solved.kind, cycles, of_cycle)


def _ligands(finding: Finding) -> list[str]:
    return [str(node) for node in finding.subject if not is_absent(str(node))]


def _around(finding: Finding) -> str:
    """Name the cycle of a finding: its ligands in order; one through nothing has two absolute results."""
    nodes = [str(node) for node in finding.subject]
    gap = next((k for k, node in enumerate(nodes) if is_absent(node)), None)
    if gap is None:
        return " -> ".join([*nodes, nodes[0]])
    path = nodes[gap + 1 :] + nodes[:gap]
    return f"{' -> '.join(path)} with the absolute results of {path[0]} and {path[-1]}"


def _closure_rows(solved: SolvedKind) -> list[dict[str, Any]]:
    """Return the finding on all cycles together."""
    closure = solved.closure
    if not closure.degrees_of_freedom:
        return []
    share = closure.chi2 / closure.degrees_of_freedom
    description = (
        f"{solved.kind}: reduced chi-squared {share:.2f} over {count(closure.degrees_of_freedom, 'independent cycle')}"
    )
    flagged = closure.p_value < _CLOSURE_P
    found = Finding((solved.kind,), math.nan, math.nan, math.nan, closure.p_value, flagged)
    return _rows("closure", solved.kind, [found], lambda _: ([], f"{description} (chi-squared {closure.chi2:.1f})"))


def _with_error(finding: Finding) -> str:
    return f"{finding.value_kcal_mol:.2f} +/- {finding.uncertainty_kcal_mol:.2f} kcal/mol"
