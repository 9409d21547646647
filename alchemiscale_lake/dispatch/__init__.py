"""Dispatch: which Tasks run where and when, and what becomes of them.

The dispatcher of a pool, the policy over all pools, the seam to engines (`executor`). What it writes,
it writes through `ledger`; rules without a lake are in `tasks`.
"""
