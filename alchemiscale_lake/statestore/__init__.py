"""The state store: networks, Tasks, claims, results, restarts, hosts.

Each verb checks, writes in a safe order, and is idempotent. State and nothing else: estimates are in `estimates`,
costs in `costs`, results from elsewhere in `importing`.
"""
