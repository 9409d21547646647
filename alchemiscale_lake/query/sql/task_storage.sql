-- task_storage: bytes that the results and kept files of each Task take up in the lake; what several of its attempts share counts once
-- grain: one row per Task with a result; what two Tasks share counts in both and in shared_bytes
-- inputs: results, result_files, pruned_files
-- parameters: none; filter by scope, task
create view task_storage as
with kept as (
    select
        results.scope,
        results.task,
        stored.object_path,
        count(*) as n_files,
        max(stored.n_bytes) as n_bytes
    from result_files as stored
    anti join pruned_files using (scope, attempt, path)
    join results using (scope, attempt)
    group by results.scope, results.task, stored.object_path
),
objects as (
    select
        scope,
        task,
        object_path,
        0 as n_files,
        false as is_file,
        max(n_bytes) as n_bytes
    from results
    where object_path is not null
    group by scope, task, object_path
    union all
    select
        scope,
        task,
        object_path,
        n_files,
        true as is_file,
        n_bytes
    from kept
),
owned as (
    select
        *,
        count(*) over (partition by object_path) > 1 as is_shared
    from objects
),
summed as (
    select
        task,
        sum(n_files) as n_files,
        sum(n_bytes) filter (not is_file) as result_bytes,
        sum(n_bytes) filter (is_file) as file_bytes,
        sum(n_bytes) filter (is_shared) as shared_bytes
    from owned
    group by task
),
counted as (
    select
        scope,
        task,
        transformation,
        count(*) as n_attempts
    from results
    group by scope, task, transformation
)
select
    counted.scope,
    counted.task,
    counted.transformation,
    counted.n_attempts,
    coalesce(summed.n_files, 0)::bigint as n_files,
    coalesce(summed.result_bytes, 0)::bigint as result_bytes,
    coalesce(summed.file_bytes, 0)::bigint as file_bytes,
    coalesce(summed.shared_bytes, 0)::bigint as shared_bytes
from counted
left join summed using (task);
