"""Findings of an examination, as a table, in lines and in one line."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from ..doctor import Diagnosis, LakeFinding, Severity
from ..plurals import count
from .table import Table

__all__ = ["diagnosis_line", "finding_lines", "findings_table"]


def findings_table(findings: Sequence[LakeFinding], at_lake: Callable[[str], str]) -> Table:
    """Build a table with one row per finding.

    Parameters
    ----------
    findings : sequence of LakeFinding
    at_lake : callable
        Adds the lake to commands.
    """
    columns = ("severity", "check", "subject", "finding", "command", "advice")
    rows = [
        (str(f.severity), f.check, f.subject, f.what, f.command and at_lake(f.command), f.advice and at_lake(f.advice))
        for f in findings
    ]
    return Table(columns, rows, is_sheet=True)


def finding_lines(findings: Sequence[LakeFinding], at_lake: Callable[[str], str]) -> list[str]:
    """Return up to four lines per finding: severity and subject, what is wrong, the command, further advice.

    Parameters
    ----------
    findings : sequence of LakeFinding
    at_lake : callable
        Adds the lake to commands.
    """
    lines = []
    for found in findings:
        lines += [f"{found.severity}: {found.subject}", f"  {found.what}"]
        lines += [f"  repair: {at_lake(found.command)}"] if found.command else []
        lines += [f"  {'then' if found.command else 'to do'}: {at_lake(found.advice)}"] if found.advice else []
    return lines


def diagnosis_line(diagnosis: Diagnosis) -> str:
    """Return in one line how much was examined and how many findings of each severity there are."""
    numbers = [
        count(n, severity.value) if severity is not Severity.DAMAGE else f"{n} damaged"
        for severity in reversed(Severity)
        if (n := sum(finding.severity is severity for finding in diagnosis.findings))
    ]
    how = "without reading data files" if diagnosis.quick else f"{diagnosis.n_bytes / 1e6:.1f} MB read"
    return f"{count(diagnosis.n_files, 'file')} examined, {how}: {', '.join(numbers) or 'nothing is wrong'}"
