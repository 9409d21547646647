-- log_position: number of the last commit to the task log
-- grain: one row
-- inputs: task_log, task_snapshots
-- parameters: none
select greatest(
    (select coalesce(max(seq), 0) from task_log),
    (select coalesce(max(as_of_seq), 0) from task_snapshots)
) as seq;
