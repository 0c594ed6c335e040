"""Inputs of a model: specifications, readers, standardisers, order and dropped channels."""
