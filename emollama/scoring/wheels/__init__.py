"""Metrics of open vocabularies on emotion wheels."""
