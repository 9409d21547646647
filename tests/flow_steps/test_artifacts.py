from __future__ import annotations

import re
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from markdown_it import MarkdownIt

from alchemiscale_lake.dispatch.dispatch_report import Progress
from alchemiscale_lake.flow_steps import artifacts as _artifacts
from alchemiscale_lake.flow_steps.progress_listeners import listening, tell


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


NASTY = [
    "<script>alert(1)</script>",
    "<img src=x onerror=alert(1)>",
    "![x](http://example.org/x.png)",
    "[click](javascript:alert(1))",
    "a`b``c",
    "`",
    "line\n# header\n\n| a | b |",
    "\x1b[2J",
    "**bold** _it_ ~~gone~~",
]


@pytest.mark.parametrize("text", NASTY)
def test_foreign_text_is_neither_markdown_nor_html(text: str) -> None:
    html = MarkdownIt("commonmark").enable("strikethrough").enable("table").render
    written = html(f"# {_artifacts.escaped(text)}\n\n- {_artifacts.escaped(text)}: {_artifacts.code(text)}")

    assert set(re.findall(r"<\w+", written)) <= {"<h1", "<ul", "<li", "<code"}
    assert written.count("<code") == 1
    assert written.count("<h1") == 1
    assert "\x1b" not in written


def test_what_is_published_is_escaped(monkeypatch: pytest.MonkeyPatch) -> None:
    given: dict[str, Any] = {}
    monkeypatch.setattr(_artifacts, "create_table_artifact", lambda **said: given.update(said))

    _artifacts.publish_table("t", [{"name": "a\x1bb", "n": 1}], description="<b>")

    assert given["table"] == [{"name": "a\\x1bb", "n": 1}]
    assert given["description"] == "&lt;b&gt;"
