-- scope_storage: bytes that the results of each Scope take up in the lake; what several results share counts once
-- grain: one row per Scope with a result
-- inputs: results, result_files, pruned_files; a result of another Scope counts there
-- parameters: none; filter by scope
create view scope_storage as
with own as (
    select
        scope,
        attempt,
        ok,
        object_path,
        n_bytes
    from results
    where origin_attempt is null
),
counted as (
    select
        scope,
        count(*) as n_attempts,
        count(*) filter (ok) as n_results
    from own
    group by scope
),
objects as (
    select
        scope,
        object_path,
        max(n_bytes) as n_bytes
    from own
    group by scope, object_path
),
kept as (
    select
        stored.scope,
        stored.object_path,
        count(*) as n_files,
        max(stored.n_bytes) as n_bytes
    from result_files as stored
    anti join pruned_files using (scope, attempt, path)
    anti join results
        on stored.scope = results.scope
        and stored.attempt = results.attempt
        and results.origin_attempt is not null
    group by stored.scope, stored.object_path
),
of_results as (
    select
        scope,
        sum(n_bytes) as result_bytes
    from objects
    group by scope
),
of_files as (
    select
        scope,
        sum(n_files) as n_files,
        sum(n_bytes) as file_bytes
    from kept
    group by scope
)
select
    counted.scope,
    counted.n_attempts,
    counted.n_results,
    coalesce(of_files.n_files, 0)::bigint as n_files,
    coalesce(of_results.result_bytes, 0)::bigint as result_bytes,
    coalesce(of_files.file_bytes, 0)::bigint as file_bytes
from counted
left join of_results using (scope)
left join of_files using (scope);
