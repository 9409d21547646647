"""DuckDB access: a connection with every table and the named queries, and fast counts.

The only room for duckdb. Named queries are `.sql` files in `sql/`; each definition about a Task or result is written
there once. Writing is in `store`; the rules are in `tasks` and `statestore`.
"""

from __future__ import annotations

from .answers import Relation, relation_of
from .connect import Connection, ask, connect, connect_for, read_sql, require_known_network
from .counts import TaskSnapshot, status_counts, status_counts_by
from .edge_nodes import ask_edges
from .failure_causes import cause_of, group_failures, place_of
from .named_queries import NAMED_QUERIES, NamedQuery, statement
from .names import find_network, find_networks, named_network, networks_in, new_scope_note, require_scope
from .network_names import NetworkNames
from .of_networks import NetworksConnection, connect_to_networks

__all__ = [
    "NAMED_QUERIES",
    "Connection",
    "NamedQuery",
    "NetworkNames",
    "NetworksConnection",
    "Relation",
    "TaskSnapshot",
    "ask",
    "ask_edges",
    "cause_of",
    "connect",
    "connect_for",
    "connect_to_networks",
    "find_network",
    "find_networks",
    "group_failures",
    "named_network",
    "networks_in",
    "new_scope_note",
    "place_of",
    "read_sql",
    "relation_of",
    "require_known_network",
    "require_scope",
    "statement",
    "status_counts",
    "status_counts_by",
]
