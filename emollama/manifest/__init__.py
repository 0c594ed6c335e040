"""Manifests: samples, labels and splits."""
