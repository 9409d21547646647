"""Optimal allocation: which calculations to repeat, so that the answer of a network improves most per GPU-hour."""
