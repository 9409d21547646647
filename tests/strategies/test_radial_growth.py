"""Radial growth: the formula of stratocaster, its trap included."""

from __future__ import annotations

from dataclasses import replace

from alchemiscale_lake.strategies.radial_growth import RadialGrowth, RadialGrowthSettings
from tests.strategies.plain_rows import rows_of, state


def test_the_distance_from_what_is_completed_decides_who_waits() -> None:
    near, far = (
        list(
            RadialGrowth(RadialGrowthSettings(candidacy_max_distance=most, decay_distance_rate=0.25))
            .propose(state(rows_of("ab", "bc", "cd", "de")))
            .weights.values()
        )
        for most in (1, 2)
    )

    assert near == [0.0, 1.0, 1.0, 0.0]
    assert far == [0.25, 1.0, 1.0, 0.25]


def test_tasks_count_for_a_weight_but_complete_nothing() -> None:
    rows = rows_of("ab", "bc", "cd", "de", results=(0, 2, 3, 0))
    rows[1] = replace(rows[1], n_in_flight=1)
    running = [replace(row, n_in_flight=1) for row in rows_of("ab", "bc", "cd", "de")]

    assert list(RadialGrowth().propose(state(rows)).weights.values()) == [1.0, 0.0, None, 1.0]
    assert list(RadialGrowth().propose(state(running)).weights.values()) == [0.0, 0.5, 0.5, 0.0]


def test_connected_subgraphs_grow_each_by_itself() -> None:
    weights = RadialGrowth().propose(state([*rows_of("ab", "bc", "cd", "de"), *rows_of("xy")])).weights

    assert list(weights.values()) == [0.0, 1.0, 1.0, 0.0, 1.0]


def test_radial_growth_starts_at_the_centre_and_waits_outside() -> None:
    # a path of five states: eccentricities 4 3 2 3 4
    weights = RadialGrowth().propose(state(rows_of("ab", "bc", "cd", "de"))).weights

    # "bc" and "cd" have no result: the lowest completed eccentricity is 2, so ab and de are at distance 2
    assert list(weights.values()) == [0.0, 1.0, 1.0, 0.0]


def test_radial_growth_with_its_centre_done() -> None:
    weights = RadialGrowth().propose(state(rows_of("ab", "bc", "cd", "de", results=(0, 1, 1, 0)))).weights

    # nothing without result is below 4: distances 0 -1 -1 0, factors 1, 0.5^-2, and 0.5 per result
    assert list(weights.values()) == [1.0, 0.5 * 0.5**-2, 0.5 * 0.5**-2, 1.0]


def test_negative_distances_exceed_one() -> None:
    """A fully finished periphery makes the centre urgent: 0.5^-3 = 8 at distance -2."""
    rows = rows_of("ab", "bc", "cd", "de", "ef", "fg", results=(1, 1, 1, 1, 1, 1))

    weights = list(RadialGrowth().propose(state(rows)).weights.values())

    # a path of seven: eccentricities 6 5 4 3 4 5 6, lowest completed 6; the inner ones are at distance -2
    assert weights == [0.5, 0.5 * 0.5**-2, 0.5 * 0.5**-3, 0.5 * 0.5**-3, 0.5 * 0.5**-2, 0.5]
