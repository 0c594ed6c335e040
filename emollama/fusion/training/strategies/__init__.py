"""Strategies: how a fusion model's parameters are updated."""
