-- raw_results: individual results of each leg of a network
-- grain: one row per result that counts, and one per leg without any
-- inputs: network_legs, transformations, counted_results
-- parameters: $network, $scope (of this network)
with legs as (
    select
        network_legs.transformation,
        network_legs.phase,
        network_legs.environment,
        network_legs.ligand_i,
        network_legs.ligand_j,
        network_legs.state,
        transformations.protocol_qualname as protocol
    from network_legs
    join transformations
        on network_legs.transformation = transformations.transformation
    where
        network_legs.network = $network
        and network_legs.scope = $scope
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
    legs.environment,
    legs.ligand_i,
    legs.ligand_j,
    legs.transformation,
    legs.protocol,
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
