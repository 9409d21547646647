-- results_to_gather: what a Transformation's estimate is made of
-- grain: one row per result that counts, of the Transformations of one network
-- inputs: counted_results, network_members, tasks
-- parameters: $network, $scope (the network's own)
with members as (
    select member
    from network_members
    where
        network = $network
        and scope = $scope
        and kind = 'transformation'
)
select
    counted.transformation,
    counted.attempt,
    counted.estimate_kcal_mol,
    counted.uncertainty_kcal_mol,
    tasks.extends is not null as extends
from counted_results as counted
semi join members
    on counted.transformation = members.member
left join tasks
    on counted.scope = tasks.scope
    and counted.task = tasks.task
where counted.scope = $scope
order by
    counted.transformation,
    counted.attempt;
