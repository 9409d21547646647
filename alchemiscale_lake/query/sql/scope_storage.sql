-- scope_storage: bytes that the results of each Scope take up in the lake, each counted once
-- grain: one row per Scope with a result
-- inputs: results, result_files; a result of another Scope counts there
-- parameters: none; filter by scope
create view scope_storage as
with kept as (
    select
        scope,
        count(*) as n_files,
        sum(n_bytes) as file_bytes
    from result_files
    anti join results
        on result_files.attempt = results.attempt
        and results.origin_attempt is not null
    group by scope
),
stored as (
    select
        scope,
        count(*) as n_attempts,
        count(*) filter (ok) as n_results,
        sum(n_bytes) as result_bytes
    from results
    where origin_attempt is null
    group by scope
)
select
    stored.scope,
    stored.n_attempts,
    stored.n_results,
    coalesce(kept.n_files, 0)::bigint as n_files,
    coalesce(stored.result_bytes, 0)::bigint as result_bytes,
    coalesce(kept.file_bytes, 0)::bigint as file_bytes
from stored
left join kept using (scope);
