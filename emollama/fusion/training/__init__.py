"""Training of fusion models: loop, configuration, strategies."""
