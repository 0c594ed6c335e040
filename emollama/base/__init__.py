"""What every package builds on: errors, files, configuration, processes. Knows no emotions."""
