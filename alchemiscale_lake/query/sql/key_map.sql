-- key_map: Transformations of networks that are stored under another key, since the Scope had their calculation before
-- grain: one row per network and Transformation of its own that is stored under another key
-- inputs: networks, gufe_objects, calculations
-- parameters: none; filter by scope, network, name
create view key_map as
with own as (
    select
        networks.scope,
        networks.network,
        networks.name,
        unnest(gufe_objects.refers_to) || '-' || networks.scope as transformation
    from networks
    join gufe_objects
        on gufe_objects.scope = networks.scope
        and gufe_objects.key = networks.key
)
select
    own.scope,
    own.network,
    own.name,
    own.transformation,
    calculations.stands_for,
    calculations.calculation
from own
join calculations
    on calculations.scope = own.scope
    and calculations.transformation = own.transformation
where calculations.stands_for <> calculations.transformation;
