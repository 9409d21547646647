"""`alchemiscale-lake logs`: the output of a Task."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Final

import click

from ._errors import put_out, say
from ._options import lake_option

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ..execution.capture import Stream
    from ..store import Lake

__all__ = ["command"]

_STREAMS: Final = ("stdout", "stderr", "log")
#: Interval at which a running attempt is looked at.
_LOOK_EVERY_S: Final = 1.0


@click.command("logs")
@click.argument("task")
@lake_option
@click.option("-f", "--follow", is_flag=True, help="Continue to print what a running Task writes, until it ends.")
@click.option("--unit", default=None, metavar="UNIT", help="Only this unit, by its name or gufe key.")
@click.option("--stdout", "streams", flag_value="stdout", help="Only standard output.")
@click.option("--stderr", "streams", flag_value="stderr", help="Only standard error.")
@click.option("--log", "streams", flag_value="log", help="Only Python's log.")
@click.option("--attempt", default=None, metavar="ID", help="An earlier attempt; `tasks show TASK` lists them.")
def command(task: str, lake: str, follow: bool, unit: str | None, streams: str | None, attempt: str | None) -> None:
    """Print what the units of a Task wrote: stdout, stderr and log.

    TASK is a ScopedKey, the beginning of one, a name such as tyk2_a_b_complex-r0, or the id of an
    attempt. The newest attempt that has run is shown, with the exceptions of its failed units.

    While a Task runs, its output is read from its work folder, if that is on storage that this host shares.
    Afterwards it is in the lake, however the Task ended.

    \b
    Examples:
      alchemiscale-lake logs tyk2_a_b_complex-r0 --stderr
      alchemiscale-lake logs tyk2_a_b_complex-r0 -f
    """
    from ..statestore.task_attempts import find_task
    from ..store import Lake

    opened = Lake.open(lake)
    found, named = find_task(opened, task)
    chosen: Sequence[Stream] = _STREAMS if streams is None else (streams,)  # type: ignore[assignment]
    if follow and _followed(opened, found, unit, chosen):
        return
    _print_stored(opened, found, attempt or named, unit, chosen)


def _print_stored(lake: Lake, task: str, attempt: str | None, unit: str | None, streams: Sequence[Stream]) -> None:
    from ..statestore.unit_output import attempt_output

    outputs = attempt_output(lake, task, attempt, unit=unit, streams=streams)
    if not outputs:
        say(f"no output of {task} can be read here yet; `alchemiscale-lake tasks show {task}` says where it runs")
        return
    is_alone = len(streams) == 1 and len(outputs) == 1
    for one in outputs:
        for stream, text in one.streams.items():
            if not is_alone:
                put_out(f"==> {one.name} (try {one.try_number}), {stream} <==", bold=True)
            put_out(_text(text), nl=not text.endswith(b"\n"))
        if one.ok is False:
            say(f"{one.name} (try {one.try_number}) failed: {one.exception}")


def _followed(lake: Lake, task: str, unit: str | None, streams: Sequence[Stream]) -> bool:
    """Print what a Task writes until its attempt ends; return False if it does not run, or cannot be read here."""
    from ..statestore.unit_output import live_parts

    state = lake.task_log.states().of([task])[task]
    if state.attempt is None:
        return False
    attempt, seen, last, is_read = state.attempt, dict[str, int](), "", False
    while True:
        for part in live_parts(lake, state.scope, task, attempt, seen):
            is_read = True
            if part.stream not in streams or unit not in (None, part.name):
                continue
            if part.key != last:
                put_out(f"==> {part.name} (try {part.try_number}), {part.stream} <==", bold=True)
                last = part.key
            put_out(_text(part.text), nl=not part.text.endswith(b"\n"))
        now = lake.task_log.states().of([task])[task]
        if now.attempt != attempt:
            say(f"{task} is {now.status}")
            return is_read
        time.sleep(_LOOK_EVERY_S)


def _text(text: bytes) -> str:
    return text.decode(errors="replace")
