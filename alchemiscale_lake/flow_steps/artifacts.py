"""Artifacts of flow runs in the Prefect UI: progress, a table of estimates, a summary.

Artifacts are a view, not a record: if Prefect does not respond, publishing stops and the work continues.
"""

from __future__ import annotations

import contextlib
import contextvars
import html
import logging
import re
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, cast
from uuid import UUID

import httpx
from prefect.artifacts import (
    create_markdown_artifact,
    create_progress_artifact,
    create_table_artifact,
    update_progress_artifact,
)

from ..dispatch.dispatch_report import Progress
from ..printable import one_line

__all__ = ["artifact_key", "code", "escaped", "progress_artifact", "publish_markdown", "publish_table"]

_log = logging.getLogger(__name__)
_EVERY_S = 5.0
#: Maximum wait at the end for a server that does not answer.
_PATIENCE_S = 2.0
_PAUSE_S = 60.0
_silent_until = 0.0
_MARKS = re.compile(r"[\\`*_\[\]#!|~]")


def artifact_key(*parts: str) -> str:
    """Join names to an artifact key of the characters that Prefect allows: `[a-z0-9-]`."""
    return re.sub(r"[^a-z0-9]+", "-", "-".join(parts).lower()).strip("-") or "lake"


def escaped(text: str) -> str:
    """Escape untrusted text (a name, an exception) for Markdown and HTML."""
    return _MARKS.sub(r"\\\g<0>", html.escape(one_line(text), quote=False))


def code(text: str) -> str:
    """Return untrusted text as a Markdown code span that the text cannot close.

    >>> code("a `b` c")
    '`` a `b` c ``'
    """
    line = one_line(text)
    fence = "`" * (1 + max((len(run) for run in re.findall("`+", line)), default=0))
    space = " " if "`" in line or not line.strip() else ""
    return f"{fence}{space}{line}{space}{fence}"


@contextlib.contextmanager
def progress_artifact(title: str) -> Iterator[Callable[[Progress], None]]:
    """Yield a function that publishes progress: one artifact, updated every few seconds by a separate thread."""
    news = _News(title)
    # the thread needs the flow run's context to attach the artifact to the run
    context = contextvars.copy_context()
    thread = threading.Thread(target=context.run, args=(news.publish,), name="progress-artifact", daemon=True)
    thread.start()
    try:
        yield news.put
    finally:
        news.close()
        thread.join(timeout=_PATIENCE_S)


def publish_table(title: str, rows: Sequence[Mapping[str, Any]], *, description: str) -> None:
    """Publish rows as a table artifact.

    Parameters
    ----------
    title : str
        Title of the artifact, from which its key is made.
    rows : sequence of mapping of str to object
        Cells by column.
    description : str
        Text above the table; it is escaped.
    """
    if not _answering():
        return
    with _tolerated():
        create_table_artifact(
            table=[{name: _cell(value) for name, value in row.items()} for row in rows],
            key=artifact_key(title),
            description=escaped(description),
        )


def _cell(value: Any) -> Any:
    return one_line(value) if isinstance(value, str) else value


def publish_markdown(title: str, text: str, *, description: str) -> None:
    """Publish a Markdown artifact; untrusted text in it must have gone through `escaped` or `code`.

    Parameters
    ----------
    title : str
        Title of the artifact, from which its key is made.
    text : str
        Markdown.
    description : str
        Text shown in the list of artifacts.
    """
    if not _answering():
        return
    with _tolerated():
        create_markdown_artifact(markdown=text, key=artifact_key(title), description=escaped(description))


class _News:
    """The newest progress; outdated progress is dropped."""

    def __init__(self, title: str) -> None:
        self._title = title
        self._newest: Progress | None = None
        self._arrived = threading.Condition()
        self._closed = False

    def put(self, progress: Progress) -> None:
        with self._arrived:
            self._newest = progress
            self._arrived.notify()

    def close(self) -> None:
        with self._arrived:
            self._closed = True
            self._arrived.notify()

    def publish(self) -> None:
        with _tolerated():
            # sync here, though typed as either: no event loop runs in this thread
            artifact = cast("UUID", create_progress_artifact(0.0, key=artifact_key(self._title, "progress")))
            while True:
                with self._arrived:
                    self._arrived.wait_for(lambda: self._newest is not None or self._closed)
                    newest, self._newest = self._newest, None
                if newest is not None:
                    update_progress_artifact(artifact, _percent(newest), description=_counts(newest))
                    with self._arrived:
                        self._arrived.wait_for(lambda: self._closed, timeout=_EVERY_S)
                elif self._closed:
                    return


def _percent(progress: Progress) -> float:
    return 100.0 * progress.ended / progress.total if progress.total else 100.0


def _counts(progress: Progress) -> str:
    return (
        f"{progress.complete} complete, {progress.running} running, {progress.queued} queued, "
        f"{progress.waiting} waiting, {progress.error} error"
    )


def _answering() -> bool:
    return time.monotonic() >= _silent_until


@contextlib.contextmanager
def _tolerated() -> Iterator[None]:
    global _silent_until
    try:
        yield
    except httpx.HTTPError as e:
        # every failure costs several retries; skip publishing for a while
        _silent_until = time.monotonic() + _PAUSE_S
        _log.warning("Prefect does not respond (%s); its UI will be incomplete, the lake has all results", e)
