"""Encoders: frozen models from a clip to a feature track, by name."""
