"""Fusion models: small classifiers and regressors over the same feature tracks as the LLM."""
