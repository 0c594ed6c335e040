"""Work distributed over processes and ranks."""
