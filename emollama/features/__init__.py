"""Feature tracks on disk: extraction, the store they are kept in, and tracks made elsewhere."""
