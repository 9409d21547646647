-- task_states: current state of every Task: folded snapshot plus the tail of the log
-- grain: one row per Task
-- inputs: task_snapshots, task_log
-- parameters: none; filter by scope, status, transformation
create view task_states as
with folded as (
    select coalesce(max(as_of_seq), 0) as seq
    from task_snapshots
),
latest as (
    select
        scope,
        task,
        transformation,
        extends,
        seq,
        idx,
        status,
        priority,
        attempt,
        pool,
        lease_expires_at
    from task_log
    where seq > (select seq from folded)
    qualify row_number() over (partition by task order by seq desc, idx desc) = 1
)
select
    scope,
    task,
    transformation,
    extends,
    seq,
    idx,
    status,
    priority,
    attempt,
    pool,
    lease_expires_at
from task_snapshots
where task not in (select task from latest)
union all
select
    scope,
    task,
    transformation,
    extends,
    seq,
    idx,
    status,
    priority,
    attempt,
    pool,
    lease_expires_at
from latest;
