-- newest_assays: the experimental values that count in a Scope
-- grain: one row per ligand and kind; of several the newest
-- inputs: assays
-- parameters: $scope
select
    ligand,
    kind,
    value_kcal_mol,
    uncertainty_kcal_mol
from assays
where scope = $scope
qualify row_number() over (partition by ligand, kind order by entered_at desc, value_kcal_mol, source) = 1
order by
    kind,
    ligand;
