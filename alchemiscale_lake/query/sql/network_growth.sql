-- network_growth: how networks grew: what each revision added, who made it, and what it reused
-- grain: one row per network; a network without an earlier part of it in its Scope is revision 1 of its lineage
-- inputs: networks, network_members, transformations, tasks, task_states, counted_results
-- parameters: none; filter by scope, network, lineage, name
-- grown_from: the largest earlier network of the Scope that it was made from, or that it contains
-- n_new_tasks: Tasks made for it before its next revision; n_reused_results: results that it had when it was made
create view network_growth as
with recursive legs as (
    select
        members.scope,
        members.network,
        members.member,
        networks.created_at,
        networks.made_from,
        count(*) over (partition by members.scope, members.network) as n_legs
    from network_members as members
    join networks
        on members.scope = networks.scope
        and members.network = networks.network
    where members.kind = 'transformation'
),
pairs as (
    select
        later.network,
        earlier.network as grown_from,
        earlier.created_at,
        later.made_from is not null and list_contains(later.made_from, earlier.network) as is_stated,
        earlier.n_legs,
        count(*) as n_shared
    from legs as later
    join legs as earlier
        on later.scope = earlier.scope
        and later.member = earlier.member
        and (earlier.created_at, earlier.network) < (later.created_at, later.network)
    group by all
),
parents as (
    select
        network,
        grown_from,
        n_shared
    from pairs
    where
        is_stated
        or n_shared = n_legs
    qualify row_number() over (
        partition by network
        order by is_stated desc, n_shared desc, created_at desc, grown_from desc
    ) = 1
),
lineages as (
    select
        network,
        network as lineage,
        1 as revision
    from networks
    where network not in (select network from parents)
    union all
    select
        parents.network,
        lineages.lineage,
        lineages.revision + 1
    from parents
    join lineages
        on parents.grown_from = lineages.network
),
ligands as (
    select distinct
        legs.network,
        unnest([transformations.ligand_a_name, transformations.ligand_b_name]) as ligand
    from legs
    join transformations
        on legs.scope = transformations.scope
        and legs.member = transformations.transformation
),
counted_ligands as (
    select
        ligands.network,
        count(*) as n_ligands,
        count(*) filter (earlier.ligand is null) as n_new_ligands
    from ligands
    left join parents
        on ligands.network = parents.network
    left join ligands as earlier
        on parents.grown_from = earlier.network
        and ligands.ligand = earlier.ligand
    where ligands.ligand is not null
    group by ligands.network
),
next_revisions as (
    select
        parents.grown_from as network,
        min(networks.created_at) as next_at
    from parents
    join networks
        on parents.network = networks.network
    group by parents.grown_from
),
made as (
    select
        legs.network,
        count(*) as n_new_tasks
    from legs
    join tasks
        on legs.scope = tasks.scope
        and legs.member = tasks.transformation
    semi join task_states
        on tasks.task = task_states.task
    left join next_revisions
        on legs.network = next_revisions.network
    where
        tasks.origin is null
        and tasks.created_at >= legs.created_at
        and (next_revisions.next_at is null or tasks.created_at < next_revisions.next_at)
    group by legs.network
),
found as (
    select
        legs.network,
        count(*) as n_results,
        count(*) filter (
            results.recorded_at < legs.created_at
            or results.origin_attempt is not null
        ) as n_reused_results
    from legs
    join counted_results as results
        on legs.scope = results.scope
        and legs.member = results.transformation
    group by legs.network
)
select
    networks.scope,
    lineages.lineage,
    lineages.revision,
    networks.network,
    networks.name,
    networks.created_at,
    networks.creator,
    networks.made_by,
    parents.grown_from,
    coalesce(counted_ligands.n_ligands, 0) as n_ligands,
    coalesce(counted_ligands.n_new_ligands, 0) as n_new_ligands,
    networks.n_transformations,
    networks.n_transformations - coalesce(parents.n_shared, 0) as n_new_transformations,
    coalesce(made.n_new_tasks, 0) as n_new_tasks,
    coalesce(found.n_results, 0) as n_results,
    coalesce(found.n_reused_results, 0) as n_reused_results
from networks
join lineages
    on networks.network = lineages.network
left join parents
    on networks.network = parents.network
left join counted_ligands
    on networks.network = counted_ligands.network
left join made
    on networks.network = made.network
left join found
    on networks.network = found.network;
