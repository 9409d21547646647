-- network_storage: bytes that the results of each network take up in the lake; what several of its results share counts once
-- grain: one row per network; what two networks share, of one Scope or two, counts in both and in shared_bytes
-- inputs: networks, network_members, results, result_files, pruned_files
-- parameters: none; filter by scope, network, name
create view network_storage as
with kept as (
    select
        results.transformation,
        stored.object_path,
        stored.n_bytes
    from result_files as stored
    anti join pruned_files using (scope, attempt, path)
    join results using (scope, attempt)
),
held as (
    select distinct
        network,
        member as transformation
    from network_members
    where kind = 'transformation'
),
counted as (
    select
        held.network,
        count(*) as n_attempts,
        count(*) filter (results.ok) as n_results
    from held
    join results using (transformation)
    group by held.network
),
filed as (
    select
        held.network,
        count(*) as n_files
    from held
    join kept using (transformation)
    group by held.network
),
objects as (
    select
        held.network,
        results.object_path,
        false as is_file,
        max(results.n_bytes) as n_bytes
    from held
    join results using (transformation)
    where results.object_path is not null
    group by held.network, results.object_path
    union all
    select
        held.network,
        kept.object_path,
        true as is_file,
        max(kept.n_bytes) as n_bytes
    from held
    join kept using (transformation)
    group by held.network, kept.object_path
),
owned as (
    select
        *,
        count(*) over (partition by object_path) > 1 as is_shared
    from objects
),
summed as (
    select
        network,
        sum(n_bytes) filter (not is_file) as result_bytes,
        sum(n_bytes) filter (is_file) as file_bytes,
        sum(n_bytes) filter (is_shared) as shared_bytes
    from owned
    group by network
)
select
    networks.scope,
    networks.network,
    networks.name,
    coalesce(counted.n_attempts, 0)::bigint as n_attempts,
    coalesce(counted.n_results, 0)::bigint as n_results,
    coalesce(filed.n_files, 0)::bigint as n_files,
    coalesce(summed.result_bytes, 0)::bigint as result_bytes,
    coalesce(summed.file_bytes, 0)::bigint as file_bytes,
    coalesce(summed.shared_bytes, 0)::bigint as shared_bytes
from networks
left join counted using (network)
left join filed using (network)
left join summed using (network);
