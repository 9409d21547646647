"""alchemiscale-lake: alchemical free energy campaigns as a dataflow over a lakehouse.

The names below are the public Python interface, with the stability that `docs/api-stability.md` states. Everything is
imported on first use, so that importing this package is fast.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from .lazy_names import lazy_names

if TYPE_CHECKING:
    from .archives import Author, Deposit, import_archive, write_archive
    from .caller import Caller
    from .client import LakeClient, ResultFormat
    from .costs.cost_models import train_cost_model
    from .errors import LakeError
    from .estimates.comparisons import compare
    from .estimates.gathering import gather_network, gather_networks, gather_scope
    from .estimates.links import declare_link, withdraw_link
    from .estimates.ranked_ligands import rank_network
    from .ids import Scope, ScopedKey
    from .importing.assays import import_assays
    from .importing.imports import import_results
    from .importing.withdrawals import withdraw_assays
    from .query import ask, connect, find_network, read_sql, status_counts
    from .statestore.calculations import key_map
    from .statestore.network_copies import copy_network, merge_networks, merge_scopes
    from .statestore.network_extension import extend_network
    from .statestore.network_members import network_transformations
    from .statestore.network_state import set_network_state, set_network_weight
    from .statestore.new_tasks import create_tasks, ensure_tasks
    from .statestore.restarts import (
        add_task_restart_patterns,
        clear_task_restart_patterns,
        get_task_restart_patterns,
        remove_task_restart_patterns,
        set_task_restart_patterns_allowed_restarts,
    )
    from .statestore.submit import submit_network
    from .statestore.task_operations import (
        action_tasks,
        cancel_tasks,
        set_tasks_priority,
        set_tasks_status,
        set_tasks_weight,
    )
    from .store import Lake

_HOMES = {
    "archives": ["Author", "Deposit", "import_archive", "write_archive"],
    "caller": ["Caller"],
    "client": ["LakeClient", "ResultFormat"],
    "costs.cost_models": ["train_cost_model"],
    "errors": ["LakeError"],
    "estimates.comparisons": ["compare"],
    "estimates.gathering": ["gather_network", "gather_networks", "gather_scope"],
    "estimates.links": ["declare_link", "withdraw_link"],
    "estimates.ranked_ligands": ["rank_network"],
    "ids": ["Scope", "ScopedKey"],
    "importing.withdrawals": ["withdraw_assays"],
    "importing.assays": ["import_assays"],
    "importing.imports": ["import_results"],
    "query": ["ask", "connect", "find_network", "read_sql", "status_counts"],
    "statestore.calculations": ["key_map"],
    "statestore.network_copies": ["copy_network", "merge_networks", "merge_scopes"],
    "statestore.network_extension": ["extend_network"],
    "statestore.network_members": ["network_transformations"],
    "statestore.network_state": ["set_network_state", "set_network_weight"],
    "statestore.new_tasks": ["create_tasks", "ensure_tasks"],
    "statestore.restarts": [
        "add_task_restart_patterns",
        "clear_task_restart_patterns",
        "get_task_restart_patterns",
        "remove_task_restart_patterns",
        "set_task_restart_patterns_allowed_restarts",
    ],
    "statestore.submit": ["submit_network"],
    "statestore.task_operations": [
        "action_tasks",
        "cancel_tasks",
        "set_tasks_priority",
        "set_tasks_status",
        "set_tasks_weight",
    ],
    "store": ["Lake"],
}
__all__ = [
    "Author",
    "Caller",
    "Deposit",
    "Lake",
    "LakeClient",
    "LakeError",
    "ResultFormat",
    "Scope",
    "ScopedKey",
    "action_tasks",
    "add_task_restart_patterns",
    "ask",
    "cancel_tasks",
    "clear_task_restart_patterns",
    "compare",
    "connect",
    "copy_network",
    "create_tasks",
    "declare_link",
    "ensure_tasks",
    "extend_network",
    "find_network",
    "gather_network",
    "gather_networks",
    "gather_scope",
    "get_task_restart_patterns",
    "import_archive",
    "import_assays",
    "import_results",
    "key_map",
    "merge_networks",
    "merge_scopes",
    "network_transformations",
    "rank_network",
    "read_sql",
    "remove_task_restart_patterns",
    "set_network_state",
    "set_network_weight",
    "set_task_restart_patterns_allowed_restarts",
    "set_tasks_priority",
    "set_tasks_status",
    "set_tasks_weight",
    "status_counts",
    "submit_network",
    "train_cost_model",
    "withdraw_assays",
    "withdraw_link",
    "write_archive",
]

# `--help` stays fast without polars, duckdb and the like
__getattr__ = lazy_names(__name__, _HOMES)


def __dir__() -> list[str]:
    return sorted(__all__)
