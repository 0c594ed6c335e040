"""Work shared out over processes and ranks."""
