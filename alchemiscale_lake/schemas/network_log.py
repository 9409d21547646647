"""Table `network_log`: decisions of users about networks."""

import polars as pl

from ._base import FLOAT, INT, STRING, TIME, Column, Rule, TableSchema

NETWORK_STATES = ("active", "inactive", "invalid", "deleted")

NETWORK_LOG = TableSchema(
    name="network_log",
    doc="One row per decision about a network, ordered by seq. Each row has the resulting state.",
    columns=(
        Column("scope", STRING, "Scope of the network."),
        Column("network", STRING, "ScopedKey of the network."),
        Column("seq", INT, "Number of the commit: 1, 2, 3, ... without gaps."),
        Column("idx", INT, "Position within the commit."),
        Column(
            "event", STRING, "Kind of decision.", choices=("created", "state", "weight", "restart_pattern", "strategy")
        ),
        Column("state", STRING, "State after this event.", choices=NETWORK_STATES),
        Column("weight", FLOAT, "Weight after this event; a network with weight 0 gets no compute."),
        Column("pattern", STRING, "Restart pattern of a `restart_pattern` event.", nullable=True),
        Column("max_retries", INT, "Restarts allowed per Task after this event; null once removed.", nullable=True),
        Column("pattern_seq", INT, "Commit that added the pattern; restarts are counted from there.", nullable=True),
        Column(
            "strategy",
            STRING,
            "Strategy and its limits after a `strategy` event, as JSON; null once cleared.",
            nullable=True,
            since=4,
        ),
        Column("actor", STRING, "User who decided."),
        Column("reason", STRING, "Human-readable reason.", nullable=True),
        Column("commit_id", STRING, "Random id of the commit."),
        Column("at", TIME, "Time, by the writer's clock."),
    ),
    key=("seq", "idx"),
    rules=(
        Rule("a weight is between 0 and 1", pl.col("weight").is_between(0.0, 1.0)),
        Rule(
            "a restart_pattern event names its pattern",
            (pl.col("event") != "restart_pattern") | pl.col("pattern").is_not_null(),
        ),
        Rule("a pattern allows at least 1 restart", pl.col("max_retries").is_null() | (pl.col("max_retries") >= 1)),
    ),
)
