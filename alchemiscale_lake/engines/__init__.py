"""Engines: where assignments run. Dask on this machine, batch queues, Prefect work pools.

Every engine is an `Executor` as defined in `dispatch.executor`; `registry` finds the one of a pool.
"""
