"""The verbs of the bookkeeping: each checks, writes in the safe order, and can be repeated."""
