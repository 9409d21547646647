-- raw_results: individual results of each leg of a network
-- grain: one row per result that counts, and one per leg without any
-- inputs: network_legs, counted_results
-- parameters: $network, $scope (of this network)
with legs as (
    select
        transformation,
        phase,
        ligand_i,
        ligand_j,
        state
    from network_legs
    where
        network = $network
        and scope = $scope
),
counted as (
    select
        transformation,
        attempt,
        started_at,
        estimate_kcal_mol,
        uncertainty_kcal_mol
    from counted_results
    where scope = $scope
)
select
    legs.phase,
    legs.ligand_i,
    legs.ligand_j,
    legs.transformation,
    counted.attempt,
    counted.estimate_kcal_mol,
    counted.uncertainty_kcal_mol,
    case when counted.attempt is null then legs.state else 'ok' end as state
from legs
left join counted
    on legs.transformation = counted.transformation
order by
    legs.phase,
    legs.ligand_i,
    legs.ligand_j,
    legs.transformation,
    counted.started_at,
    counted.attempt;
