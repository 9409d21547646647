"""Copies and merges: every result once, by reference, with the same numbers, whatever was killed or repeated."""

from __future__ import annotations

import hashlib
import shutil
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import gufe
import polars as pl
import pytest

from alchemiscale_lake.caller import Caller
from alchemiscale_lake.costs.cost_history import cost_history
from alchemiscale_lake.errors import (
    AmbiguousScopeError,
    InvalidNetworkError,
    InvalidScopeError,
    InvalidTransitionError,
    LakeError,
    NotFoundError,
    PermissionDeniedError,
    SchemaError,
)
from alchemiscale_lake.estimates.gathering import gather_network
from alchemiscale_lake.faults import fault_hook
from alchemiscale_lake.ids import Scope
from alchemiscale_lake.query import ask, connect, read_sql
from alchemiscale_lake.statestore.lake_verification import verify_lake
from alchemiscale_lake.statestore.network_copies import NetworkCopy, copy_network, merge_networks, merge_scopes
from alchemiscale_lake.statestore.network_members import network_transformations
from alchemiscale_lake.statestore.network_state import set_network_state
from alchemiscale_lake.statestore.result_recording import good_results
from alchemiscale_lake.statestore.submit import submit_network
from alchemiscale_lake.statestore.task_operations import create_tasks, ensure_tasks, set_tasks_status
from alchemiscale_lake.store import Lake
from alchemiscale_lake.tasks import Event, status
from tests.campaign import T0, Campaign, hours
from tests.example_networks import harmonic_network, sorted_edges
from tests.long import LONG, drawn

A, B, C, D = "org-campaign-a", "org-campaign-b", "org-campaign-c", "org-campaign-d"
ENERGIES = ("value_kcal_mol", "uncertainty_kcal_mol")
PARTS = ("unit_results", "result_files", "refused_files", "replicates")
ADA = Caller("ada")
WHOLE = harmonic_network(6, 9, seed=2, name="whole")


@pytest.fixture
def campaign(tmp_path: Path) -> Campaign:
    return Campaign.at(tmp_path / "lake")


@pytest.fixture
def lake(campaign: Campaign) -> Lake:
    return campaign.lake


def part(name: str, edges: Iterable[gufe.Transformation]) -> gufe.AlchemicalNetwork:
    return gufe.AlchemicalNetwork(list(edges), name=name)


def renamed(edges: Iterable[gufe.Transformation]) -> list[gufe.Transformation]:
    """Return the same calculations under other names, and so other keys."""
    return [gufe.Transformation(e.stateA, e.stateB, e.protocol, name=f"new {e.name}") for e in edges]


def value_of(transformation: str, repeat: int) -> float:
    """Return a number that depends on the calculation and its repeat only, not on its Scope."""
    digest = hashlib.sha256(f"{transformation.rsplit('-', 3)[0]} {repeat}".encode()).digest()
    return int.from_bytes(digest[:4], "big") / 2**31 - 1.0


def run(campaign: Campaign, network: str, repeats: Sequence[int] = (0, 1)) -> list[str]:
    """Complete one Task per Transformation and repeat, with an object in the lake; return the Tasks."""
    members = [t for t in network_transformations(campaign.lake, network) for _ in repeats]
    tasks = create_tasks(campaign.lake, members, caller=ADA)
    values = [
        value_of(t, repeat) for t, repeat in zip(members, list(repeats) * (len(tasks) // len(repeats)), strict=True)
    ]
    finish(campaign, dict(zip(tasks, values, strict=True)))
    return tasks


def finish(campaign: Campaign, values: Mapping[str, float]) -> None:
    """Complete Tasks by results with all their parts."""
    lake, states = campaign.lake, campaign.lake.task_log.states().of(list(values))
    parts: dict[str, list[dict[str, Any]]] = {name: [] for name in (*PARTS, "results")}
    events = []
    for task, value in values.items():
        campaign.n_attempts += 1
        attempt, content = f"{campaign.n_attempts:032x}", f"result of {task}".encode()
        here = {"scope": states[task].scope, "attempt": attempt}
        path = f"attempts/{states[task].scope}/{attempt}/result.json.zst"
        lake.objects.put(path, content)
        times = {"started_at": hours(campaign.n_attempts), "ended_at": hours(campaign.n_attempts + 1)}
        parts["result_files"].append(
            here | {"path": "traj.xtc", "n_bytes": 7, "digest": "0" * 64, "object_path": f"{path}.xtc"}
        )
        refused = {"path": "big.xtc", "n_bytes": 9, "kept_by": "permanent", "reason": "too large"}
        parts["refused_files"].append(here | refused)
        parts["replicates"] += [here | {"replicate": n, "value_kcal_mol": value + 0.1 * (n - 0.5)} for n in (0, 1)]
        unit = {"unit": "Unit-1", "try_number": 1, "name": "simulate", "qualname": "Unit", "ok": True}
        parts["unit_results"].append(here | times | unit | {"stdout_path": f"{path}.stdout"})
        result = {
            "task": task,
            "transformation": states[task].transformation,
            "ok": True,
            "estimate_kcal_mol": value,
            "uncertainty_kcal_mol": 0.1,
            "object_path": path,
            "digest": hashlib.sha256(content).hexdigest(),
            "n_bytes": len(content),
            "n_units": 1,
            "wall_time_s": 3600.0,
            "gpu_time_s": 1800.0,
            "hostname": "node1",
            "recorded_at": T0,
        }
        parts["results"].append(here | times | result)
        events.append(status.complete(states[task], attempt))
    for name, new in parts.items():
        lake.table(name).append_new(new)
    campaign.commit([event for event in events if isinstance(event, Event)])


def rows(lake: Lake, table: str, scope: str | None = None) -> pl.DataFrame:
    frame = lake.table(table).scan().collect()
    return frame if scope is None else frame.filter(pl.col("scope") == scope)


def counted(lake: Lake, scope: str) -> Counter[tuple[str, float]]:
    """Return the results that count in a Scope, by calculation and number."""
    frame = ask(connect(lake), "counted_results").filter(pl.col("scope") == scope)
    keys = frame["transformation"].str.strip_suffix(f"-{scope}")
    return Counter(zip(keys, frame["estimate_kcal_mol"], strict=True))


def numbers(lake: Lake, network: str) -> dict[str, float]:
    """Return estimate and uncertainty of every ligand and edge."""
    gather_network(lake, network)
    connection = connect(lake)
    ligands = ask(connection, "ligand_ranking", network=network)
    edges = ask(connection, "latest_edges", network=network)
    found = {(r["ligand"], name): r[name] for r in ligands.iter_rows(named=True) for name in ENERGIES}
    found |= {(r["ligand_i"], r["ligand_j"], n): r[n] for r in edges.iter_rows(named=True) for n in ENERGIES}
    return {" ".join(key): value for key, value in found.items()}


# --- copies ---------------------------------------------------------------------------------------


def test_a_copy_has_the_finished_tasks_by_reference(campaign: Campaign, lake: Lake) -> None:
    network = submit_network(lake, WHOLE, A).network
    done = run(campaign, network)
    ensure_tasks(lake, network, 3, caller=ADA)  # the third repeats wait
    paths = sorted(lake.objects.list("attempts"))

    copy = copy_network(lake, network, B, caller=ADA)

    assert (copy.new, copy.n_transformations, copy.n_new_transformations, copy.n_results) == (True, 9, 9, len(done))
    assert copy.n_referenced_bytes == rows(lake, "results", A)["n_bytes"].sum()
    assert sorted(lake.objects.list("attempts")) == paths, "no object was copied"
    assert counted(lake, B) == counted(lake, A)
    theirs = {row["attempt"]: row for row in rows(lake, "results", A).iter_rows(named=True)}
    own = ("scope", "attempt", "task", "transformation", "recorded_at", "origin_attempt")
    for row in rows(lake, "results", B).iter_rows(named=True):
        source = theirs[row["origin_attempt"]]
        assert {k: v for k, v in row.items() if k not in own} == {k: v for k, v in source.items() if k not in own}
        assert row["task"] == source["task"].replace(A, B)
    tasks = {row["task"]: row for row in rows(lake, "tasks", B).iter_rows(named=True)}
    assert {row["origin"] for row in tasks.values()} == set(done)
    assert lake.task_log.states().tasks.filter(pl.col("scope") == B)["status"].unique().to_list() == ["complete"]
    assert rows(lake, "networks", B).select("name", "made_by", "made_from").row(0) == ("whole", "copy", [network])


def test_units_files_and_repeats_come_along(campaign: Campaign, lake: Lake) -> None:
    network = submit_network(lake, WHOLE, A).network
    run(campaign, network, [0])
    copy_network(lake, network, B, caller=ADA)
    origin = dict(rows(lake, "results", B).select("attempt", "origin_attempt").iter_rows())
    for table in PARTS:
        here = rows(lake, table, B).with_columns(pl.col("attempt").replace_strict(origin), scope=pl.lit(A))
        assert sorted(here.rows(), key=repr) == sorted(rows(lake, table, A).rows(), key=repr), table


def test_extends_points_to_the_copy(campaign: Campaign, lake: Lake) -> None:
    network = submit_network(lake, WHOLE, A).network
    first = run(campaign, network, [0])[0]
    transformation = network_transformations(lake, network)[0]
    (second,) = create_tasks(lake, [transformation], extends=first, caller=ADA)
    (third,) = create_tasks(lake, [transformation], extends=second, caller=ADA)
    finish(campaign, {second: 2.0, third: 3.0})

    copy_network(lake, network, B, caller=ADA)

    extends = dict(rows(lake, "tasks", B).select("task", "extends").iter_rows())
    assert extends[third.replace(A, B)] == second.replace(A, B)
    assert extends[second.replace(A, B)] == first.replace(A, B)
    assert extends[first.replace(A, B)] is None
    (fourth,) = create_tasks(
        lake, [transformation.replace(A, B)], extends=third.replace(A, B), caller=ADA
    )  # continues from the object of the other Scope
    assert lake.task_log.states().of([fourth])[fourth].extends == third.replace(A, B)
    result = good_results(lake, [third.replace(A, B)])[third.replace(A, B)]
    assert lake.objects.get(result.object_path) == f"result of {third}".encode()


def test_what_extends_an_invalid_task_stays_behind(campaign: Campaign, lake: Lake) -> None:
    """A result that is merged back extends a Task which its own Scope has declared invalid since."""
    network = submit_network(lake, WHOLE, A).network
    first = run(campaign, network, [0])[0]
    copy = copy_network(lake, network, B, caller=ADA)
    there = first.replace(A, B)
    transformation = network_transformations(lake, copy.network)[0]
    (second,) = create_tasks(lake, [transformation], extends=there, caller=ADA)
    finish(campaign, {second: 2.0})
    set_tasks_status(lake, [first], "invalid", caller=ADA)

    copy_network(lake, copy.network, A, caller=ADA)

    assert second.replace(B, A) not in set(rows(lake, "tasks", A)["task"])


def test_experimental_values_come_along(campaign: Campaign, lake: Lake) -> None:
    network = submit_network(lake, WHOLE, A).network
    run(campaign, network)
    campaign.scope = A
    for i, ligand in enumerate(ask(connect(lake), "network_legs", network=network)["ligand_i"].unique().sort()):
        campaign.assay(ligand, -7.0 - i, kind="direct")
    before = numbers(lake, network)

    copy = copy_network(lake, network, B, caller=ADA)

    assert copy.n_assays == len(rows(lake, "assays", A)) == len(rows(lake, "assays", B)) > 1
    assert numbers(lake, copy.network) == pytest.approx(before, abs=1e-12)
    assert copy_network(lake, network, B, caller=ADA).n_assays == 0


# --- every result once ----------------------------------------------------------------------------


def test_a_copy_that_comes_back_adds_nothing(campaign: Campaign, lake: Lake) -> None:
    network = submit_network(lake, WHOLE, A).network
    run(campaign, network)
    there = copy_network(lake, network, B, caller=ADA).network
    on = copy_network(lake, there, C, caller=ADA).network
    before = counted(lake, A)

    back = copy_network(lake, on, A, caller=ADA)
    again = merge_networks(lake, [on, network, there], "all", C, caller=ADA)

    assert (back.n_results, back.n_known_results, back.new) == (0, 18, False)
    assert (again.n_results, again.n_known_results) == (0, 18)
    assert counted(lake, A) == counted(lake, B) == counted(lake, C) == before
    assert set(rows(lake, "tasks", C)["origin"]) == set(rows(lake, "tasks", A)["task"]), "the Tasks that computed"


def test_repeating_a_copy_adds_what_the_source_has_got_since(campaign: Campaign, lake: Lake) -> None:
    network = submit_network(lake, WHOLE, A).network
    run(campaign, network, [0])
    copy_network(lake, network, B, caller=ADA)
    run(campaign, network, [1])
    again = copy_network(lake, network, B, caller=ADA)
    assert (again.new, again.n_results, again.n_known_results) == (False, 9, 9)
    assert counted(lake, B) == counted(lake, A)


def test_a_merge_of_two_scopes_has_every_result_once_and_the_same_numbers(campaign: Campaign, lake: Lake) -> None:
    """Compared with one network that got all results itself."""
    edges = sorted_edges(WHOLE)
    one = submit_network(lake, part("one", edges[:6]), A).network
    two = submit_network(lake, part("two", edges[3:]), B).network
    all_in_one = submit_network(lake, WHOLE, D).network
    run(campaign, one, [0])
    run(campaign, two, [1])
    repeats = {f"{edge.key}-{D}": (0,) if i < 3 else (0, 1) if i < 6 else (1,) for i, edge in enumerate(edges)}
    wanted = [(transformation, repeat) for transformation, of_it in repeats.items() for repeat in of_it]
    made = create_tasks(lake, [transformation for transformation, _ in wanted], caller=ADA)
    finish(campaign, {task: value_of(*one) for task, one in zip(made, wanted, strict=True)})

    merged = merge_networks(lake, [one, two], "whole", C, caller=ADA)
    repeated = merge_networks(lake, [one, two], "whole", C, caller=ADA)

    assert (merged.n_transformations, merged.n_results, merged.n_recognised) == (9, 12, 0)
    assert (repeated.n_results, repeated.new, repeated.network) == (0, False, merged.network)
    assert counted(lake, C) == counted(lake, D) == counted(lake, A) + counted(lake, B)
    assert len(numbers(lake, all_in_one)) == 2 * (6 + 9)
    assert numbers(lake, merged.network) == pytest.approx(numbers(lake, all_in_one), abs=1e-12)


def test_the_same_calculation_under_other_keys_is_recognised(campaign: Campaign, lake: Lake) -> None:
    edges = sorted_edges(WHOLE)
    one = submit_network(lake, part("one", edges), A).network
    two = submit_network(lake, part("two", renamed(edges)), B).network
    run(campaign, one, [0])
    run(campaign, two, [1])

    merged = merge_networks(lake, [one, two], "both", C, caller=ADA)

    assert (merged.n_transformations, merged.n_recognised, merged.n_results) == (9, 9, 18)
    assert network_transformations(lake, merged.network) == sorted(f"{edge.key}-{C}" for edge in edges)
    assert sorted(Counter(rows(lake, "results", C)["transformation"]).values()) == [2] * 9


def test_a_copy_finds_the_calculations_that_its_scope_has_under_other_keys(campaign: Campaign, lake: Lake) -> None:
    edges = sorted_edges(WHOLE)
    network = submit_network(lake, part("one", renamed(edges)), A).network
    submit_network(lake, part("two", edges), B)
    run(campaign, network, [0])
    copy = copy_network(lake, network, B, caller=ADA)
    assert (copy.n_new_transformations, copy.n_results) == (0, 9)
    assert network_transformations(lake, copy.network) == sorted(f"{edge.key}-{B}" for edge in edges)
    back = copy_network(lake, copy.network, A, caller=ADA)
    assert (back.n_results, back.n_new_transformations) == (0, 0)


def test_a_calculation_that_is_twice_in_one_network_stays_twice(lake: Lake) -> None:
    edges = sorted_edges(WHOLE)[:2]
    twice = submit_network(lake, part("twice", [*edges, *renamed(edges[:1])]), A).network
    once = submit_network(lake, part("once", edges), B).network
    assert merge_networks(lake, [once, twice], "m", C, caller=ADA).n_transformations == 3
    assert merge_networks(lake, [twice, once], "n", C, caller=ADA).n_transformations == 3


def test_networks_of_one_scope_are_merged_there(campaign: Campaign, lake: Lake) -> None:
    edges = sorted_edges(WHOLE)
    one = submit_network(lake, part("one", edges[:6]), A).network
    two = submit_network(lake, part("two", edges[3:]), A).network
    run(campaign, one, [0])
    before = len(rows(lake, "results"))
    merged = merge_networks(lake, [one, two], "whole", A, caller=ADA)
    assert (merged.n_transformations, merged.n_new_transformations, merged.n_results) == (9, 0, 0)
    assert len(rows(lake, "results")) == before


def test_active_networks_of_scopes_are_copied(campaign: Campaign, lake: Lake) -> None:
    edges = sorted_edges(WHOLE)
    one = submit_network(lake, part("one", edges[:4]), A).network
    submit_network(lake, part("one", edges[4:]), B)
    asleep = submit_network(lake, part("asleep", edges[:1]), B).network
    set_network_state(lake, [asleep], "inactive", caller=ADA)
    run(campaign, one, [0])

    copies = merge_scopes(lake, ["org-campaign-*"], C, caller=ADA)
    again = merge_scopes(lake, [A, B], C, caller=ADA)

    assert [(copy.name, copy.n_results) for copy in copies] == [("one", 4), (f"one from {B}", 0)]
    assert [(copy.name, copy.n_results, copy.new) for copy in again] == [
        ("one", 0, False),
        (f"one from {B}", 0, False),
    ]


def test_a_dry_run_foretells_and_writes_nothing(campaign: Campaign, lake: Lake) -> None:
    network = submit_network(lake, WHOLE, A).network
    run(campaign, network)
    campaign.scope = A
    campaign.assay("lig000", -7.0, kind="direct")
    versions = {name: lake.table(name).snapshot().version() for name in lake.tables}
    foretold = copy_network(lake, network, B, caller=ADA, dry_run=True)
    assert {name: lake.table(name).snapshot().version() for name in lake.tables} == versions
    assert copy_network(lake, network, B, caller=ADA) == foretold


# --- accounts -------------------------------------------------------------------------------------


def test_compute_and_storage_are_counted_where_they_were_spent(campaign: Campaign, lake: Lake) -> None:
    network = submit_network(lake, WHOLE, A).network
    run(campaign, network)
    hours, evidence = ask(connect(lake), "throughput")["gpu_h"].sum(), cost_history(lake).n_results
    failures = ask(connect(lake), "failure_rates", dimension="scope").rows()
    stored = ask(connect(lake), "scope_storage").rows()
    copy = copy_network(lake, network, B, caller=ADA).network
    assert ask(connect(lake), "throughput")["gpu_h"].sum() == hours
    assert ask(connect(lake), "failure_rates", dimension="scope").rows() == failures
    assert ask(connect(lake), "scope_storage").rows() == stored
    assert cost_history(lake).n_results == evidence
    shares = ask(connect(lake), "network_storage").select("network", "result_bytes", "file_bytes", "shared_bytes")
    n_bytes = rows(lake, "results", A)["n_bytes"].sum()
    files = rows(lake, "result_files", A)["n_bytes"].sum()
    assert set(shares.rows()) == {(one, n_bytes, files, n_bytes + files) for one in (network, copy)}


def test_a_lake_with_copies_is_whole(campaign: Campaign, lake: Lake) -> None:
    network = submit_network(lake, WHOLE, A).network
    run(campaign, network)
    for row in rows(lake, "result_files").iter_rows(named=True):
        lake.objects.put(row["object_path"], b"content")
    digest = hashlib.sha256(b"content").hexdigest()
    before = [flaw for flaw in verify_lake(lake).flaws if digest not in str(flaw)]
    copy_network(lake, network, B, caller=ADA)
    assert [flaw for flaw in verify_lake(lake).flaws if digest not in str(flaw)] == before


# --- what is refused ------------------------------------------------------------------------------


Refused = tuple[Callable[[Lake, str], Any], type[LakeError], str]
READER = Caller("bob", ((Scope.from_str(A), "read"), (Scope.from_str(B), "read")))
WRITER = Caller("bob", ((Scope.from_str(B), "write"),))
REFUSED: dict[str, Refused] = {
    "no such network": (
        lambda lake, n: copy_network(lake, n.replace(A, C), B, caller=ADA),
        NotFoundError,
        "has no network",
    ),
    "its own Scope": (lambda lake, n: copy_network(lake, n, A, caller=ADA), InvalidNetworkError, "is in Scope"),
    "a wildcard": (lambda lake, n: copy_network(lake, n, "org-*-*", caller=ADA), InvalidScopeError, "wildcard"),
    "may not write": (lambda lake, n: copy_network(lake, n, B, caller=READER), PermissionDeniedError, f"write.*{B}"),
    "may not read": (lambda lake, n: copy_network(lake, n, B, caller=WRITER), PermissionDeniedError, f"read.*{A}"),
    "no such state": (lambda lake, n: copy_network(lake, n, B, state="on", caller=ADA), SchemaError, "'on'"),
    "one network": (
        lambda lake, n: merge_networks(lake, [n, n], "x", B, caller=ADA),
        InvalidNetworkError,
        "at least two",
    ),
    "a name of another network": (
        lambda lake, n: copy_network(lake, n, B, name="other", caller=ADA),
        AmbiguousScopeError,
        "not part of this one",
    ),
    "a Scope without networks": (
        lambda lake, n: merge_scopes(lake, ["org-campaign-x"], B, caller=ADA),
        NotFoundError,
        "no network in Scope",
    ),
    "only the target": (lambda lake, n: merge_scopes(lake, [B], B, caller=ADA), NotFoundError, "no active network"),
    "scopes that may not be read": (
        lambda lake, n: merge_scopes(lake, [A], B, caller=WRITER),
        PermissionDeniedError,
        "read",
    ),
}


@pytest.mark.parametrize("case", REFUSED)
def test_what_is_refused_writes_nothing(lake: Lake, case: str) -> None:
    network = submit_network(lake, WHOLE, A).network
    submit_network(lake, harmonic_network(3, 3, seed=9, name="other"), B)
    versions = {name: lake.table(name).snapshot().version() for name in lake.tables}
    act, error, message = REFUSED[case]
    with pytest.raises(error, match=message):
        act(lake, network)
    assert {name: lake.table(name).snapshot().version() for name in lake.tables} == versions


@pytest.mark.parametrize("state", ["invalid", "deleted"])
def test_a_network_that_is_invalid_or_deleted_is_not_copied(lake: Lake, state: str) -> None:
    network = submit_network(lake, WHOLE, A).network
    set_network_state(lake, [network], state, caller=ADA)
    with pytest.raises(InvalidTransitionError, match=f"is {state}"):
        copy_network(lake, network, B, caller=ADA)


def test_a_name_goes_on_to_a_network_that_contains_the_former_one(lake: Lake) -> None:
    edges = sorted_edges(WHOLE)
    parts = [submit_network(lake, part(f"p{n}", edges[n : n + 3]), A).network for n in (0, 3, 6)]
    merge_networks(lake, parts[:2], "all", B, caller=ADA)
    assert merge_networks(lake, parts, "all", B, caller=ADA).new


def test_the_state_of_a_copy_can_be_given(lake: Lake) -> None:
    network = submit_network(lake, WHOLE, A).network
    copy = copy_network(lake, network, B, state="inactive", caller=ADA)
    assert lake.network_log.states()[copy.network].state == "inactive"


# --- killed anywhere ------------------------------------------------------------------------------


class Killed(BaseException):
    """The process ends here."""


def before_the_merge(folder: Path) -> tuple[str, str]:
    """Return two networks of two Scopes with results."""
    campaign, edges = Campaign.at(folder), sorted_edges(WHOLE)
    one = submit_network(campaign.lake, part("one", edges[:6]), A).network
    two = submit_network(campaign.lake, part("two", edges[3:]), B).network
    run(campaign, one, [0])
    run(campaign, two, [1])
    campaign.scope = A
    campaign.assay("lig000", -7.0, kind="direct")
    return one, two


def merge(folder: Path, networks: Sequence[str]) -> NetworkCopy:
    return merge_networks(Lake.open(folder), networks, "whole", C, state="inactive", caller=ADA)


def left(folder: Path) -> dict[str, Any]:
    lake = Lake.open(folder)
    tables = ("networks", "network_members", "transformations", "calculations", "tasks", "results", "assays", *PARTS)
    status = lake.task_log.states().tasks.filter(pl.col("scope") == C)["status"]
    found: dict[str, Any] = {name: len(rows(lake, name, C)) for name in tables}
    return found | {"status": Counter(status), "counted": counted(lake, C)}


@pytest.mark.parametrize("n_points", [5, pytest.param(1000, marks=LONG)])
def test_killed_between_any_two_writes_a_merge_is_completed_by_repeating_it(n_points: int, tmp_path: Path) -> None:
    kept = tmp_path / "kept"
    networks = before_the_merge(kept)
    undisturbed = shutil.copytree(kept, tmp_path / "undisturbed")
    points: list[str] = []
    seen: list[tuple[int, int]] = []

    def note(point: str) -> None:
        points.append(point)
        lake = Lake.open(undisturbed)
        seen.append((len(rows(lake, "networks", C)), counted(lake, C).total()))

    with fault_hook(note):
        merge(undisturbed, networks)
    expected = left(undisturbed)
    assert expected["counted"].total() == 12
    assert {n_results for n_networks, n_results in seen if n_networks} == {12}, "visible before its results"
    ours = [point for point in dict.fromkeys(points) if point.startswith(("carry:", "copy:", "submit:"))]
    assert len(ours) >= 12

    for n, point in enumerate(drawn(ours, n_points)):
        folder = shutil.copytree(kept, tmp_path / f"lake{n}")

        def kill(name: str, point: str = point) -> None:
            if name == point:
                raise Killed

        with pytest.raises(Killed), fault_hook(kill):
            merge(folder, networks)
        merge(folder, networks)
        assert left(folder) == expected, point
    assert merge(folder, networks).n_results == 0
    assert left(folder) == expected


def test_where_a_result_was_computed_is_a_question(campaign: Campaign, lake: Lake) -> None:
    network = submit_network(lake, WHOLE, A).network
    done = run(campaign, network, [0])
    copy_network(lake, network, B, caller=ADA)
    sql = (
        "select origin from tasks join results using (scope, task) where scope = $scope and origin_attempt is not null"
    )
    assert set(read_sql(connect(lake), sql, {"scope": B})["origin"]) == set(done)
