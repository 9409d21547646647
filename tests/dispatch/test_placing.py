"""Where Tasks start: capacity, time, hosts to avoid, and never any oversubscription."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st

from alchemiscale_lake.dispatch.executor import Place
from alchemiscale_lake.dispatch.placing import Draft, place_drafts, workers_wanted
from alchemiscale_lake.resources import Resources

GPU = Resources(cores=8, memory_bytes=32, gpus=1.0)


def place(name: str, free: Resources = GPU, **more: object) -> Place:
    return Place(name, GPU, free, **{"slots": 16, "hostname": name, **more})  # type: ignore[arg-type]


def draft(task: str, gpus: float = 1.0, cores: int = 1, **more: object) -> Draft:
    return Draft(task, Resources(cores, None, gpus), **more)  # type: ignore[arg-type]


def test_four_quarters_share_a_gpu_and_the_fifth_waits() -> None:
    drafts = [draft(f"t{i}", gpus=0.25) for i in range(5)]
    assert place_drafts(drafts, [place("a")]) == dict.fromkeys(["t0", "t1", "t2", "t3"], "a")


def test_a_worker_in_use_is_filled_before_an_idle_one() -> None:
    half_used = place("b", Resources(4, 16, 0.5))
    assert place_drafts([draft("t", gpus=0.5)], [place("a"), half_used]) == {"t": "b"}


def test_slots_bound_what_a_place_takes() -> None:
    drafts = [draft(f"t{i}", gpus=0.0, cores=1) for i in range(8)]
    assert len(place_drafts(drafts, [place("a", slots=3)])) == 3


def test_a_task_too_long_for_what_is_left_of_a_job_does_not_start_there() -> None:
    places = [place("a", ends_in_s=1000.0), place("b", ends_in_s=5000.0)]
    assert place_drafts([draft("t", duration_s=900.0)], places, retire_before_s=200.0) == {"t": "b"}
    assert place_drafts([draft("t", duration_s=None)], places[:1], retire_before_s=1000.0) == {}


def test_a_task_avoids_the_host_where_it_failed_unless_that_is_otherwise_idle() -> None:
    failed = draft("t", avoid=frozenset({"a"}))
    assert place_drafts([failed], [place("a"), place("b")]) == {"t": "b"}
    assert place_drafts([failed, draft("u")], [place("a")]) == {"u": "a"}
    assert place_drafts([failed], [place("a")]) == {"t": "a"}


def test_small_tasks_do_not_starve_a_large_one() -> None:
    three_quarters = place("a", Resources(6, 24, 0.75))
    small = [draft(f"s{i}", gpus=0.25) for i in range(3)]
    assert place_drafts([draft("large"), *small], [three_quarters]) == {}
    assert set(place_drafts([draft("large"), *small], [three_quarters, place("b", Resources(4, 16, 0.5))])) == {
        "s0",
        "s1",
    }


def test_short_tasks_queue_behind_those_that_run() -> None:
    full = place("a", Resources(7, 32, 0.0))
    drafts = [draft(f"t{i}") for i in range(5)]
    assert place_drafts(drafts, [full], in_flight={"a": 1}, ahead=0) == {}
    assert len(place_drafts(drafts, [full], in_flight={"a": 1}, ahead=3)) == 3


def test_a_whole_job_takes_tasks_one_after_another_within_its_time() -> None:
    drafts = [draft(f"t{i}", duration_s=1000.0) for i in range(9)]
    job = place("job", hostname=None, ends_in_s=4000.0)
    assert len(place_drafts(drafts, [job], whole_jobs=True, retire_before_s=500.0)) == 3
    assert len(place_drafts(drafts, [place("job", slots=2)], whole_jobs=True)) == 2
    assert place_drafts([draft("t", gpus=2.0)], [job], whole_jobs=True) == {}


def test_workers_wanted() -> None:
    assert workers_wanted([Resources(gpus=0.25)], 9, GPU, 10) == 3
    assert workers_wanted([Resources(gpus=0.6)], 3, GPU, 10) == 3
    assert workers_wanted([Resources(gpus=1.0)], 50, GPU, 10) == 10
    assert workers_wanted([Resources(gpus=2.0)], 5, GPU, 10) == 0
    assert workers_wanted([Resources(gpus=1.0)], 0, GPU, 10) == 0


_needs = st.builds(
    Resources,
    cores=st.integers(1, 8),
    memory_bytes=st.none() | st.integers(1, 32),
    gpus=st.sampled_from([0.0, 0.1, 0.25, 1 / 3, 0.5, 1.0, 2.0]),
)


@given(st.lists(st.tuples(_needs, st.sets(st.sampled_from("abc"))), max_size=30), st.lists(_needs, max_size=3))
def test_nothing_is_oversubscribed_and_no_task_placed_twice(
    wants: list[tuple[Resources, set[str]]], used: list[Resources]
) -> None:
    drafts = [Draft(f"t{i}", needs, None, frozenset(avoid)) for i, (needs, avoid) in enumerate(wants)]
    places = [place(name, GPU.minus(used[i]) if i < len(used) else GPU) for i, name in enumerate("abc")]
    placed = place_drafts(drafts, places)
    assert list(placed) == [d.task for d in drafts if d.task in placed], "in the order drawn"
    taken: dict[str, list[Resources]] = defaultdict(list)
    for d in drafts:
        if d.task in placed:
            taken[placed[d.task]].append(d.resources)
    for where in places:
        here = taken[where.name]
        assert sum(r.cores for r in here) <= max(where.free.cores, 0)
        assert sum(r.gpus for r in here) <= where.free.gpus + 1e-4
        assert sum(r.memory_bytes or 0 for r in here) <= max(where.free.memory_bytes or 0, 0)


_places = st.lists(
    st.tuples(st.sampled_from([GPU, Resources(4)]), _needs, st.integers(0, 3), st.sampled_from([None, "a", "b"])),
    max_size=6,
)


@given(
    st.lists(st.tuples(_needs, st.sets(st.sampled_from("ab"))), max_size=12),
    _places,
    st.integers(0, 2),
)
def test_places_that_are_alike_are_as_good_as_one_by_one(
    wants: list[tuple[Resources, set[str]]],
    given_places: list[tuple[Resources, Resources, int, str | None]],
    ahead: int,
) -> None:
    drafts = [Draft(f"t{i}", needs, None, frozenset(avoid)) for i, (needs, avoid) in enumerate(wants)]
    places = [
        Place(f"p{i}", capacity, capacity.minus(used), slots, hostname)
        for i, (capacity, used, slots, hostname) in enumerate(given_places)
    ]
    assert place_drafts(drafts, places, ahead=ahead) == one_by_one(drafts, places, ahead)


def one_by_one(drafts: Sequence[Draft], places: Sequence[Place], ahead: int) -> dict[str, str]:
    """Place Tasks by looking at every place for each."""
    left = {place.name: place for place in places if place.slots}
    n_here: dict[str, int] = defaultdict(int)
    placed, kept = dict[str, str](), False
    for shunned in (False, True):
        for draft in [draft for draft in drafts if draft.task not in placed]:
            needs = draft.resources
            could = [place for place in left.values() if needs.fits_in(place.capacity)]
            fitting = [
                place
                for place in could
                if (place.hostname in draft.avoid) == shunned
                and (
                    needs.fits_in(place.free)
                    or (ahead and n_here[place.name] < int(1 / needs.share_of(place.capacity) + 1e-9) + ahead)
                )
            ]
            if fitting:
                best = min(fitting, key=lambda place: (place.free.gpus, place.free.cores, place.name))
                placed[draft.task] = best.name
                n_here[best.name] += 1
                left[best.name] = replace(best, free=best.free.minus(needs), slots=best.slots - 1)
                if best.slots == 1:
                    del left[best.name]
            elif not shunned and not kept:
                reserved = [place for place in could if place.hostname not in draft.avoid]
                if reserved:
                    kept = True
                    del left[max(reserved, key=lambda place: (place.free.gpus, place.free.cores, place.name)).name]
    return {draft.task: placed[draft.task] for draft in drafts if draft.task in placed}
