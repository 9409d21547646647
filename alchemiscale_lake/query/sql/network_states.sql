-- network_states: all networks with state and weight
-- grain: one row per network
-- inputs: networks, network_members (these can grow for a network of imported results), network_log
-- parameters: none; filter by scope, network, name, state
create view network_states as
with latest as (
    select
        network,
        state,
        weight
    from network_log
    qualify row_number() over (partition by network order by seq desc, idx desc) = 1
),
sizes as (
    select
        network,
        count(*) as n_transformations
    from network_members
    where kind = 'transformation'
    group by network
)
select
    networks.scope,
    networks.network,
    networks.name,
    coalesce(latest.state, 'active') as state,
    coalesce(latest.weight, 0.5) as weight,
    coalesce(sizes.n_transformations, 0) as n_transformations,
    networks.creator,
    networks.created_at
from networks
left join latest using (network)
left join sizes using (network);
