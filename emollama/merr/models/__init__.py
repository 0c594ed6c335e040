"""Models for stages: endpoints, local models, and their structured answers."""
