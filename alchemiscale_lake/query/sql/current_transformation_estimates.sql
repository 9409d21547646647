-- current_transformation_estimates: the newest estimate of each Transformation
-- grain: one row per Transformation with results
-- inputs: transformation_estimates, transformations
-- parameters: none; filter by scope, transformation
create view current_transformation_estimates as
with latest as (
    select *
    from transformation_estimates
    qualify row_number() over (partition by scope, transformation order by as_of_seq desc, estimated_at desc) = 1
)
select
    latest.scope,
    latest.transformation,
    transformations.name,
    transformations.phase,
    transformations.ligand_a_name as ligand_i,
    transformations.ligand_b_name as ligand_j,
    latest.value_kcal_mol,
    latest.uncertainty_kcal_mol,
    latest.own_uncertainty_kcal_mol,
    latest.sd_kcal_mol,
    latest.sd_kcal_mol / sqrt(len(latest.values_kcal_mol)) as sem_kcal_mol,
    latest.n_results,
    latest.attempts,
    latest.values_kcal_mol,
    latest.own_uncertainties_kcal_mol,
    latest.rule,
    latest.status,
    latest.note,
    latest.results_digest,
    latest.as_of_seq,
    latest.estimated_at
from latest
left join transformations using (transformation);
