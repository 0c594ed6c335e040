"""Feature tracks on disk: extraction, the feature store, and tracks from other tools."""
