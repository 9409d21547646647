-- newest_rounds: newest estimate version of some networks
-- grain: one row per network that has one
-- inputs: network_estimates, edge_estimates
-- parameters: $networks (ScopedKeys), $scopes (of these networks)
with newest as (
    select
        network,
        max(round) as round,
        arg_max(inputs_digest, round) as inputs_digest
    from network_estimates
    where
        list_contains($networks, network)
        and list_contains($scopes, scope)
    group by network
),
ligands as (
    select
        network,
        count(*) as n_ligands
    from network_estimates
    semi join newest using (network, round)
    where list_contains($scopes, scope)
    group by network
),
edges as (
    select
        network,
        count(*) as n_edges,
        count(*) filter (where status = 'ok') as n_whole_edges,
        any_value(rule) as rule
    from edge_estimates
    semi join newest using (network, round)
    where list_contains($scopes, scope)
    group by network
)
select
    network,
    round,
    inputs_digest,
    rule,
    n_ligands,
    coalesce(n_edges, 0) as n_edges,
    coalesce(n_whole_edges, 0) as n_whole_edges
from newest
join ligands using (network)
left join edges using (network)
order by network;
