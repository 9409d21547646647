-- current_links: declared differences between nodes of networks that are not withdrawn
-- grain: one row per Scope, kind and pair of nodes
-- inputs: link_log
-- parameters: none; filter by scope, kind, ligand_i, ligand_j
create view current_links as
with latest as (
    select *
    from link_log
    qualify row_number() over (
        partition by scope, kind, ligand_i, ligand_j
        order by "at" desc, event desc
    ) = 1
)
select
    scope,
    kind,
    ligand_i,
    ligand_j,
    value_kcal_mol,
    uncertainty_kcal_mol,
    actor,
    reason,
    "at" as declared_at
from latest
where event = 'declared';
