"""Syntax of directives of batch queues: what each queue can read, quoted or not, and what none can.

Pure rules. Queues parse directives themselves, without a shell: Slurm treats `#` as the start of a comment, even
within a word, and rejects words that belong to no option; PBS and LSF parse words like their commands (POSIX qsub,
"Script Preservation"; LSF, "Embedded submission options"); object names of SGE, OAR and HTCondor cannot contain
spaces.
"""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator, Sequence
from typing import Final

__all__ = ["directive_mistakes", "log_folder_mistake", "quoted", "word_mistake"]

#: Text that every queue parses as one word.
_PLAIN: Final = re.compile(r"[A-Za-z0-9_./:@,+=%^*~-]+")
#: Characters that start or end a quotation, or are expanded, in some queue or version of it.
_NEVER: Final = "\"'\\`$"
#: Queues that accept a quoted name of several words (LSF: several queues), and those that accept such a folder.
_QUOTED_WORDS: Final = {"account": ("slurm", "pbs", "moab", "lsf"), "queue": ("lsf",)}
_QUOTED_FOLDERS: Final = ("slurm", "lsf", "htcondor")
#: Characters that a queue expands in the name of a log file and that cannot be escaped there.
_REPLACED: Final = {"pbs": ":^", "moab": ":^", "sge": ":", "lsf": "%", "oar": "%", "htcondor": "#"}
#: Prefix of a directive in a script; it is left out in the pools file.
_MARKERS: Final = {"slurm": "#SBATCH", "pbs": "#PBS", "moab": "#PBS", "lsf": "#BSUB", "sge": "#$", "oar": "#OAR"}
#: Queues whose options take one value each, so that a further word is a mistake.
_ONE_VALUE: Final = ("slurm", "pbs", "moab", "lsf")


def quoted(kind: str, text: str) -> str:
    """Return a checked text in the form its queue reads: unchanged, or in double quotes.

    Parameters
    ----------
    kind : str
        Kind of the pool, such as `slurm`.
    text : str
        Value without quotes and control characters.
    """
    return text if kind in ("htcondor", "oar", "sge") or _PLAIN.fullmatch(text) else f'"{text}"'


def word_mistake(kind: str, key: str, text: str) -> str | None:
    """Return what is wrong with the name of a queue or an account, None if it is valid.

    Parameters
    ----------
    kind : str
        Kind of pool, as in `slurm`.
    key : str
        `queue`, `account` or `interface`.
    text : str
    """
    if not text.strip():
        return "is empty; omit the key"
    bad = _unreadable(text, _NEVER)
    if bad:
        return f"{text!r} contains {bad}, which is not allowed in a directive; write the name that the site uses"
    if any(c.isspace() for c in text) and kind not in _QUOTED_WORDS.get(key, ()):
        return f"{text!r} contains a space: {kind} reads it as several words; give one {key}"
    return None


def log_folder_mistake(kind: str, folder: str) -> str | None:
    """Return why the jobs of a queue cannot write their output to a folder, None if they can.

    Parameters
    ----------
    kind : str
        Kind of the pool, such as `slurm`.
    folder : str
        Absolute path on the compute nodes.
    """
    if not folder.strip():
        return "is empty; omit the key"
    bad = _unreadable(folder, _NEVER + _REPLACED.get(kind, ""))
    if bad is None and kind not in _QUOTED_FOLDERS and any(c.isspace() for c in folder):
        bad = "a space"
    if bad is None:
        return None
    return f"{folder!r} contains {bad}, which {kind} does not read as part of a path; give another folder"


def directive_mistakes(kind: str, directives: Sequence[str]) -> Iterator[str]:
    """Yield mistakes in an operator's directives: what their queue would reject, or read as a comment.

    Parameters
    ----------
    kind : str
        Kind of the pool, such as `slurm`.
    directives : sequence of str
        Lines without the prefix of the queue, as in `--gres=gpu:1`.
    """
    marker = _MARKERS.get(kind)
    for directive in directives:
        wrong = _wrong_line(directive, marker)
        if wrong is None and marker is not None:
            wrong = _wrong_words(kind, directive)
        if wrong is not None:
            yield f"{directive!r} {wrong}"


def _wrong_line(directive: str, marker: str | None) -> str | None:
    if not directive.strip():
        return "is empty; omit it"
    if any(not c.isprintable() and c != "\t" for c in directive):
        return "contains a line break or a control character; write each directive as a separate item"
    if directive.lstrip().startswith(marker or "#"):
        return f"would be a comment: omit {directive.split()[0]!r}, which is added automatically"
    return None


def _wrong_words(kind: str, directive: str) -> str | None:
    """Return what is wrong with the options in a line; None if they are valid."""
    try:
        words = shlex.split(directive, comments=kind == "slurm")
    except ValueError:
        return "has an unmatched quotation mark"
    if not words or not words[0].startswith("-"):
        return "does not begin with an option, as in --gres=gpu:1 or -l gpu=1"
    if kind not in _ONE_VALUE:
        return None
    for before, word in zip(["", *words], words, strict=False):
        if not word.startswith("-") and (not before.startswith("-") or "=" in before):
            return f"contains {word!r}, which belongs to no option; quote values with spaces"
    return None


def _unreadable(text: str, characters: str) -> str | None:
    found = next((c for c in text if c in characters or (not c.isprintable() and c != " ")), None)
    if found is None:
        return None
    return repr(found) if found.isprintable() else f"the character {found!r}"
