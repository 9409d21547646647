"""Estimates of Transformations, edges and ligands: gathered, versioned, compared with experiment, ranked.

The numbers are computed by `estimators`; here rows go in and rows come out.
"""
