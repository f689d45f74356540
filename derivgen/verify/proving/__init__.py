"""Proofs for all sizes and all values: sums over named indices, brought to one form."""
