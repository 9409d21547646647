from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from alchemiscale_lake.dispatch.report import Progress
from flows import _artifacts
from flows._progress import listening, tell


@given(st.lists(st.text(), min_size=1, max_size=3))
def test_keys_have_the_form_prefect_takes(parts: list[str]) -> None:
    assert re.fullmatch(r"[a-z0-9]+(-[a-z0-9]+)*", _artifacts.artifact_key(*parts))


@pytest.mark.parametrize(
    ("counts", "percent"), [((4, 0, 0, 0), 0.0), ((1, 1, 1, 1), 50.0), ((0, 0, 3, 1), 100.0), ((0, 0, 0, 0), 100.0)]
)
def test_percent_counts_what_ended(counts: tuple[int, int, int, int], percent: float) -> None:
    waiting, running, complete, error = counts

    assert _artifacts._percent(Progress(waiting, running, complete, error, 0, [])) == percent


def test_listeners_hear_while_they_listen() -> None:
    heard: list[Progress] = []
    progress = Progress(1, 0, 0, 0, 0, [])

    with listening(heard.append):
        tell(progress)
    tell(progress)

    assert heard == [progress]
