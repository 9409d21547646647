-- network_status: Tasks of each network by status, actioned or not
-- grain: one row per network
-- inputs: network_states, transformation_status
-- parameters: none; filter by scope, network, name, state
create view network_status as
with counted as (
    select
        network,
        sum(n_waiting)::bigint as n_waiting,
        sum(n_running)::bigint as n_running,
        sum(n_complete)::bigint as n_complete,
        sum(n_error)::bigint as n_error,
        sum(n_invalid)::bigint as n_invalid,
        sum(n_deleted)::bigint as n_deleted
    from transformation_status
    group by network
)
select
    network_states.scope,
    network_states.network,
    network_states.name,
    network_states.state,
    network_states.weight,
    network_states.n_transformations,
    coalesce(counted.n_waiting, 0) as n_waiting,
    coalesce(counted.n_running, 0) as n_running,
    coalesce(counted.n_complete, 0) as n_complete,
    coalesce(counted.n_error, 0) as n_error,
    coalesce(counted.n_invalid, 0) as n_invalid,
    coalesce(counted.n_deleted, 0) as n_deleted
from network_states
left join counted using (network);
