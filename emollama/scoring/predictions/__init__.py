"""Predictions files: reading, checking, pooling, and labels read from free text."""
