"""Living networks grow by each content of a design file once: whatever is refused, changed, killed, or runs at once."""

from __future__ import annotations

import json
import threading
from pathlib import Path

import obstore
import polars as pl
import pytest
from obstore.store import from_url

from alchemiscale_lake.caller import Caller
from alchemiscale_lake.errors import AmbiguousScopeError, NotFoundError, PermissionDeniedError
from alchemiscale_lake.faults import fault_hook
from alchemiscale_lake.query import NetworkNames, find_network
from alchemiscale_lake.rounds import clear_strategy, get_strategy, set_strategy
from alchemiscale_lake.rounds.design_history import lineage
from alchemiscale_lake.rounds.growth import DesignGrowth, grow_network, living_network
from alchemiscale_lake.statestore.network_members import network_transformations
from alchemiscale_lake.statestore.network_state import set_network_state, set_network_weight
from alchemiscale_lake.statestore.restarts import add_task_restart_patterns, get_task_restart_patterns
from alchemiscale_lake.statestore.submit import submit_network
from alchemiscale_lake.statestore.task_operations import cancel_tasks, ensure_tasks
from alchemiscale_lake.store import Lake
from tests.design_files import aged, design

ADA = Caller("ada")
SCOPE = "org-programme-designs"


def grow(lake: Lake, folder: Path | str, **options: object) -> DesignGrowth:
    return grow_network(lake, str(folder), SCOPE, "tyk2", caller=ADA, **options)  # type: ignore[arg-type]


def n_edges(lake: Lake, network: str | None) -> int:
    assert network is not None
    return len(network_transformations(lake, network))


def rows(lake: Lake) -> pl.DataFrame:
    return lake.table("design_files").scan().collect().sort("pickup", "path")


@pytest.fixture
def designs(tmp_path: Path) -> Path:
    folder = tmp_path / "designs"
    folder.mkdir()
    return folder


def test_each_file_is_picked_up_once_and_only_what_is_new_is_stored(lake: Lake, designs: Path) -> None:
    assert grow(lake, designs) == DesignGrowth(None)
    design(designs, "week-1.json", "ab", "bc")
    first = grow(lake, designs)
    n_objects = lake.table("gufe_objects").scan().select(pl.len()).collect().item()
    design(designs / "later", "week-2.json", "bc", "cd")
    second = grow(lake, designs)

    assert (first.grown, first.n_new_transformations, n_edges(lake, first.network)) == (("week-1.json",), 2, 2)
    assert (second.grown, second.n_new_transformations) == (("later/week-2.json",), 1)
    assert n_edges(lake, second.network) == 3
    assert grow(lake, designs) == DesignGrowth(second.network)
    # Transformation cd, ChemicalSystem d with its component, and the network
    assert lake.table("gufe_objects").scan().select(pl.len()).collect().item() == n_objects + 4
    assert rows(lake)["outcome"].to_list() == ["grown", "grown"]
    assert lineage(lake, str(second.network)) == [first.network, second.network]
    assert living_network(lake, SCOPE, "tyk2") == second.network


def test_a_changed_file_is_noticed_and_one_with_nothing_new_makes_no_version(lake: Lake, designs: Path) -> None:
    design(designs, "a.json", "ab")
    first = grow(lake, designs)
    design(designs, "a.json", "bc", at=60)
    changed = grow(lake, designs)
    design(designs, "b.json", "ab")
    known = grow(lake, designs)
    design(designs, "a.json", "ab", at=120)  # as it was at first
    back = grow(lake, designs)

    assert (changed.grown, changed.changed) == (("a.json",), ("a.json",))
    assert n_edges(lake, changed.network) == 2, "nothing is taken away"
    assert (known.known, known.network) == (("b.json",), changed.network)
    assert (back.known, back.changed, back.network) == (("a.json",), ("a.json",), changed.network)
    digests = rows(lake).filter(pl.col("path") == "a.json")
    assert digests["replaces"].to_list() == [None, *digests["digest"].to_list()[:-1]]
    aged(designs / "a.json", 180)
    assert grow(lake, designs) == DesignGrowth(back.network), "touched, not changed"
    assert first.network != back.network


def test_a_refused_file_is_set_aside_with_the_reason_and_stops_no_other(lake: Lake, designs: Path) -> None:
    aged_text(designs / "bad.json", "{")
    aged_text(designs / "settings.json", '{"a": 1}')
    aged_text(designs / "readme.txt", "hello")
    aged_text(designs / ".hidden.json", "{")
    design(designs, "good.json", "ab")
    first = grow(lake, designs)

    assert (first.grown, first.refused) == (("good.json",), ("bad.json", "settings.json"))
    assert all(str(designs) not in reason and "/tmp" not in reason for reason in first.reasons)
    assert "bad.json" in first.reasons[0]
    note = designs / "bad.json.refused.txt"
    assert first.reasons[0] in note.read_text()
    assert (designs / "bad.json").read_text() == "{", "the file itself is left alone"
    assert grow(lake, designs) == DesignGrowth(first.network)
    again = grow(lake, designs, retry_refused=True)
    assert again.refused == ("bad.json", "settings.json")

    note.unlink()
    grow(lake, designs)
    assert note.exists(), "a reason that was lost, or not written by a killed run, is written again"
    design(designs, "bad.json", "bc", at=60)
    assert grow(lake, designs).grown == ("bad.json",)
    assert not note.exists()
    assert (designs / "settings.json.refused.txt").exists()


def aged_text(path: Path, text: str) -> None:
    path.write_text(text)
    aged(path)


def test_files_that_contradict_the_scope_or_each_other_are_refused(lake: Lake, designs: Path) -> None:
    path = design(designs, "a.json", "ab")
    edited = path.read_text().replace('"n_samples":20', '"n_samples":21').replace('"n_samples": 20', '"n_samples": 21')
    assert edited != path.read_text()
    aged_text(designs / "b.json", edited)
    design(designs, "c.json", "bc")

    growth = grow(lake, designs)

    assert (growth.grown, growth.refused) == (("a.json", "c.json"), ("b.json",))
    assert "edited" in growth.reasons[0]


def test_a_file_that_is_still_being_copied_waits(lake: Lake, designs: Path) -> None:
    design(designs, "a.json", "ab").touch()
    assert grow(lake, designs) == DesignGrowth(None, n_unsettled=1)
    assert grow(lake, designs, settle_s=0.0).grown == ("a.json",)


def test_a_file_whose_package_is_missing_waits_and_is_picked_up_once_it_is_there(
    lake: Lake, designs: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    nested = {"__module__": "late_package", "__qualname__": "LateNetwork", "nodes": [], "edges": [], "name": None}
    aged_text(designs / "late.json", json.dumps(nested))
    design(designs, "good.json", "ab")
    first = grow(lake, designs)
    assert (first.grown, first.refused, first.waiting) == (("good.json",), (), ("late.json",))
    assert "late_package" in first.reasons[0]
    note = designs / "late.json.refused.txt"
    assert "Install it where living networks grow" in note.read_text()
    assert grow(lake, designs) == DesignGrowth(first.network), "it is recorded once"

    package = "from gufe import AlchemicalNetwork\nclass LateNetwork(AlchemicalNetwork): pass\n"
    (tmp_path / "late_package.py").write_text(package)
    monkeypatch.syspath_prepend(tmp_path)
    read = grow(lake, designs)
    assert (read.waiting, len(read.refused) + len(read.grown) + len(read.known)) == ((), 1), "it is read again"
    assert rows(lake)["outcome"].to_list()[:2] == ["grown", "waiting"]
    assert len(rows(lake)) == 3


def test_a_missing_folder_and_a_caller_without_rights_are_refused(lake: Lake, tmp_path: Path) -> None:
    with pytest.raises(NotFoundError, match=r"there is no folder .*designs to pick up"):
        grow(lake, tmp_path / "designs")
    assert not (tmp_path / "designs").exists()
    with pytest.raises(PermissionDeniedError):
        grow_network(lake, str(tmp_path), SCOPE, "tyk2", caller=Caller("eve", ()))


def test_an_existing_network_of_the_name_goes_on_growing(lake: Lake, designs: Path, tmp_path: Path) -> None:
    before = submit_network(lake, design(tmp_path, "x.json", "ab"), SCOPE, name="tyk2").network
    design(designs, "b.json", "bc")
    growth = grow(lake, designs)
    assert n_edges(lake, growth.network) == 2
    assert lineage(lake, str(growth.network)) == [before, growth.network]


def test_it_does_not_guess_from_which_of_two_networks_to_grow(lake: Lake, designs: Path, tmp_path: Path) -> None:
    one = submit_network(lake, design(tmp_path, "x.json", "ab"), SCOPE, name="tyk2").network
    submit_network(lake, design(tmp_path, "y.json", "bc"), SCOPE, name="tyk2")
    design(designs, "b.json", "cd")
    with pytest.raises(AmbiguousScopeError, match="set the others inactive"):
        grow(lake, designs)
    set_network_state(lake, [one], "inactive", caller=ADA)
    assert n_edges(lake, grow(lake, designs).network) == 2


# --- succession -----------------------------------------------------------------------------------------


def test_the_grown_network_takes_over_name_strategy_weight_patterns_and_open_tasks(lake: Lake, designs: Path) -> None:
    design(designs, "a.json", "ab", "bc")
    old = str(grow(lake, designs).network)
    set_strategy(lake, [old], "fixed-repeats", settings={"repeats": 2}, caller=ADA, budget_gpu_hours=7.0)
    set_network_weight(lake, [old], 0.9, caller=ADA)
    add_task_restart_patterns(lake, old, ["NaN"], 3, caller=ADA)
    tasks = ensure_tasks(lake, old, 2, caller=ADA)
    cancel_tasks(lake, tasks[:1], old, caller=ADA)
    design(designs, "b.json", "cd")
    new = str(grow(lake, designs).network)

    plan = get_strategy(lake, new)
    assert plan is not None
    assert (plan.strategy, plan.budget_gpu_hours) == ("fixed-repeats", 7.0)
    states = lake.network_log.states()
    assert (states[new].state, states[new].weight, states[old].state) == ("active", 0.9, "inactive")
    assert get_task_restart_patterns(lake, new) == {"NaN": 3}
    actions = lake.task_log.states().live_actions()
    assert sorted(actions.filter(pl.col("network") == new)["task"]) == sorted(tasks[1:])
    assert find_network(lake, "tyk2") == new
    assert NetworkNames.of(lake).arguments(new) == "tyk2"
    assert NetworkNames.of(lake).title(old) == old

    # and what users change on the new one later is left alone
    clear_strategy(lake, [new], caller=ADA)
    cancel_tasks(lake, tasks, new, caller=ADA)
    grow(lake, designs)
    assert get_strategy(lake, new) is None
    assert not len(lake.task_log.states().live_actions().filter(pl.col("network") == new))


def test_a_paused_network_picks_up_nothing_until_it_is_active_again(lake: Lake, designs: Path) -> None:
    design(designs, "a.json", "ab")
    network = str(grow(lake, designs).network)
    design(designs, "b.json", "bc")
    set_network_state(lake, [network], "inactive", caller=ADA)
    assert grow(lake, designs) == DesignGrowth(network, paused=True)
    set_network_state(lake, [network], "active", caller=ADA)
    assert grow(lake, designs).grown == ("b.json",)


# --- killed, and two at once ----------------------------------------------------------------------------


class _Killed(BaseException):
    pass


POINTS = (
    "growth:files-read",
    "submit:gufe_objects-written",
    "submit:networks-written",
    "growth:submitted",
    "growth:recorded",
    "succession:strategy-set",
    "succession:patterns-set",
    "succession:tasks-actioned",
    "network-state:before-release",
)


@pytest.mark.parametrize("point", POINTS)
def test_killed_anywhere_the_next_run_continues(lake: Lake, designs: Path, point: str) -> None:
    design(designs, "a.json", "ab", "bc")
    old = str(grow(lake, designs).network)
    set_strategy(lake, [old], "fixed-repeats", caller=ADA)
    tasks = ensure_tasks(lake, old, 1, caller=ADA)
    design(designs, "b.json", "cd")
    aged_text(designs / "bad.json", "{")
    seen: list[str] = []

    def at(name: str) -> None:
        seen.append(name)
        if name == point:
            raise _Killed

    with fault_hook(at), pytest.raises(_Killed):
        grow(lake, designs)
    assert point in seen

    again = Lake.open(lake.url)
    network = grow_network(again, str(designs), SCOPE, "tyk2", caller=Caller("bob")).network
    assert n_edges(again, network) == 3
    assert rows(again).select("path", "outcome").rows() == [
        ("a.json", "grown"), ("b.json", "grown"), ("bad.json", "refused")
    ]  # fmt: skip
    assert (designs / "bad.json.refused.txt").exists()
    assert get_strategy(again, str(network)) == get_strategy(again, old)
    assert again.network_log.states()[old].state == "inactive"
    actions = again.task_log.states().live_actions()
    assert sorted(actions.filter(pl.col("network") == network)["task"]) == sorted(tasks)
    assert find_network(again, "tyk2") == network


def test_two_runs_at_once_pick_up_each_file_once(lake: Lake, designs: Path) -> None:
    design(designs, "a.json", "ab")
    old = str(grow(lake, designs).network)
    set_strategy(lake, [old], "fixed-repeats", caller=ADA)
    for name, pair in (("b.json", "bc"), ("c.json", "cd")):
        design(designs, name, pair)
    start, found = threading.Barrier(2), []

    def work(name: str) -> None:
        own = Lake.open(lake.url)
        start.wait()
        found.append(grow_network(own, str(designs), SCOPE, "tyk2", caller=Caller(name)).network)

    threads = [threading.Thread(target=work, args=(name,)) for name in ("ada", "bob")]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert len(found) == 2
    assert found[0] == found[1]
    assert rows(lake)["path"].to_list() == ["a.json", "b.json", "c.json"]
    assert n_edges(lake, found[0]) == 3


def test_one_who_comes_second_with_other_files_grows_from_what_the_first_made(lake: Lake, designs: Path) -> None:
    design(designs, "a.json", "ab")
    old = str(grow(lake, designs).network)
    design(designs, "b.json", "bc")
    once: list[str] = []

    def at(name: str) -> None:
        if name == "growth:submitted" and not once:
            # between the submission and the record of this run, another one picks up more
            once.append(name)
            design(designs, "c.json", "cd")
            grow_network(Lake.open(lake.url), str(designs), SCOPE, "tyk2", caller=Caller("bob"))

    with fault_hook(at):
        last = grow(lake, designs)

    assert n_edges(lake, last.network) == 3
    assert rows(lake)["path"].to_list() == ["a.json", "b.json", "c.json"]
    assert find_network(lake, "tyk2") == last.network
    states = lake.network_log.states()
    networks = lake.table("networks").scan().collect()["network"].to_list()
    assert len(networks) == 3
    assert [network for network in networks if network not in states or states[network].state == "active"] == [
        last.network
    ]
    assert old != last.network


def test_designs_in_a_bucket(bucket: str, lake: Lake, tmp_path: Path) -> None:
    store = from_url(bucket, client_options={"allow_http": True})
    obstore.put(store, "week/a.json", design(tmp_path, "a.json", "ab").read_bytes())
    obstore.put(store, "bad.json", b"{")
    first = grow(lake, bucket)
    assert (first.grown, first.refused) == (("week/a.json",), ("bad.json",))
    assert b"bad.json" in bytes(obstore.get(store, "bad.json.refused.txt").bytes())
    assert grow(lake, bucket) == DesignGrowth(first.network)
    obstore.put(store, "bad.json", design(tmp_path, "b.json", "bc").read_bytes())
    assert grow(lake, bucket).grown == ("bad.json",)
    assert sorted(str(meta["path"]) for batch in obstore.list(store) for meta in batch) == ["bad.json", "week/a.json"]


def test_a_folder_that_cannot_be_written_says_so_and_grows_nevertheless(
    lake: Lake, designs: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from alchemiscale_lake.errors import NotWritableError
    from alchemiscale_lake.store import ObjectStore

    aged_text(designs / "bad.json", "{")
    design(designs, "a.json", "ab")
    put = ObjectStore.put

    def refuse(self: ObjectStore, path: str, data: bytes) -> None:
        if path.endswith(".refused.txt"):
            raise NotWritableError(f"cannot write {path}: Permission denied")
        put(self, path, data)

    monkeypatch.setattr(ObjectStore, "put", refuse)
    growth = grow(lake, designs)
    assert growth.grown == ("a.json",)
    assert growth.note == "cannot write bad.json.refused.txt: Permission denied"
