-- estimate_history: all recorded estimates for the Transformations of some networks
-- grain: one row per Transformation and set of results; the last of each Transformation is current
-- inputs: transformation_estimates, network_members
-- parameters: $networks (ScopedKeys), $scopes (of these networks)
select
    estimates.transformation,
    estimates.results_digest
from transformation_estimates as estimates
semi join network_members as members
    on estimates.transformation = members.member
    and list_contains($networks, members.network)
    and list_contains($scopes, members.scope)
where list_contains($scopes, estimates.scope)
order by
    estimates.transformation,
    estimates.as_of_seq,
    estimates.estimated_at;
