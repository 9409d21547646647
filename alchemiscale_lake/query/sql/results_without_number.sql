-- results_without_number: good results of some networks without an estimate
-- grain: one row per result that counts
-- inputs: counted_results, network_members
-- parameters: $networks (ScopedKeys), $scopes (of these networks)
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
    counted.object_path,
    counted.digest
from counted_results as counted
semi join members
    on counted.transformation = members.member
where
    list_contains($scopes, counted.scope)
    and counted.estimate_kcal_mol is null
    and counted.object_path is not null
order by
    counted.transformation,
    counted.attempt;
