"""Models behind stages: endpoints, local models, and what is kept of what they say."""
