"""What takes too long for every run: `make test-long` runs it, `make test` a smaller number of the same."""

from __future__ import annotations

import random
from collections.abc import Sequence
from typing import TypeVar

import pytest
from hypothesis import HealthCheck, Phase, settings

__all__ = ["LONG", "drawn", "histories", "register_profiles", "share"]

_T = TypeVar("_T")

#: Marks of a parameter or a test that takes minutes to hours.
LONG = [pytest.mark.long, pytest.mark.timeout(6 * 3600)]

#: Examples of every property: in `make test`, and in `make test-long`.
_EXAMPLES = {"default": 30, "long": 1000}


def register_profiles() -> None:
    """Let hypothesis try as many examples as the profile says; `default` unless `--hypothesis-profile` is given."""
    for name, number in _EXAMPLES.items():
        # the duration of an example depends on the load of the machine
        settings.register_profile(name, max_examples=number, deadline=None)
    settings.load_profile("default")


def share(part: float) -> int:
    """Return a part of the profile's examples, for a property whose examples take long."""
    return max(2, round(settings().max_examples * part))


def drawn(all_of_them: Sequence[_T], number: int) -> list[_T]:
    """Return a number of them, the same ones in every run; all, if there are no more.

    Parameters
    ----------
    all_of_them : sequence
    number : int
    """
    return random.Random(number).sample(all_of_them, min(number, len(all_of_them)))


def histories(number: int, *, steps: int) -> settings:
    """Return the settings of random histories that are the same in every run.

    Parameters
    ----------
    number : int
        Histories.
    steps : int
        Longest history.
    """
    return settings(
        max_examples=number,
        stateful_step_count=steps,
        deadline=None,
        derandomize=True,
        database=None,
        phases=[Phase.explicit, Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
