"""Storage: tables, logs, objects. The only room for deltalake and obstore.

Queries are in `query/`; `tasks/` and `statestore/` decide what may be written when.
"""

from __future__ import annotations

from .content_copies import copy_content
from .content_folders import ContentFolder, condemn, content_folders, remove_content
from .host_log import HostDecision, HostLog
from .kept_content import content_folder, is_content_path, keep_content, rely_on_content
from .lake import Lake, now_utc
from .lake_copy import LakeCopy, copy_lake
from .location import Location
from .marker import restore_marker
from .messages import has_message, leave_message, read_message, remove_message
from .migrate import MigrationReport, StepReport, migrate
from .network_log import NetworkLog, NetworkState, StrategyDecision, require_network_state
from .objects import ObjectInfo, ObjectStore, attempt_folder
from .orphans import Orphans, sweep_orphans
from .past import Moment, parse_moment
from .receipt_key import RECEIPT_KEY, ReceiptKey, check_receipt_key, make_private_folder
from .repair import Loss, RepairReport, drop_snapshots, repair
from .storage_errors import collect
from .table import LakeTable
from .table_upkeep import TableUpkeep, UpkeepSettings, keep_up
from .task_log import TaskLog
from .upkeep import MaintenanceReport, maintain
from .verification import Checked, Flaw, check_table, check_tables, live_files

__all__ = [
    "RECEIPT_KEY",
    "Checked",
    "ContentFolder",
    "Flaw",
    "HostDecision",
    "HostLog",
    "Lake",
    "LakeCopy",
    "LakeTable",
    "Location",
    "Loss",
    "MaintenanceReport",
    "MigrationReport",
    "Moment",
    "NetworkLog",
    "NetworkState",
    "ObjectInfo",
    "ObjectStore",
    "Orphans",
    "ReceiptKey",
    "RepairReport",
    "StepReport",
    "StrategyDecision",
    "TableUpkeep",
    "TaskLog",
    "UpkeepSettings",
    "attempt_folder",
    "check_receipt_key",
    "check_table",
    "check_tables",
    "collect",
    "condemn",
    "content_folder",
    "content_folders",
    "copy_content",
    "copy_lake",
    "drop_snapshots",
    "has_message",
    "is_content_path",
    "keep_content",
    "keep_up",
    "leave_message",
    "live_files",
    "maintain",
    "make_private_folder",
    "migrate",
    "now_utc",
    "parse_moment",
    "read_message",
    "rely_on_content",
    "remove_content",
    "remove_message",
    "repair",
    "require_network_state",
    "restore_marker",
    "sweep_orphans",
]
