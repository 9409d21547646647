-- network_storage: bytes that the results of each network take up in the lake
-- grain: one row per network; results shared by two networks, of one Scope or two, count in both and in shared_bytes
-- inputs: networks, network_members, results, result_files
-- parameters: none; filter by scope, network, name
create view network_storage as
with kept as (
    select
        attempt,
        count(*) as n_files,
        sum(n_bytes) as n_bytes
    from result_files
    group by attempt
),
referred as (
    select origin_attempt
    from results
    where origin_attempt is not null
),
stored as (
    select
        results.transformation,
        count(*) as n_attempts,
        count(*) filter (results.ok) as n_results,
        coalesce(sum(kept.n_files), 0) as n_files,
        coalesce(sum(results.n_bytes), 0) as result_bytes,
        coalesce(sum(kept.n_bytes), 0) as file_bytes,
        coalesce(
            sum(coalesce(results.n_bytes, 0) + coalesce(kept.n_bytes, 0)) filter (
                results.origin_attempt is not null
                or results.attempt in (select origin_attempt from referred)
            ),
            0
        ) as referred_bytes
    from results
    left join kept using (attempt)
    group by results.transformation
),
held as (
    select
        network,
        member as transformation,
        count(*) over (partition by member) > 1 as shared
    from network_members
    where kind = 'transformation'
),
summed as (
    select
        held.network,
        sum(stored.n_attempts) as n_attempts,
        sum(stored.n_results) as n_results,
        sum(stored.n_files) as n_files,
        sum(stored.result_bytes) as result_bytes,
        sum(stored.file_bytes) as file_bytes,
        sum(case when held.shared then stored.result_bytes + stored.file_bytes else stored.referred_bytes end)
            as shared_bytes
    from held
    join stored using (transformation)
    group by held.network
)
select
    networks.scope,
    networks.network,
    networks.name,
    coalesce(summed.n_attempts, 0)::bigint as n_attempts,
    coalesce(summed.n_results, 0)::bigint as n_results,
    coalesce(summed.n_files, 0)::bigint as n_files,
    coalesce(summed.result_bytes, 0)::bigint as result_bytes,
    coalesce(summed.file_bytes, 0)::bigint as file_bytes,
    coalesce(summed.shared_bytes, 0)::bigint as shared_bytes
from networks
left join summed using (network);
