"""Tables `tasks` (immutable facts about a Task) and `task_log` (its events)."""

import polars as pl

from ._base import FLOAT, INT, STRING, TIME, Column, Rule, TableSchema

STATUSES = ("waiting", "running", "complete", "error", "invalid", "deleted")
EVENTS = (
    "created",
    "actioned",
    "cancelled",
    "claimed",
    "renewed",
    "completed",
    "failed",
    "released",
    "expired",
    "status",
    "priority",
    "weight",
    "restarted",
)

TASKS = TableSchema(
    name="tasks",
    doc="One row per Task: its immutable facts.",
    columns=(
        Column("scope", STRING, "Scope of the Task."),
        Column("task", STRING, "ScopedKey of the Task."),
        Column("transformation", STRING, "ScopedKey of the Transformation it performs."),
        Column("extends", STRING, "ScopedKey of the Task whose result it continues.", nullable=True),
        Column("creator", STRING, "User who created it."),
        Column("created_at", TIME, "When it was created."),
        Column(
            "origin",
            STRING,
            "ScopedKey of the Task of another Scope that this one was copied from, with its result; null for a Task of "
            "this Scope.",
            nullable=True,
            since=4,
        ),
    ),
    key=("scope", "task"),
)

_STATE = (
    Column("scope", STRING, "Scope of the Task."),
    Column("task", STRING, "ScopedKey of the Task."),
    Column("transformation", STRING, "ScopedKey of its Transformation."),
    Column("extends", STRING, "ScopedKey of the Task it continues.", nullable=True),
    Column("seq", INT, "Number of the commit: 1, 2, 3, ... without gaps. Clocks are not used for ordering."),
    Column("idx", INT, "Position within the commit."),
    Column("status", STRING, "Status after this event.", choices=STATUSES),
    Column("priority", INT, "Priority after this event; the lower number goes first."),
    Column("attempt", STRING, "Attempt that holds the claim after this event.", nullable=True),
    Column("pool", STRING, "Pool of that attempt.", nullable=True),
    Column("lease_expires_at", TIME, "When the lease of that attempt expires.", nullable=True),
)
_STATE_RULES = (
    Rule(
        "a Task is running if and only if an attempt holds it",
        (pl.col("status") == "running") == pl.col("attempt").is_not_null(),
    ),
    Rule("a priority is at least 1", pl.col("priority") >= 1),
    Rule("seq counts from 1", pl.col("seq") >= 1),
)

TASK_LOG = TableSchema(
    name="task_log",
    doc="One row per event, totally ordered by (seq, idx). Each row has the resulting state of the Task.",
    columns=(
        *_STATE,
        Column("event", STRING, "Kind of event.", choices=EVENTS),
        Column(
            "network", STRING, "Network of an `actioned`, `cancelled`, `weight` or `restarted` event.", nullable=True
        ),
        Column("weight", FLOAT, "Weight of the action after this event; null once cancelled.", nullable=True),
        Column("of_attempt", STRING, "Attempt that the event refers to.", nullable=True),
        Column("pattern", STRING, "Restart pattern that caused a `restarted` or `cancelled` event.", nullable=True),
        Column("pattern_seq", INT, "Commit of `network_log` that added the pattern.", nullable=True),
        Column("actor", STRING, "User or process that caused it."),
        Column("reason", STRING, "Human-readable reason.", nullable=True),
        Column("commit_id", STRING, "Random id of the commit, by which its writer recognises it."),
        Column("at", TIME, "Time, by the writer's clock."),
    ),
    key=("seq", "idx"),
    rules=(
        *_STATE_RULES,
        Rule("a weight is between 0 and 1", pl.col("weight").is_null() | pl.col("weight").is_between(0.0, 1.0)),
    ),
)

TASK_SNAPSHOTS = TableSchema(
    name="task_snapshots",
    doc="State of every Task as of one seq, folded by maintenance. State is this plus the tail of `task_log`.",
    columns=(*_STATE, Column("as_of_seq", INT, "The snapshot includes the log up to this seq.")),
    key=("scope", "task"),
    rules=_STATE_RULES,
)

ACTION_SNAPSHOTS = TableSchema(
    name="action_snapshots",
    doc="Networks on which each Task is actioned, as of one seq, folded from `task_log` by maintenance.",
    columns=(
        Column("scope", STRING, "Scope of the Task."),
        Column("task", STRING, "ScopedKey of the Task."),
        Column("network", STRING, "ScopedKey of the network it is actioned on."),
        Column("weight", FLOAT, "Weight of the action; null if cancelled.", nullable=True),
        Column("seq", INT, "Commit of the action's last event."),
        Column("idx", INT, "Position within that commit."),
        Column("as_of_seq", INT, "The snapshot includes the log up to this seq."),
    ),
    key=("scope", "task", "network"),
)
