"""What every room stands on: errors, files, configuration, processes. Knows nothing of emotions."""
