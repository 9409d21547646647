"""The text of an exception of a step: short enough for a table, with the full text in a file beside the logs."""

from __future__ import annotations

import traceback
from pathlib import Path
from typing import Any, Final

from ..texts import LONG, SHORT, escaped, storable

__all__ = ["WHOLE", "describe_exception"]

#: File in a run folder with the full text if it is too long for a table.
WHOLE: Final = "exception.txt"


def describe_exception(error: BaseException, run: Path) -> dict[str, Any]:
    """Return the outcome of a step that raised: `ok`, `exception` (type and message) and `traceback`.

    Parameters
    ----------
    error : BaseException
    run : Path
        Run folder of the step.
    """
    kind = type(error).__qualname__
    try:
        message = escaped(str(error))
    except Exception as e:  # raised by the Protocol's own class
        message = f"its message cannot be read: {type(e).__qualname__}"
    trace = escaped("".join(traceback.format_exception(error)))
    if len(message) > SHORT or len(trace) > LONG:
        text = trace if message in trace else f"{kind}: {message}\n\n{trace}"
        (run / WHOLE).write_text(text)
    exception = [storable(kind), storable(message, whole=WHOLE)]
    return {"ok": False, "exception": exception, "traceback": storable(trace, LONG, whole=WHOLE)}
