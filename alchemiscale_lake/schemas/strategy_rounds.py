"""Table `strategy_rounds`: decisions of Strategies, one row per Transformation and round."""

import polars as pl

from ._base import FLOAT, INT, STRING, TIME, Column, Rule, TableSchema

ROUND_STATES = ("asked", "idle", "finished", "error")

STRATEGY_ROUNDS = TableSchema(
    name="strategy_rounds",
    doc="One row per network, Strategy round and Transformation. All rows of a round are one commit.",
    columns=(
        Column("scope", STRING, "Scope of the network."),
        Column("network", STRING, "ScopedKey of the network."),
        Column("round", INT, "Number of the round, from 1; unrelated to estimate versions."),
        Column("transformation", STRING, "ScopedKey of the Transformation."),
        Column("weight", FLOAT, "Weight that the Strategy gave it; null if it is finished.", nullable=True),
        Column("n_tasks", INT, "Tasks that the round asks for."),
        Column("reason", STRING, "Why, in words.", nullable=True),
        Column("votes", STRING, "Weights by member of a committee, as JSON.", nullable=True),
        Column("n_results", INT, "Good results that it had."),
        Column("n_in_flight", INT, "Tasks waiting or running that it had."),
        Column("gpu_hours", FLOAT, "Predicted cost of a Task; worker-hours for Tasks without GPU.", nullable=True),
        Column(
            "state",
            STRING,
            "Outcome of the round: Tasks were asked for, none for now, the Strategy is finished, or it failed.",
            choices=ROUND_STATES,
        ),
        Column("strategy", STRING, "Name of the Strategy, or its file and name."),
        Column("digest", STRING, "SHA-256 of its code and settings."),
        Column("stop", STRING, "Why the Strategy is finished with the network.", nullable=True),
        Column("facts", STRING, "Numbers that the decision is based on, as JSON.", nullable=True),
        Column("exception", STRING, "Type and message of the failure.", nullable=True),
        Column("traceback", STRING, "Its traceback.", nullable=True),
        Column("spent_gpu_hours", FLOAT, "Cost of the network's results and Tasks in flight."),
        Column("budget_gpu_hours", FLOAT, "Most that the network may cost.", nullable=True),
        Column("plan_seq", INT, "Commit of `network_log` that set the Strategy."),
        Column("inputs_digest", STRING, "SHA-256 of the results, failures and declared links that it was decided on."),
        Column("as_of_seq", INT, "Number of the last task log commit that it was decided on."),
        Column("actor", STRING, "Who asked for the round."),
        Column("at", TIME, "Time, by the writer's clock."),
    ),
    key=("scope", "network", "round", "transformation"),
    rules=(
        Rule("a weight is not negative", pl.col("weight").is_null() | (pl.col("weight") >= 0)),
        Rule("a round asks for no negative number of Tasks", pl.col("n_tasks") >= 0),
    ),
    since=4,
)
