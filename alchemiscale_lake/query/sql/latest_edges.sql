-- latest_edges: edges of each network as of its newest estimate version (table edge_estimates has all versions)
-- grain: one row per network, kind and edge
-- inputs: edge_estimates, network_estimates (written last: they make a round visible)
-- parameters: none; filter by scope, network, kind, status
-- ligand_i: null for an absolute result, the free energy of ligand_j itself
create view latest_edges as
with latest as (
    select
        network,
        max(round) as round
    from network_estimates
    group by network
)
select edge_estimates.* replace (
    case when starts_with(ligand_i, '(none)') then null else ligand_i end as ligand_i
)
from edge_estimates
join latest using (network, round);
