-- actions: current actions with their weights
-- grain: one row per Task and network it is actioned on (Tasks waiting, running or in error)
-- inputs: action_snapshots, task_log, task_states
-- parameters: none; filter by scope, network, task
create view actions as
with folded as (
    select coalesce(max(as_of_seq), 0) as seq
    from action_snapshots
),
latest as (
    select
        scope,
        task,
        network,
        weight
    from task_log
    where
        seq > (select seq from folded)
        and network is not null
    qualify row_number() over (partition by task, network order by seq desc, idx desc) = 1
),
standing as (
    select
        before.scope,
        before.task,
        before.network,
        before.weight
    from action_snapshots as before
    anti join latest
        on before.task = latest.task
        and before.network = latest.network
    union all
    select
        scope,
        task,
        network,
        weight
    from latest
)
select
    standing.scope,
    standing.task,
    standing.network,
    standing.weight,
    task_states.transformation,
    task_states.status,
    task_states.priority
from standing
join task_states using (task)
where
    standing.weight is not null
    and task_states.status in ('waiting', 'running', 'error');
