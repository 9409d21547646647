-- current_assays: experimental values that are not withdrawn
-- grain: one row per Scope, ligand, kind, value and source
-- inputs: assays, assay_log
-- parameters: none; filter by scope, ligand, kind, source
-- entered_at: when it was last entered
create view current_assays as
with events as (
    select
        scope,
        ligand,
        kind,
        value_kcal_mol,
        source,
        'entered' as event,
        entered_at
    from assays
    union all
    select
        scope,
        ligand,
        kind,
        value_kcal_mol,
        source,
        event,
        "at" as entered_at
    from assay_log
),
latest as (
    select *
    from events
    qualify row_number() over (
        partition by scope, ligand, kind, value_kcal_mol, source
        order by entered_at desc, event desc
    ) = 1
)
select
    assays.* exclude (entered_at),
    latest.entered_at
from assays
join latest using (scope, ligand, kind, value_kcal_mol, source)
where latest.event = 'entered';
