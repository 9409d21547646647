"""Dispatch: which Tasks run where and when, and the recording of their outcomes.

A dispatcher's turn observes (`observation`, `openings`), decides by pure functions (`decision`, `allocation` and the
rules that they use), and acts (`acts`, `assignments`). Also the policy over all pools, and the interface to engines
(`executor`). Writes go through `statestore`; rules about Tasks and pools alone are in `tasks`.
"""
