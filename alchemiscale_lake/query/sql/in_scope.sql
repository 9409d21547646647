-- in_scope(scope, pattern): whether a Scope matches a pattern such as 'org-campaign-*'
-- grain: scalar
-- inputs: none
-- parameters: scope, pattern; a null pattern matches every Scope
create macro in_scope(scope, pattern) as (
    pattern is null
    or scope = pattern
    or (contains(pattern, '*') and starts_with(scope, split_part(pattern, '*', 1)))
);
