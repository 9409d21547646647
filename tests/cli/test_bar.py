"""The progress line: running Tasks, Tasks that wait for a worker, and the time left."""

from __future__ import annotations

import pytest

from alchemiscale_lake.cli import _bar
from alchemiscale_lake.cli._bar import TaskBar
from alchemiscale_lake.dispatch.dispatch_report import Progress


@pytest.mark.parametrize(
    ("progress", "said"),
    [
        (Progress(4, 0, 0, 0, 0, [], 2), "Tasks 0/6  0 complete  0 running  2 queued  0 error  0 s\n"),
        (Progress(4, 2, 1, 1, 0, [], 0, 4000.0), "Tasks 2/8  1 complete  2 running  1 error  about 67 min left  0 s\n"),
        (Progress(0, 0, 3, 1, 4, [], 0, 0.0), "Tasks 4/4  3 complete  0 running  1 error  0 s\n"),
    ],
)
def test_a_line_where_there_is_no_terminal(
    progress: Progress, said: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(_bar, "_LINE_EVERY_S", 0.0)
    with TaskBar() as bar:
        bar(progress)

    assert capsys.readouterr().err == said


@pytest.mark.parametrize(
    ("seconds", "said"),
    [(3.0, "a minute"), (200.0, "3 min"), (5400.0, "1.5 h"), (40_000.0, "11 h"), (200_000.0, "2.3 days")],
)
def test_rough_estimates_are_printed_as_rough(seconds: float, said: str) -> None:
    assert _bar._rough(seconds) == said
