"""From manifest, store and media to the batches of a fusion model."""
