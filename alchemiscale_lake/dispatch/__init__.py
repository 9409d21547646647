"""Dispatch: which Tasks run where and when, and the recording of their outcomes.

The dispatcher of a pool, the policy over all pools, the interface to engines (`executor`). Writes go through `ledger`;
rules without a lake are in `tasks`.
"""
