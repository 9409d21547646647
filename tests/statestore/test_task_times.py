from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import polars as pl

from alchemiscale_lake.statestore.task_times import TaskTimes
from alchemiscale_lake.store import Lake, now_utc
from alchemiscale_lake.tasks import Event, TaskState, status
from tests.campaign import Campaign


def happen(campaign: Campaign, *events: object) -> None:
    accepted = [event for event in events if isinstance(event, Event)]
    assert len(accepted) == len(events)
    campaign.commit(accepted)
    campaign.tasks |= {event.after.task: event.after for event in accepted}


def claim(campaign: Campaign, task: str, attempt: str) -> None:
    happen(campaign, status.claim(campaign.tasks[task], attempt, "p", now_utc() + timedelta(hours=1)))


def since(times: TaskTimes) -> dict[str, object]:
    return dict(times.waiting_since.iter_rows())


def attempts(frame: pl.DataFrame) -> list[str]:
    return frame["attempt"].sort().to_list()


def test_a_task_waits_since_it_last_began_to(lake: Lake) -> None:
    campaign = Campaign(lake)
    network = campaign.network("n", [("a", "b")])
    first, second = campaign.new_tasks(network, ["a_b_other"] * 2)
    times = TaskTimes(lake)
    times.refresh()
    began = since(times)
    assert set(began) == {first, second}

    happen(campaign, status.set_priority(campaign.tasks[first], 3))
    claim(campaign, second, "a1")
    times.refresh()
    assert since(times) == {first: began[first]}

    happen(campaign, status.release(campaign.tasks[second], "a1", "the job ended"))
    times.refresh()
    assert since(times)[second] > began[second]


def test_attempts_are_open_until_their_end_is_logged(lake: Lake) -> None:
    campaign = Campaign(lake)
    network = campaign.network("n", [("a", "b")])
    done, failed, released, invalid, runs = campaign.new_tasks(network, ["a_b_other"] * 5)
    for n, task in enumerate((done, failed, released, invalid, runs)):
        claim(campaign, task, f"a{n}")
    times = TaskTimes(lake)
    times.refresh()
    assert attempts(times.claims) == ["a0", "a1", "a2", "a3", "a4"]

    tasks = campaign.tasks
    happen(
        campaign,
        status.complete(tasks[done], "a0"),
        status.fail(tasks[failed], "a1", "it burst"),
        status.release(tasks[released], "a2", "stopped"),
        status.set_status(tasks[invalid], "invalid"),
    )
    times.refresh()
    assert attempts(times.claims) == ["a4"]
    assert attempts(times.released) == ["a2", "a3"]
    assert (times.released["ended_at"] >= times.released["claimed_at"]).all()

    times.refresh(forget_before=now_utc() + timedelta(seconds=1))
    assert attempts(times.released) == []


def test_reading_all_equals_reading_incrementally(lake: Lake) -> None:
    campaign = Campaign(lake)
    network = campaign.network("n", [("a", "b")])
    tasks = campaign.new_tasks(network, ["a_b_other"] * 3)
    bit_by_bit = TaskTimes(lake)
    for n, task in enumerate(tasks):
        claim(campaign, task, f"a{n}")
        bit_by_bit.refresh()
        state: TaskState = replace(campaign.tasks[task])
        happen(campaign, status.release(state, f"a{n}", "stopped"))
    claim(campaign, tasks[0], "a9")
    bit_by_bit.refresh()
    at_once = TaskTimes(lake)
    at_once.refresh()

    for name in ("waiting_since", "claims", "released"):
        one, other = getattr(bit_by_bit, name), getattr(at_once, name)
        assert one.sort(pl.all()).equals(other.sort(pl.all())), name
