"""The ledger's operations: each checks, writes in a safe order, and is idempotent."""
