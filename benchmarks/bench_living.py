"""A living network: ten weekly rounds, each adding ligands; then a merge of two Scopes.

Every week a larger network is submitted to the same Scope, gets two Tasks per Transformation, and what is new is
computed for real (HarmonicProtocol, in this process), recorded and gathered. Reported per week: the Tasks that ran and
the bytes that were stored, and as ratios: per new Transformation, per existing one, and compared with storing the
whole network anew in a fresh lake. Then two Scopes with different results of the network are merged into a third.
Nothing depends on the speed of the machine. Run it with ``python -m benchmarks.bench_living``.
"""

from __future__ import annotations

import hashlib
import random
import tempfile
from pathlib import Path
from typing import Any

import gufe
import numpy as np
import polars as pl
import zstandard

from alchemiscale_lake import gufe_adapter
from alchemiscale_lake.caller import Caller
from alchemiscale_lake.estimates.gathering import gather_network
from alchemiscale_lake.ids import ScopedKey
from alchemiscale_lake.query import ask, connect
from alchemiscale_lake.schemas.receipt import Receipt
from alchemiscale_lake.statestore.claims import Claim, claim_tasks
from alchemiscale_lake.statestore.network_copies import merge_networks
from alchemiscale_lake.statestore.result_recording import record_receipts
from alchemiscale_lake.statestore.submit import submit_network
from alchemiscale_lake.statestore.task_operations import action_tasks, create_tasks, ensure_tasks
from alchemiscale_lake.store import Lake
from tests.example_networks import harmonic_transformation
from tests.plain import plain_receipt

from . import _table
from .bench_estimates import _execute

NAME = "living"
TARGET = "Tasks and bytes of a week in proportion to what is new; a merge has every result once and changes no number"

_ME = Caller("bench")
#: New ligands of each week.
_WEEKS = (8, 2, 4, 1, 6, 3, 5, 2, 4, 3)
_REPEATS = 2
_SETTINGS = {"n_samples": 20, "n_windows": 2, "protocol_seed": 7}
_SCOPE, _ONE, _TWO, _BOTH, _ALL = (f"org-campaign-{name}" for name in ("living", "one", "two", "both", "all"))
_SPREAD, _OLD, _SMALLEST_KCAL = 1.25, 0.1, 1e-9


def run(quick: bool = False) -> list[dict[str, Any]]:
    """Grow a network, compare with storing it anew, and merge two Scopes.

    Returns
    -------
    list of dict
        One row per week, then rows with name, ours, reference, ratio, target and ok.
    """
    weeks = [_edges(sum(_WEEKS[: n + 1])) for n in range(4 if quick else len(_WEEKS))]
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        grown = Lake.create(folder / "grown")
        rows = [_week(grown, n, edges, folder) for n, edges in enumerate(weeks, 1)]
        fresh = Lake.create(folder / "fresh")
        anew = _week(fresh, 1, weeks[-1], folder)
        return [*rows, *_ratios(rows, anew, quick=quick), *_merge(folder, weeks[-1])]


def _edges(n_ligands: int) -> list[gufe.Transformation]:
    """Return the edges of the first ligands: every ligand is joined to two earlier ones."""
    edges = []
    for i in range(1, n_ligands):
        draw = random.Random(i)
        for j in sorted(draw.sample(range(i), min(2, i))):
            edges.append(harmonic_transformation(f"lig{j:02d}", f"lig{i:02d}", **_SETTINGS))
    return edges


def _week(lake: Lake, week: int, edges: list[gufe.Transformation], folder: Path) -> dict[str, Any]:
    """Submit, compute and gather the network of a week."""
    before = _folder_bytes(lake)
    submission = submit_network(lake, gufe.AlchemicalNetwork(edges, name=f"week{week}"), _SCOPE, caller=_ME)
    n_tasks, result_bytes = _compute(lake, submission.network, edges, _REPEATS, folder)
    report = gather_network(lake, submission.network)
    assert report.n_estimated == submission.n_transformations
    n_new = submission.n_new_transformations
    return {
        "name": f"week {week}",
        "transformations": submission.n_transformations,
        "new": n_new,
        "objects": submission.n_new_objects,
        "tasks": n_tasks,
        "regathered": report.n_regathered,
        "result_bytes": result_bytes,
        "lake_bytes": _folder_bytes(lake) - before,
        "tasks_per_new": n_tasks / n_new,
        "result_bytes_per_new": result_bytes / n_new,
        "lake_bytes_per_new": (_folder_bytes(lake) - before) / n_new,
    }


def _compute(lake: Lake, network: str, edges: list[gufe.Transformation], repeats: int, folder: Path) -> tuple[int, int]:
    """Run the Tasks that a network lacks; return their number and the bytes of their results."""
    by_key = {str(edge.key): edge for edge in edges}
    made = ensure_tasks(lake, network, repeats, caller=_ME)
    claims = claim_tasks(lake, "local", len(made), lease_s=86_400, caller=_ME)
    assert sorted(claim.task for claim in claims) == sorted(made)
    receipts = [
        _receipt(lake, claim, by_key["-".join(claim.transformation.split("-")[:2])], folder) for claim in claims
    ]
    record_receipts(lake, receipts, caller=_ME)
    return len(made), sum(int(receipt.result["n_bytes"]) for receipt in receipts)


def _receipt(lake: Lake, claim: Claim, edge: gufe.Transformation, folder: Path) -> Receipt:
    """Compute a result, and store its object."""
    result = _execute(edge, folder)
    found = gufe_adapter.estimate(edge, [result])
    plain = plain_receipt(claim, estimate=found.value_kcal_mol)
    data = zstandard.compress(gufe_adapter.dumps_chain(result), 3)
    lake.objects.put(str(plain.result["object_path"]), data)
    stored = {"n_bytes": len(data), "digest": hashlib.sha256(data).hexdigest()}
    row = {**plain.result, **stored, "uncertainty_kcal_mol": found.uncertainty_kcal_mol}
    return Receipt(result=row, units=plain.units, files=[], host=plain.host)


def _folder_bytes(lake: Lake) -> int:
    assert lake.local_path is not None
    return sum(path.stat().st_size for path in lake.local_path.rglob("*") if path.is_file())


# --- ratios -----------------------------------------------------------------------------------------


def _ratios(weeks: list[dict[str, Any]], anew: dict[str, Any], *, quick: bool) -> list[dict[str, Any]]:
    tasks = [week["tasks_per_new"] for week in weeks]
    sizes = [week["result_bytes_per_new"] for week in weeks]
    of_results, of_lake = (sum(week[name] for week in weeks) for name in ("result_bytes", "lake_bytes"))
    fixed, per_new, per_old = _parts(weeks)
    return [
        _ratio("Tasks per new Transformation, most and least of all weeks", max(tasks), min(tasks), 1.0),
        _ratio("regathered per new Transformation, last week", weeks[-1]["regathered"], weeks[-1]["new"], 1.0),
        _ratio("Tasks of all weeks, and of the network anew", sum(week["tasks"] for week in weeks), anew["tasks"], 1.0),
        _ratio("bytes of results per new Transformation, most and least", max(sizes), min(sizes), _SPREAD),
        _ratio("bytes of results of all weeks, and of the network anew", of_results, anew["result_bytes"], 1.05),
        _ratio("bytes of the lake per week and existing Transformation, and per new one", per_old, per_new, _OLD)
        | {"ok": quick or per_old <= _OLD * per_new},
        _ratio("bytes of the lake per week whatever is new, and per new Transformation", fixed, per_new, None),
        _ratio("bytes of the lake, all weeks, and the network anew", of_lake, anew["lake_bytes"], None),
    ]


def _parts(weeks: list[dict[str, Any]]) -> tuple[float, float, float]:
    """Split the bytes of a week: fixed, per new Transformation, and per existing one (least squares)."""
    inputs = np.array([[1.0, week["new"], week["transformations"] - week["new"]] for week in weeks])
    parts, *_ = np.linalg.lstsq(inputs, np.array([float(week["lake_bytes"]) for week in weeks]))
    return float(parts[0]), float(parts[1]), float(parts[2])


def _ratio(name: str, ours: float, reference: float, most: float | None) -> dict[str, Any]:
    ratio = ours / reference
    return {
        "name": name,
        "ours": ours,
        "reference": reference,
        "ratio": ratio,
        "target": "none" if most is None else f"<= {most:g}x",
        "ok": most is None or ratio <= most + 1e-12,
    }


# --- merge ------------------------------------------------------------------------------------------


def _merge(folder: Path, edges: list[gufe.Transformation]) -> list[dict[str, Any]]:
    """Merge two Scopes that share half of their Transformations; compare with one network that has all results."""
    lake = Lake.create(folder / "merged")
    half, quarter = len(edges) // 2, len(edges) // 4
    parts = {_ONE: edges[: half + quarter], _TWO: edges[half - quarter :]}
    networks = []
    for scope, own in parts.items():
        networks.append(submit_network(lake, gufe.AlchemicalNetwork(own, name=scope), scope, caller=_ME).network)
        _compute(lake, networks[-1], own, 1, folder)
    stored = _folder_bytes(lake)
    whole = submit_network(lake, gufe.AlchemicalNetwork(edges, name="all"), _ALL, caller=_ME).network
    _repeat_results(lake, whole, networks)
    before = _folder_bytes(lake), len(lake.objects.list("attempts"))
    first = merge_networks(lake, networks, "both", _BOTH, caller=_ME)
    added = _folder_bytes(lake) - before[0]
    again = merge_networks(lake, [*networks, first.network], "both", _BOTH, caller=_ME)
    n_results = sum(len(own) for own in parts.values())
    counted = len(ask(connect(lake, _BOTH), "counted_results"))
    apart = _apart(_numbers(lake, first.network), _numbers(lake, whole))
    assert len(lake.objects.list("attempts")) == before[1], "an object was copied"
    return [
        _ratio("results after two merges, and of both Scopes", counted, n_results, 1.0) | {"ok": counted == n_results},
        _ratio("results added by the second merge, per result", again.n_results, n_results, 0.0),
        _ratio("bytes written by the merge, and stored by both Scopes before", added, stored, 0.5),
        _ratio("largest change of a ligand or edge, kcal/mol", apart, 1.0, _SMALLEST_KCAL),
    ]


def _repeat_results(lake: Lake, whole: str, networks: list[str]) -> None:
    """Record all results of two networks, as if they had been computed for a third."""
    scope = str(ScopedKey.from_str(whole).scope)
    scopes = {str(ScopedKey.from_str(network).scope) for network in networks}
    done = ask(connect(lake), "counted_results").filter(pl.col("scope").is_in(scopes))
    numbers: dict[str, list[tuple[float, float]]] = {}
    for key, value, uncertainty in done.select(
        "transformation", "estimate_kcal_mol", "uncertainty_kcal_mol"
    ).iter_rows():
        numbers.setdefault(f"{ScopedKey.from_str(key).gufe_key}-{scope}", []).append((value, uncertainty))
    made = create_tasks(lake, [key for key, of_it in numbers.items() for _ in of_it], caller=_ME)
    action_tasks(lake, made, whole, caller=_ME)
    receipts = []
    for claim in claim_tasks(lake, "local", len(made), lease_s=86_400, caller=_ME):
        value, uncertainty = numbers[claim.transformation].pop()
        plain = plain_receipt(claim, estimate=value)
        row = {**plain.result, "uncertainty_kcal_mol": uncertainty}
        receipts.append(Receipt(result=row, units=plain.units, files=[], host=plain.host))
    record_receipts(lake, receipts, caller=_ME)


def _numbers(lake: Lake, network: str) -> dict[str, float]:
    gather_network(lake, network)
    connection = connect(lake)
    found: dict[str, float] = {}
    for query, names in (("ligand_ranking", ("ligand",)), ("latest_edges", ("ligand_i", "ligand_j"))):
        for row in ask(connection, query, network=network).iter_rows(named=True):
            for column in ("value_kcal_mol", "uncertainty_kcal_mol"):
                found[" ".join([*(row[name] for name in names), column])] = row[column]
    return found


def _apart(mine: dict[str, float], other: dict[str, float]) -> float:
    assert mine.keys() == other.keys()
    return max(abs(mine[name] - other[name]) for name in mine)


if __name__ == "__main__":
    _table.main(run)
