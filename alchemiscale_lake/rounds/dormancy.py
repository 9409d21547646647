"""Networks with nothing new to decide on, remembered by a process as long as no log has grown.

A scheduler that stays asks about the same networks again and again. Whether a network is still dormant follows from
the versions of the tables that a round depends on, so it costs one look at each of their logs, and no data.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final
from weakref import WeakKeyDictionary

from ..store import Lake

if TYPE_CHECKING:
    from .advance import RoundReport

__all__ = ["LogVersions", "known_dormant", "log_versions", "remember_dormant"]

#: Tasks and their ends; Strategies and states of networks; rounds; declared links.
_TABLES: Final = ("task_log", "network_log", "strategy_rounds", "link_log")

LogVersions = tuple[int, ...]

_dormant: Final[WeakKeyDictionary[Lake, dict[str, tuple[LogVersions, RoundReport]]]] = WeakKeyDictionary()


def log_versions(lake: Lake) -> LogVersions:
    """Return the newest versions of the tables that a round depends on."""
    versions = []
    for name in _TABLES:
        with lake.table(name).newest() as delta:
            versions.append(delta.version())
    return tuple(versions)


def known_dormant(lake: Lake, network: str, versions: LogVersions) -> RoundReport | None:
    """Return the report of a network that was dormant at these versions, None if it was not, or is unknown.

    Parameters
    ----------
    lake : Lake
    network : str
        ScopedKey of the network.
    versions : LogVersions
        From `log_versions`.
    """
    known = _dormant.get(lake, {}).get(network)
    return known[1] if known is not None and known[0] == versions else None


def remember_dormant(lake: Lake, report: RoundReport, versions: LogVersions) -> None:
    """Remember that a network is dormant.

    Parameters
    ----------
    lake : Lake
    report : RoundReport
        Of the network.
    versions : LogVersions
        Read before the network was found dormant.
    """
    _dormant.setdefault(lake, {})[report.network] = (versions, report)
