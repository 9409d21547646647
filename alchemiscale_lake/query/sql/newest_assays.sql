-- newest_assays: current experimental values in some Scopes
-- grain: one row per Scope, ligand and kind; the newest if there are several
-- inputs: assays
-- parameters: $scopes
select
    scope,
    ligand,
    kind,
    value_kcal_mol,
    uncertainty_kcal_mol
from assays
where list_contains($scopes, scope)
qualify row_number() over (partition by scope, ligand, kind order by entered_at desc, value_kcal_mol, source) = 1
order by
    scope,
    kind,
    ligand;
