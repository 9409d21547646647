"""Arithmetic of resources."""

from __future__ import annotations

import math
from dataclasses import replace

from hypothesis import assume, given
from hypothesis import strategies as st

from alchemiscale_lake.resources import Resources

amounts = st.builds(
    Resources,
    cores=st.integers(1, 64),
    memory_bytes=st.none() | st.integers(1, 2**36),
    gpus=st.sampled_from([0.0, 0.25, 0.5, 1.0, 2.0, 4.0]),
)


@given(amounts, amounts)
def test_a_share_is_finite_just_where_it_fits(need: Resources, whole: Resources) -> None:
    assert math.isfinite(need.share_of(whole)) == need.fits_in(whole)


@given(amounts, amounts, amounts)
def test_what_fits_beside_another_fits_together(first: Resources, second: Resources, whole: Resources) -> None:
    sizes = [each.memory_bytes for each in (first, whole) if each.memory_bytes is not None]
    memory = max(sizes) if len(sizes) == 2 else None
    whole = Resources(max(first.cores, whole.cores), memory, max(first.gpus, whole.gpus))
    assume(first.fits_in(whole))
    left = whole.minus(first)
    assert left.cores == whole.cores - first.cores
    if second.fits_in(left):
        assert second.fits_in(whole)
        assert first.cores + second.cores <= whole.cores
        assert first.gpus + second.gpus <= whole.gpus + 1e-6


def test_three_thirds_of_a_gpu_fit() -> None:
    third, free = Resources(gpus=1 / 3), Resources(3, gpus=1.0)
    for _ in range(3):
        assert third.fits_in(free)
        free = free.minus(third)
    assert not third.fits_in(replace(free, cores=1))


def test_memory_counts_only_if_both_sides_count_it() -> None:
    large = Resources(memory_bytes=2**40)

    assert large.fits_in(Resources())
    assert Resources().fits_in(Resources(memory_bytes=1))
    assert not large.fits_in(Resources(memory_bytes=2**40 - 1))
    assert Resources(4, 10).minus(Resources(1)).memory_bytes == 10


def test_the_scarcest_resource_is_the_share() -> None:
    whole = Resources(8, 100, 2.0)

    assert Resources(2, 10, 1.0).share_of(whole) == 0.5
    assert Resources(6, 10, 1.0).share_of(whole) == 0.75
    assert Resources(2, 90, 0.0).share_of(whole) == 0.9
