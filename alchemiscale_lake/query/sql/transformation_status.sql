-- transformation_status: Tasks of each Transformation by status, actioned or not
-- grain: one row per network and Transformation
-- inputs: network_members, transformations, task_states
-- parameters: none; filter by scope, network, transformation
create view transformation_status as
with counted as (
    select
        transformation,
        count(*) filter (status = 'waiting') as n_waiting,
        count(*) filter (status = 'running') as n_running,
        count(*) filter (status = 'complete') as n_complete,
        count(*) filter (status = 'error') as n_error,
        count(*) filter (status = 'invalid') as n_invalid,
        count(*) filter (status = 'deleted') as n_deleted
    from task_states
    group by transformation
)
select
    network_members.scope,
    network_members.network,
    transformations.transformation,
    transformations.name,
    coalesce(counted.n_waiting, 0) as n_waiting,
    coalesce(counted.n_running, 0) as n_running,
    coalesce(counted.n_complete, 0) as n_complete,
    coalesce(counted.n_error, 0) as n_error,
    coalesce(counted.n_invalid, 0) as n_invalid,
    coalesce(counted.n_deleted, 0) as n_deleted
from network_members
join transformations
    on network_members.member = transformations.transformation
left join counted
    on network_members.member = counted.transformation
where network_members.kind = 'transformation';
