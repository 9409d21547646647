"""Whole-network estimates: repeats, legs, edges, cycles, free energies of ligands, their ranking."""
