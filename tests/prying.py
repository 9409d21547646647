"""A unit that looks for credentials wherever a process of the same user can, and unprivileged processes.

Tests run as root in a container, and root reads everything: the tested processes run without capabilities, so that
they have only the rights that processes of one user have towards each other.
"""

from __future__ import annotations

import ctypes
import os
import secrets
from pathlib import Path

__all__ = ["PRYING", "found_in", "planted", "without_capabilities"]

#: Writes its findings to the file named by the environment's `PRYING_REPORT`, or into its shared folder.
PRYING = r"""
import os, re, stat
from pathlib import Path
PLANTED = re.compile(rb"pl4nted-([a-z_]+)-[0-9a-f]{32}")

def look(place, data):
    for match in PLANTED.finditer(data):
        found.add(f"{match[1].decode()} in {place}")

def memory(pid, name):
    regions = Path(f"/proc/{pid}/maps").read_text().splitlines()
    with open(f"/proc/{pid}/mem", "rb", 0) as file:
        for region in regions:
            span, rights, *_ = region.split()
            begin, end = (int(part, 16) for part in span.split("-"))
            if rights.startswith("rw") and end - begin <= 1 << 26:
                try:
                    file.seek(begin)
                    look(f"memory of {name}", file.read(end - begin))
                except (OSError, OverflowError, ValueError):
                    continue

def files(pid, name):
    for entry in Path(f"/proc/{pid}/fd").iterdir():
        status = entry.stat()
        if stat.S_ISREG(status.st_mode) and status.st_size < 1 << 20:
            look(f"open files of {name}", entry.read_bytes())

found, seen, mine = set(), 0, os.getpid()
look("own environment", "\n".join(f"{k}={v}" for k, v in os.environ.items()).encode())
for folder in sorted(Path("/proc").iterdir()):
    if not folder.name.isdigit():
        continue
    try:
        name = folder.joinpath("cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")[:120]
        look(f"command line of {name}", folder.joinpath("cmdline").read_bytes())
        look(f"environment of {name}", folder.joinpath("environ").read_bytes())
        seen += 1
        if int(folder.name) != mine:
            files(folder.name, name)
            memory(folder.name, name)
    except OSError:
        continue
for place in Path.cwd().parents[1].rglob("*"):
    if place.is_file():
        look(f"work folder: {place.name}", place.read_bytes())
report = os.environ.get("PRYING_REPORT") or str(shared / "report.txt")
Path(report).write_text("\n".join(["looked", *sorted(found)]))
"""
_PR_CAPBSET_DROP = 24


def planted(name: str) -> str:
    """Return a value to look for, under a name of lower-case letters and underscores."""
    return f"pl4nted-{name}-{secrets.token_hex(16)}"


def found_in(report: Path) -> list[str]:
    """Return the findings of a prying unit; fail if it did not look."""
    looked, *found = report.read_text().splitlines()
    assert looked == "looked"
    return found


def without_capabilities() -> None:
    """Drop capabilities; called between fork and exec, so that the program has the rights of an ordinary user."""
    if os.getuid() == 0:
        prctl = ctypes.CDLL(None).prctl
        for capability in range(64):
            prctl(_PR_CAPBSET_DROP, capability, 0, 0, 0)
