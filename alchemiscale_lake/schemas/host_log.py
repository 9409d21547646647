"""Table `host_log`: decisions of operators about hosts."""

import polars as pl

from ._base import INT, STRING, TIME, Column, Rule, TableSchema

HOST_LOG = TableSchema(
    name="host_log",
    doc="One row per decision of a person about a host, ordered by seq; what hosts did is in `results`.",
    columns=(
        Column("hostname", STRING, "Name of the host."),
        Column("seq", INT, "Number of the commit: 1, 2, 3, ... without gaps."),
        Column("idx", INT, "Place within the commit."),
        Column("event", STRING, "What was decided.", choices=("quarantined", "forgiven")),
        Column("ends_at", TIME, "Until when it is quarantined.", nullable=True),
        Column("actor", STRING, "Who decided."),
        Column("reason", STRING, "Why, in words.", nullable=True),
        Column("commit_id", STRING, "Random id of the commit."),
        Column("at", TIME, "When, by the writer's clock; a forgiven host's results until then no longer count."),
    ),
    key=("seq", "idx"),
    partition_by=(),
    rules=(Rule("a quarantine has an end", (pl.col("event") == "quarantined") == pl.col("ends_at").is_not_null()),),
)
