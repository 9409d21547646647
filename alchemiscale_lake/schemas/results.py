"""Tables of executions: `results`, `replicates`, `unit_results`, `attempt_ends`, `hosts`."""

import polars as pl

from ._base import BOOL, FLOAT, INT, STRING, TIME, Column, Rule, TableSchema

_ENERGY_RULE = Rule(
    "an uncertainty is not negative", pl.col("uncertainty_kcal_mol").is_null() | (pl.col("uncertainty_kcal_mol") >= 0)
)

RESULTS = TableSchema(
    name="results",
    doc="One row per ProtocolDAGResult, good or failed, identified by its attempt.",
    columns=(
        Column("scope", STRING, "Scope of the Task."),
        Column("attempt", STRING, "Id of the attempt."),
        Column("task", STRING, "ScopedKey of the Task."),
        Column("transformation", STRING, "ScopedKey of the Transformation."),
        Column("ok", BOOL, "Whether every unit succeeded."),
        Column("estimate_kcal_mol", FLOAT, "This result's own estimate.", nullable=True),
        Column("uncertainty_kcal_mol", FLOAT, "This result's own uncertainty.", nullable=True),
        Column("exception", STRING, "Type and message of the failure.", nullable=True),
        Column("failed_unit", STRING, "Name of the unit that failed.", nullable=True),
        Column("object_path", STRING, "Path of the ProtocolDAGResult in the lake, for `read_result`.", nullable=True),
        Column("digest", STRING, "SHA-256 of the object as stored.", nullable=True),
        Column("n_bytes", INT, "Size of the object as stored, bytes.", nullable=True),
        Column("n_units", INT, "ProtocolUnit executions, including repeated ones."),
        Column("started_at", TIME, "Start of the attempt."),
        Column("ended_at", TIME, "End of the attempt."),
        Column("wall_time_s", FLOAT, "Time from start to end, seconds."),
        Column("cpu_time_s", FLOAT, "CPU time of all units, seconds.", nullable=True),
        Column("gpu_time_s", FLOAT, "Wall time multiplied by the number of allocated GPUs, seconds.", nullable=True),
        Column("pool", STRING, "Pool the attempt ran in.", nullable=True),
        Column("host", STRING, "Digest of the host description, see `hosts`.", nullable=True),
        Column("hostname", STRING, "Name of the host.", nullable=True),
        Column("queue_job", STRING, "Id of the queue job the attempt ran in.", nullable=True),
        Column("gufe_version", STRING, "gufe version that ran it.", nullable=True),
        Column("recorded_at", TIME, "When the row was written."),
        Column(
            "origin_attempt",
            STRING,
            "Attempt of another Scope whose result this row refers to: same objects, no compute time of this Scope; "
            "null for a result of this Scope.",
            nullable=True,
            since=4,
        ),
        Column("units_total", INT, "ProtocolUnits of the ProtocolDAG; null if unknown.", nullable=True, since=4),
    ),
    key=("scope", "attempt"),
    rules=(
        _ENERGY_RULE,
        Rule("a good result has its object stored", ~pl.col("ok") | pl.col("object_path").is_not_null()),
        Rule("a failed result has a reason", pl.col("ok") | pl.col("exception").is_not_null()),
        Rule("an attempt ends after it starts", pl.col("ended_at") >= pl.col("started_at")),
    ),
)

REPLICATES = TableSchema(
    name="replicates",
    doc="One row per repeat within a result that holds several (openfe's `protocol_repeats`).",
    columns=(
        Column("scope", STRING, "Scope of the Task."),
        Column("attempt", STRING, "Id of the attempt, as in `results`."),
        Column("replicate", INT, "Number of the repeat within the result, from 0."),
        Column("value_kcal_mol", FLOAT, "Estimate from this repeat alone; their mean is the result's."),
        Column("uncertainty_kcal_mol", FLOAT, "What it states of itself.", nullable=True),
    ),
    key=("scope", "attempt", "replicate"),
    rules=(_ENERGY_RULE, Rule("repeats are counted from 0", pl.col("replicate") >= 0)),
    since=2,
)

UNIT_RESULTS = TableSchema(
    name="unit_results",
    doc="One row per execution of a ProtocolUnit and attempt: repeated ones, and what an attempt took over, included.",
    columns=(
        Column("scope", STRING, "Scope of the Task."),
        Column("attempt", STRING, "Id of the attempt."),
        Column("unit", STRING, "gufe key of the ProtocolUnit."),
        Column("try_number", INT, "1 for the first execution within the attempt."),
        Column("name", STRING, "Name of the unit."),
        Column("qualname", STRING, "Class of the unit."),
        Column("ok", BOOL, "Whether it succeeded."),
        Column("exception", STRING, "Type and message of the failure.", nullable=True),
        Column("traceback", STRING, "Traceback of the failure.", nullable=True),
        Column("started_at", TIME, "Start."),
        Column("ended_at", TIME, "End."),
        Column("exit_code", INT, "Exit code of its process; -N if signal N ended it.", nullable=True),
        Column("cpu_time_s", FLOAT, "CPU time, seconds.", nullable=True),
        Column("peak_memory_bytes", INT, "Peak resident memory, bytes.", nullable=True),
        Column("stdout_path", STRING, "Path of its stdout in the lake.", nullable=True),
        Column("stderr_path", STRING, "Path of its stderr in the lake.", nullable=True),
        Column("log_path", STRING, "Path of its Python log in the lake.", nullable=True),
    ),
    key=("scope", "attempt", "unit", "try_number"),
    rules=(Rule("a failed unit has a reason", pl.col("ok") | pl.col("exception").is_not_null()),),
)

ATTEMPT_ENDS = TableSchema(
    name="attempt_ends",
    doc="One row per attempt that ended without a result: stopped, released or lost, as far as is known.",
    columns=(
        Column("scope", STRING, "Scope of the Task."),
        Column("attempt", STRING, "Id of the attempt."),
        Column("task", STRING, "ScopedKey of the Task."),
        Column("reason", STRING, "Kind of the end and reason, as in `task_log`."),
        Column("host", STRING, "Digest of the host description, see `hosts`.", nullable=True),
        Column("hostname", STRING, "Name of the host.", nullable=True),
        Column("queue_job", STRING, "Id of the queue job the attempt ran in.", nullable=True),
        Column("started_at", TIME, "Start of the attempt.", nullable=True),
        Column("last_seen_at", TIME, "Its end, or its last heartbeat.", nullable=True),
        Column("units_done", INT, "ProtocolUnits that had ended.", nullable=True),
        Column("units_total", INT, "ProtocolUnits of the ProtocolDAG; null if unknown.", nullable=True),
    ),
    key=("scope", "attempt"),
    since=4,
)

HOSTS = TableSchema(
    name="hosts",
    doc="One row per distinct host description.",
    columns=(
        Column("host", STRING, "Digest of the description."),
        Column("hostname", STRING, "Name of the host."),
        Column("cpu_model", STRING, "CPU model.", nullable=True),
        Column("n_cores", INT, "Logical cores."),
        Column("memory_bytes", INT, "Memory, bytes."),
        Column("gpu_model", STRING, "GPU model.", nullable=True),
        Column("gpu_driver", STRING, "GPU driver version.", nullable=True),
        Column("gpu_memory_bytes", INT, "Memory of one GPU, bytes.", nullable=True),
        Column("n_gpus", INT, "Number of GPUs."),
        Column("os", STRING, "Operating system and kernel."),
        Column("python", STRING, "Python version."),
        Column("packages_json", STRING, "Versions of the packages that affect numbers or speed, as JSON."),
        Column("image", STRING, "Container image.", nullable=True),
        Column("first_seen_at", TIME, "When the description was first recorded."),
    ),
    key=("host",),
    partition_by=(),
)
