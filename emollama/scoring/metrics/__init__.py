"""Metrics as functions of truth, answers and weights, and the table that names them."""
