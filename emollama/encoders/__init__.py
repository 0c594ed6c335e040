"""Encoders, by name: frozen models that turn a clip into a feature track."""
