"""Findings: what is wrong with a lake, how bad it is, and what helps."""

from __future__ import annotations

import enum
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Final

__all__ = ["EXIT_CODES", "MAINTAIN", "REPAIR", "SUBMIT_AGAIN", "LakeFinding", "Severity", "worst"]

#: Commands that repair; a dispatcher's lake is added where they are shown.
MAINTAIN: Final = "alchemiscale-lake maintain"
REPAIR: Final = "alchemiscale-lake doctor --repair"
SUBMIT_AGAIN: Final = "submit the network's file to its Scope again, which stores what is missing"
_COMMAND: Final = re.compile(r"`(alchemiscale-lake [^`]+)`")


class Severity(enum.StrEnum):
    """How bad a finding is."""

    #: Worth knowing; nothing is wrong.
    NOTE = "note"
    #: Nothing is lost, but something should be done.
    WARNING = "warning"
    #: Something that was written is lost, changed or contradicts the rest.
    DAMAGE = "damage"


#: Exit code of `doctor` by the worst finding. 1 and 2 are those of any command that failed or was called wrongly.
EXIT_CODES: Final[Mapping[Severity | None, int]] = {
    None: 0,
    Severity.NOTE: 0,
    Severity.WARNING: 3,
    Severity.DAMAGE: 4,
}


@dataclass(frozen=True, slots=True)
class LakeFinding:
    """One thing that is wrong with a lake.

    Attributes
    ----------
    severity : Severity
    check : str
        Name of the check that found it.
    subject : str
        Path within the lake, table, or table and column.
    what : str
        What is wrong, with examples.
    command : str or None
        Command that repairs it; None if there is none.
    advice : str or None
        What to do where no command helps, or what else to know.
    """

    severity: Severity
    check: str
    subject: str
    what: str
    command: str | None = None
    advice: str | None = None

    @property
    def identity(self) -> tuple[str, str]:
        """Return what two findings of the same thing have in common."""
        return self.check, self.subject

    @property
    def is_repairable(self) -> bool:
        """Return whether `repair_findings` repairs it, or its command does so without a decision of a user."""
        return self.command is not None and self.command.startswith((MAINTAIN, REPAIR))

    @classmethod
    def advised(cls, severity: Severity, check: str, subject: str, what: str, remedy: str) -> LakeFinding:
        """Return a finding with a remedy in words, of which a command in backticks is the command.

        Parameters
        ----------
        severity : Severity
        check, subject, what : str
            As of `LakeFinding`.
        remedy : str
            What to do.
        """
        command = _COMMAND.search(remedy)
        is_all = command is not None and remedy.removeprefix("run ") == command[0]
        return cls(severity, check, subject, what, command and command[1], None if is_all else remedy or None)


def worst(findings: Iterable[LakeFinding]) -> Severity | None:
    """Return the highest severity of some findings; None if there are none."""
    found = {finding.severity for finding in findings}
    return next((severity for severity in reversed(Severity) if severity in found), None)
