"""Campaigns: the arguments of `run`, kept in the lake until the campaign is finished, so that it can be resumed.

A record allows restarting from any point; all progress is in the tables, and every preparation step is idempotent. One
object per campaign; no table depends on it.
"""

from __future__ import annotations

import dataclasses
import hashlib
import json
import logging
from dataclasses import dataclass, replace
from pathlib import Path

import polars as pl

from ..caller import Caller
from ..errors import NotFoundError
from ..faults import fault_point
from ..ids import Scope
from ..importing.assays import import_assays
from ..query import find_network
from ..rounds.setting import adopt_plan
from ..rounds.strategy_plan import StrategyPlan
from ..statestore.submit import submit_network
from ..statestore.task_operations import ensure_tasks
from ..store import Lake, now_utc
from ..suggestions import did_you_mean_file

__all__ = [
    "Campaign",
    "finish_campaign",
    "network_name",
    "new_campaign",
    "prepare_campaign",
    "stored_network",
    "unfinished_campaigns",
]

_log = logging.getLogger(__name__)

_FOLDER = "campaigns"


@dataclass(frozen=True, slots=True)
class Campaign:
    """A network to be run to completion.

    Attributes
    ----------
    campaign : str
        Id, derived from source, Scope and name.
    source : str or None
        File or folder of the network; None if it is already in the lake.
    scope : str
    name : str or None
        Name for the network; default: its own.
    tasks_per_transformation : int
        Wanted Tasks per Transformation; 0 creates none.
    assays, assay_kind : str or None
        File of experimental values, and their kind.
    strategy : str or None
        Strategy and limits for the network, as JSON of a `StrategyPlan`.
    network : str or None
        ScopedKey, once it is submitted.
    started_at : str
        ISO 8601, UTC.
    finished : bool
    """

    campaign: str
    source: str | None
    scope: str
    name: str | None = None
    tasks_per_transformation: int = 1
    assays: str | None = None
    assay_kind: str = "binding"
    strategy: str | None = None
    network: str | None = None
    started_at: str = ""
    finished: bool = False

    @property
    def title(self) -> str:
        """Return a human-readable name."""
        if self.name:
            return self.name
        file = Path(self.source).name.split(".")[0] if self.source else ""
        return file or self.network or self.campaign


def new_campaign(
    lake: Lake,
    scope: Scope | str,
    *,
    source: str | Path | None = None,
    network: str | None = None,
    name: str | None = None,
    tasks_per_transformation: int = 1,
    assays: str | Path | None = None,
    assay_kind: str = "binding",
    strategy: str | None = None,
) -> Campaign:
    """Record a campaign for a network in a file (`source`) or in the lake (`network`).

    Parameters
    ----------
    lake : Lake
    scope : Scope or str
        Scope, without wildcard.
    source : str or Path, optional
        File with the network.
    network : str, optional
        ScopedKey of a network in the lake.
    name : str, optional
        Name of the network; by default, its own.
    tasks_per_transformation : int, default 1
        Number of Tasks of each Transformation.
    assays : str or Path, optional
        Table of experimental values to import.
    assay_kind : str, default "binding"
        `binding`, `hydration` or `direct`.
    strategy : str, optional
        Strategy and limits for the network, as JSON of a `StrategyPlan`.

    Raises
    ------
    InvalidScopeError
        If the Scope is malformed or has a wildcard.
    NotFoundError
        If a file does not exist.
    """
    scope = Scope.parse(scope).require_specific()
    files = [_absolute(path) if path is not None else None for path in (source, assays)]
    identity = json.dumps([files[0] or network, str(scope), name])
    campaign = Campaign(
        campaign=hashlib.sha256(identity.encode()).hexdigest()[:16],
        source=files[0],
        scope=str(scope),
        name=name,
        tasks_per_transformation=tasks_per_transformation,
        assays=files[1],
        assay_kind=assay_kind,
        strategy=strategy,
        network=network,
        started_at=now_utc().isoformat(),
    )
    _save(lake, campaign)
    fault_point("campaigns:after-record")
    return campaign


def stored_network(lake: Lake, network: str, scope: Scope | str | None) -> str | None:
    """Return the ScopedKey of a network in the lake; None if `network` is a file or folder.

    Parameters
    ----------
    lake : Lake
    network : str
        File or folder; else a name, a ScopedKey, or a prefix of it.
    scope : Scope, str or None
        Where to look (wildcards allowed).

    Raises
    ------
    NotFoundError
        If there is neither a file nor a network; the message suggests what was probably meant.
    AmbiguousScopeError
        If several networks match.
    """
    if Path(network).exists():
        return None
    try:
        return find_network(lake, network, scope=scope)
    except NotFoundError as e:
        meant = did_you_mean_file(network)
        # its message suggests the network or Scope that was probably meant
        raise NotFoundError(f"there is no file or folder {network!r}{meant or f', and {e}'}") from e


def prepare_campaign(lake: Lake, campaign: Campaign) -> tuple[Campaign, int]:
    """Submit the network, import the assays, and create Tasks; repeating it adds what is missing.

    Parameters
    ----------
    lake : Lake
    campaign : Campaign
        As from `new_campaign`.

    Returns
    -------
    tuple of Campaign and int
        The campaign with its network, and the number of Tasks that were created.
    """
    if campaign.network is None:
        submission = submit_network(lake, campaign.source, campaign.scope, name=campaign.name)
        for note in (submission.note_on_name, submission.note_on_keys):
            if note is not None:
                _log.warning(note)
        campaign = replace(campaign, network=submission.network, name=submission.name)
        fault_point("campaigns:after-submit")
        _save(lake, campaign)
    network = campaign.network
    assert network is not None
    if campaign.assays is not None:
        import_assays(lake, campaign.assays, campaign.scope, campaign.assay_kind, tell=_log.warning, again=False)
    if campaign.strategy is not None:
        adopt_plan(lake, network, StrategyPlan.parse(campaign.strategy), caller=Caller.this_user())
    if campaign.tasks_per_transformation < 1:
        return campaign, 0
    created = ensure_tasks(lake, network, campaign.tasks_per_transformation, caller=Caller.this_user())
    return campaign, len(created)


def finish_campaign(lake: Lake, network: str) -> None:
    """Mark the campaigns of a network as finished.

    Parameters
    ----------
    lake : Lake
    network : str
        ScopedKey of the network.
    """
    for campaign in _records(lake):
        if campaign.network == network and not campaign.finished:
            _save(lake, replace(campaign, finished=True))


def unfinished_campaigns(lake: Lake) -> list[Campaign]:
    """Return the unfinished campaigns, oldest first.

    This includes networks without a record whose Tasks can run, because they were created directly.
    """
    records = sorted((c for c in _records(lake) if not c.finished), key=lambda c: (c.started_at, c.campaign))
    # a network started from a file and resumed by its key has two records; the latest counts
    started = list({c.network or c.campaign: c for c in records}.values())
    spoken_of = {c.network for c in started}
    states = lake.task_log.states()
    open_tasks = states.tasks.filter(pl.col("status").is_in(["waiting", "running"])).select("task", "scope")
    networks = states.actions.join(open_tasks, on="task").select("network", "scope").unique().sort("network")
    names = dict(lake.table("networks").scan().select("network", "name").collect().iter_rows())
    return started + [
        Campaign(network, None, scope, names.get(network), tasks_per_transformation=0, network=network)
        for network, scope in networks.iter_rows()
        if network not in spoken_of
    ]


def network_name(lake: Lake, network: str) -> str | None:
    """Return the name that a network has in the lake.

    Parameters
    ----------
    lake : Lake
    network : str
        ScopedKey of the network.
    """
    rows = lake.table("networks").scan().filter(pl.col("network") == network).select("name").collect()
    return None if not len(rows) else rows["name"][0]


def _absolute(path: str | Path) -> str:
    found = Path(path).expanduser().resolve()
    if not found.exists():
        meant = did_you_mean_file(path) or "; check the path"
        raise NotFoundError(f"there is no file or folder {path}{meant}", path=str(path))
    return str(found)


def _save(lake: Lake, campaign: Campaign) -> None:
    content = json.dumps(dataclasses.asdict(campaign), indent=2, sort_keys=True)
    lake.objects.put(f"{_FOLDER}/{campaign.campaign}.json", content.encode())


def _records(lake: Lake) -> list[Campaign]:
    paths = [path for path in lake.objects.list(_FOLDER) if path.endswith(".json")]
    return [Campaign(**json.loads(lake.objects.get(path))) for path in paths]
