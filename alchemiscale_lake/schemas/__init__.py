"""All tables of a lake, one file per noun.

>>> TABLES["results"].key
('scope', 'attempt')
"""

from __future__ import annotations

from ._base import Column, Rule, TableSchema
from .assay_log import ASSAY_LOG
from .calculations import CALCULATIONS
from .cost_models import COST_MODELS
from .design_files import DESIGN_FILES, DESIGN_OUTCOMES
from .estimates import ASSAYS, EDGE_ESTIMATES, NETWORK_ESTIMATES, RESULT_ESTIMATES, TRANSFORMATION_ESTIMATES
from .gufe_objects import GUFE_OBJECTS
from .host_log import HOST_LOG
from .imports import IMPORTS
from .kept_files import PRUNED_FILES, REFUSED_FILES, RESULT_FILES
from .link_log import LINK_LOG
from .migrations import MIGRATIONS
from .network_findings import NETWORK_FINDINGS
from .network_log import NETWORK_LOG, NETWORK_STATES
from .networks import NETWORK_MEMBERS, NETWORKS
from .results import ATTEMPT_ENDS, HOSTS, REPLICATES, RESULTS, UNIT_RESULTS
from .strategy_rounds import ROUND_STATES, STRATEGY_ROUNDS
from .tasks import ACTION_SNAPSHOTS, EVENTS, STATUSES, TASK_LOG, TASK_SNAPSHOTS, TASKS
from .transformations import PHASES, TRANSFORMATIONS

__all__ = [
    "DESIGN_OUTCOMES",
    "EVENTS",
    "FORMAT",
    "NETWORK_STATES",
    "PHASES",
    "ROUND_STATES",
    "STATUSES",
    "TABLES",
    "Column",
    "Rule",
    "TableSchema",
]

#: Format of the lake that this version writes; raised by every migration.
FORMAT = 4

TABLES: dict[str, TableSchema] = {
    schema.name: schema
    for schema in (
        GUFE_OBJECTS,
        NETWORKS,
        NETWORK_MEMBERS,
        TRANSFORMATIONS,
        CALCULATIONS,
        TASKS,
        TASK_LOG,
        TASK_SNAPSHOTS,
        ACTION_SNAPSHOTS,
        NETWORK_LOG,
        RESULTS,
        REPLICATES,
        UNIT_RESULTS,
        ATTEMPT_ENDS,
        RESULT_FILES,
        REFUSED_FILES,
        PRUNED_FILES,
        HOSTS,
        IMPORTS,
        HOST_LOG,
        RESULT_ESTIMATES,
        TRANSFORMATION_ESTIMATES,
        EDGE_ESTIMATES,
        NETWORK_ESTIMATES,
        NETWORK_FINDINGS,
        STRATEGY_ROUNDS,
        DESIGN_FILES,
        ASSAYS,
        ASSAY_LOG,
        LINK_LOG,
        COST_MODELS,
        MIGRATIONS,
    )
}
