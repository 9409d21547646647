-- newest_assays: current experimental values in some Scopes
-- grain: one row per Scope, ligand and kind; the newest if there are several
-- inputs: current_assays
-- parameters: $scopes
-- lowest_kcal_mol, highest_kcal_mol: over all current values, so that values that disagree are seen
-- extremes_uncertainty_kcal_mol: standard error of the difference of these two; an unknown one counts as zero
select
    scope,
    ligand,
    kind,
    value_kcal_mol,
    uncertainty_kcal_mol,
    min(value_kcal_mol) over (partition by scope, ligand, kind) as lowest_kcal_mol,
    max(value_kcal_mol) over (partition by scope, ligand, kind) as highest_kcal_mol,
    sqrt(
        pow(arg_min(coalesce(uncertainty_kcal_mol, 0), value_kcal_mol) over (partition by scope, ligand, kind), 2)
        + pow(arg_max(coalesce(uncertainty_kcal_mol, 0), value_kcal_mol) over (partition by scope, ligand, kind), 2)
    ) as extremes_uncertainty_kcal_mol
from current_assays
where list_contains($scopes, scope)
qualify row_number() over (partition by scope, ligand, kind order by entered_at desc, value_kcal_mol, source) = 1
order by
    scope,
    kind,
    ligand;
