"""Allocations never exceed a worker, fractions are packed on one device, and released capacity is whole again."""

from hypothesis import given
from hypothesis import strategies as st

from alchemiscale_lake.execution.capacity import Capacity
from alchemiscale_lake.resources import Resources

WORKER = Resources(cores=8, memory_bytes=100, gpus=2.0)


def test_a_fraction_goes_to_the_fullest_device_that_has_room() -> None:
    capacity = Capacity.of_worker(WORKER, ["a", "b"])
    capacity.take(Resources(gpus=0.25))

    second = capacity.take(Resources(gpus=0.5))
    whole = capacity.take(Resources(gpus=1.0))

    assert second is not None
    assert second.devices == ("a",)
    assert whole is not None
    assert whole.devices == ("b",)


def test_fractions_left_on_two_devices_are_not_one_fraction() -> None:
    capacity = Capacity.of_worker(WORKER, None)
    for _ in range(2):
        capacity.take(Resources(gpus=0.75))
    assert capacity.resources.gpus == 0.5

    assert capacity.take(Resources(gpus=0.5)) is None
    assert capacity.lacking(Resources(gpus=0.5)) == {"gpus"}


def test_six_sixths_are_one_device() -> None:
    capacity = Capacity.of_worker(Resources(cores=8, gpus=1.0), None)

    taken = [capacity.take(Resources(gpus=1 / 6)) for _ in range(7)]

    assert [one is not None for one in taken] == [True] * 6 + [False]


def test_everything_that_lacks_is_named_and_nothing_is_taken() -> None:
    capacity = Capacity.of_worker(WORKER, None)

    assert capacity.lacking(Resources(cores=9, memory_bytes=101, gpus=3.0)) == {"cores", "memory", "gpus"}
    assert capacity.take(Resources(cores=9)) is None
    assert capacity == Capacity.of_worker(WORKER, None)


def test_devices_to_avoid_are_not_used() -> None:
    capacity = Capacity.of_worker(WORKER, ["a", "b"])

    taken = capacity.take(Resources(gpus=1.0), lambda device: device == "a")

    assert taken is not None
    assert taken.devices == ("b",)
    assert capacity.take(Resources(gpus=0.1), lambda device: device == "a") is None


def test_reserving_takes_what_is_there_for_an_attempt_that_waits_for_the_rest() -> None:
    capacity = Capacity.of_worker(WORKER, None)

    capacity.reserve(Resources(cores=6, memory_bytes=200, gpus=1.0))

    assert (capacity.cores, capacity.memory_bytes, capacity.resources.gpus) == (2, 100, 1.0)


@given(
    st.lists(st.builds(Resources, st.integers(0, 5), st.integers(0, 60) | st.none(), st.floats(0.0, 2.5)), max_size=12)
)
def test_what_was_taken_is_within_the_worker_and_comes_back_exactly(needs: list[Resources]) -> None:
    capacity = Capacity.of_worker(WORKER, None)

    taken = [one for one in map(capacity.take, needs) if one is not None]

    assert capacity.cores >= 0
    assert (capacity.memory_bytes or 0) >= 0
    assert min(capacity.parts.values()) >= 0
    for one in taken:
        capacity.release(one)
    assert capacity == Capacity.of_worker(WORKER, None)
