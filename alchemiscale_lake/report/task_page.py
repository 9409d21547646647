"""The story of a Task as one page of text."""

from __future__ import annotations

import textwrap
from collections.abc import Iterator, Mapping
from datetime import datetime
from typing import TYPE_CHECKING, Any, Final

from ..plurals import count
from .digits import round_to_uncertainty, shown

if TYPE_CHECKING:
    from ..statestore.task_story import TaskStory

__all__ = ["story_lines"]

#: A space at which no line ends.
_KEPT_TOGETHER: Final = "\N{NO-BREAK SPACE}"


def story_lines(story: TaskStory, width: int) -> list[str]:
    """Return the lines of the page.

    Parameters
    ----------
    story : TaskStory
    width : int
        Columns of the terminal.
    """
    sections = (
        ("", _head(story)),
        ("History", map(_event, story.events)),
        ("Attempts", _attempts(story)),
        ("Results", map(_result, story.results)),
        ("Files", map(_file, story.files)),
    )
    lines: list[str] = []
    for title, paragraphs in sections:
        body = [line for paragraph in paragraphs for line in _wrapped(paragraph, width)]
        if body:
            lines += [*([""] if lines else []), *([title] if title else []), *body]
    return lines


def _wrapped(paragraph: str, width: int) -> list[str]:
    """Wrap a paragraph; what begins it is further left than what follows."""
    options: dict[str, Any] = {"break_long_words": False, "break_on_hyphens": False}
    indent = "  " if not paragraph.startswith(" ") else "     "
    lines = textwrap.wrap(
        paragraph.strip(), width, initial_indent=indent, subsequent_indent=f"{indent}  ", max_lines=6, **options
    )
    return [line.replace(_KEPT_TOGETHER, " ") for line in lines]


def _head(story: TaskStory) -> Iterator[str]:
    state = story.state
    yield f"{story.name}: {state.status}, priority {state.priority}"
    yield f"Task {state.task}"
    yield f"Transformation {state.transformation}"
    created = "" if story.created_at is None else f"created {_time(story.created_at)} by {story.creator}; "
    on = ", ".join(f"{network} (weight {weight:g})" for network, weight in story.networks.items())
    yield f"{created}actioned on {on or 'no network'}"
    if state.extends is not None:
        yield f"extends {state.extends}"
    if story.origin is not None:
        yield f"copied with its result from {story.origin}"
    for task in story.extended_by:
        yield f"extended by {task}"


def _event(event: Mapping[str, Any]) -> str:
    kind = "set" if event["event"] == "status" else event["event"]
    said = f"{_time(event['at'])}  {kind}"
    if event["event"] == "status":
        said += f" {event['status']}"
    if event["network"] is not None:
        said += f" on {event['network']}"
    if event["event"] in ("actioned", "weight") and event["weight"] is not None:
        said += f", weight {event['weight']:g}"
    if event["event"] == "claimed":
        said += f" for pool {event['pool']}"
    if event["pattern"] is not None:
        said += f" by restart pattern {event['pattern']!r}"
    said += f" by {event['actor']}"
    return said if event["reason"] is None else f"{said}: {_flat(event['reason'])}"


def _attempts(story: TaskStory) -> Iterator[str]:
    for attempt in story.attempts:
        yield _attempt(attempt)
        if attempt["reason"] is not None:
            unit = f" (unit {attempt['failed_unit']})" if attempt["failed_unit"] else ""
            yield f"  {_flat(attempt['reason'])}{unit}"
        if (until := story.quarantined.get(attempt["hostname"])) is not None:
            yield f"  {attempt['hostname']} is quarantined until {_time(until)}"
        if attempt["started_at"] is not None:
            yield f"  alchemiscale-lake logs {attempt['attempt']}"


def _attempt(attempt: Mapping[str, Any]) -> str:
    parts = [f"{attempt['attempt_number']}  {attempt['outcome']}"]
    if attempt["hostname"] is not None:
        parts.append(f"on {attempt['hostname']}")
    if attempt["queue_job"] is not None:
        parts.append(f"in job {attempt['queue_job']}")
    if attempt["pool"] is not None:
        parts.append(f"in pool {attempt['pool']}")
    said = " ".join(parts)
    if attempt["started_at"] is None:
        said += ", not started"
    elif attempt["ended_at"] is None:
        said += f", since {_time(attempt['started_at'])}"
    else:
        said += f", {_time(attempt['started_at'])} to {_time(attempt['ended_at'])}"
    if attempt["units_done"] is not None:
        total = attempt["units_total"]
        said += f", {count(attempt['units_done'], 'unit')} done" if total is None else _of(attempt["units_done"], total)
    if attempt["last_progress_at"] is not None and attempt["outcome"] == "running":
        said += f", last progress {_time(attempt['last_progress_at'])}"
    return said


def _of(done: int, total: int) -> str:
    return f", {done} of {count(total, 'unit')} done"


def _result(result: Mapping[str, Any]) -> str:
    at = _time(result["ended_at"])
    if not result["ok"]:
        return f"{at}  failed, attempt {result['attempt']}"
    value, uncertainty = round_to_uncertainty(result["estimate_kcal_mol"], result["uncertainty_kcal_mol"])
    number = "no estimate" if not value else f"{value} +/- {uncertainty or 'unknown'} kcal/mol"
    return f"{at}  good, {number}, attempt {result['attempt']}"


def _file(file: Mapping[str, Any]) -> str:
    size = "size unknown" if file["n_bytes"] is None else f"{file['n_bytes']} bytes"
    if file["object_path"] is None:
        return f"{file['path']}  {size}, not in the lake: {_flat(file['reason'])}"
    return f"{file['path']}  {size}  {file['object_path']}"


def _flat(text: str) -> str:
    return " ".join(text.split())


def _time(at: datetime) -> str:
    return shown(at).replace(" ", _KEPT_TOGETHER)
