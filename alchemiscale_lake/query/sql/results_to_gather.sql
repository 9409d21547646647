-- results_to_gather: what the estimates of Transformations are made of
-- grain: one row per result that counts, of the Transformations of some networks
-- inputs: counted_results, network_members, tasks
-- parameters: $networks (ScopedKeys), $scopes (theirs)
with members as (
    select distinct member
    from network_members
    where
        list_contains($networks, network)
        and list_contains($scopes, scope)
        and kind = 'transformation'
)
select
    counted.scope,
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
where list_contains($scopes, counted.scope)
order by
    counted.transformation,
    counted.attempt;
