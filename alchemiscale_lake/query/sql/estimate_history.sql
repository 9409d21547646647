-- estimate_history: every estimate ever recorded for the Transformations of one network
-- grain: one row per Transformation and set of results; the last of each Transformation stands
-- inputs: transformation_estimates, network_members
-- parameters: $network, $scope (the network's own)
select
    estimates.transformation,
    estimates.results_digest
from transformation_estimates as estimates
semi join network_members as members
    on estimates.transformation = members.member
    and members.network = $network
    and members.scope = $scope
where estimates.scope = $scope
order by
    estimates.transformation,
    estimates.as_of_seq,
    estimates.estimated_at;
