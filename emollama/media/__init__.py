"""Media: from files to frames, sound and face crops."""
