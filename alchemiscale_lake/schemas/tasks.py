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
    doc="One row per Task: what never changes of it.",
    columns=(
        Column("scope", STRING, "Scope of the Task."),
        Column("task", STRING, "ScopedKey of the Task."),
        Column("transformation", STRING, "ScopedKey of the Transformation it performs."),
        Column("extends", STRING, "ScopedKey of the Task whose result it continues.", nullable=True),
        Column("creator", STRING, "Who created it."),
        Column("created_at", TIME, "When it was created."),
    ),
    key=("scope", "task"),
)

_STATE = (
    Column("scope", STRING, "Scope of the Task."),
    Column("task", STRING, "ScopedKey of the Task."),
    Column("transformation", STRING, "ScopedKey of its Transformation."),
    Column("extends", STRING, "ScopedKey of the Task it continues.", nullable=True),
    Column("seq", INT, "Number of the commit: 1, 2, 3, ... without gaps. No clock is trusted for order."),
    Column("idx", INT, "Place within the commit."),
    Column("status", STRING, "Status after this event.", choices=STATUSES),
    Column("priority", INT, "Priority after this event; the lower number goes first."),
    Column("attempt", STRING, "Attempt that holds the claim after this event.", nullable=True),
    Column("pool", STRING, "Pool of that attempt.", nullable=True),
    Column("lease_expires_at", TIME, "Until when that attempt is believed without news.", nullable=True),
)
_STATE_RULES = (
    Rule(
        "a Task is running exactly while an attempt holds it",
        (pl.col("status") == "running") == pl.col("attempt").is_not_null(),
    ),
    Rule("a priority is at least 1", pl.col("priority") >= 1),
    Rule("seq counts from 1", pl.col("seq") >= 1),
)

TASK_LOG = TableSchema(
    name="task_log",
    doc="One row per event, totally ordered by (seq, idx). Each row carries the state it leaves the Task in.",
    columns=(
        *_STATE,
        Column("event", STRING, "What happened.", choices=EVENTS),
        Column(
            "network", STRING, "Network of an `actioned`, `cancelled`, `weight` or `restarted` event.", nullable=True
        ),
        Column("weight", FLOAT, "Weight of the action after this event; null once cancelled.", nullable=True),
        Column("of_attempt", STRING, "Attempt the event speaks of.", nullable=True),
        Column("pattern", STRING, "Restart pattern that decided, of `restarted` and some `cancelled`.", nullable=True),
        Column("pattern_seq", INT, "Commit of `network_log` that added the pattern.", nullable=True),
        Column("actor", STRING, "Who did it."),
        Column("reason", STRING, "Why, in words.", nullable=True),
        Column("commit_id", STRING, "Random id of the commit, by which its writer knows it again."),
        Column("at", TIME, "When, by the writer's clock."),
    ),
    key=("seq", "idx"),
    rules=(
        *_STATE_RULES,
        Rule("a weight lies within 0 and 1", pl.col("weight").is_null() | pl.col("weight").is_between(0.0, 1.0)),
    ),
)

TASK_SNAPSHOTS = TableSchema(
    name="task_snapshots",
    doc="Upkeep's fold of `task_log`: the state of every Task as of one seq. State is this plus the log's tail.",
    columns=(*_STATE, Column("as_of_seq", INT, "The whole snapshot holds the log up to here.")),
    key=("scope", "task"),
    rules=_STATE_RULES,
)

ACTION_SNAPSHOTS = TableSchema(
    name="action_snapshots",
    doc="Upkeep's fold of the actions in `task_log`: on which networks a Task is actioned, as of one seq.",
    columns=(
        Column("scope", STRING, "Scope of the Task."),
        Column("task", STRING, "ScopedKey of the Task."),
        Column("network", STRING, "ScopedKey of the network it is actioned on."),
        Column("weight", FLOAT, "Weight of the action; null if cancelled.", nullable=True),
        Column("seq", INT, "Commit of the action's last event."),
        Column("idx", INT, "Place within that commit."),
        Column("as_of_seq", INT, "The whole snapshot holds the log up to here."),
    ),
    key=("scope", "task", "network"),
)
