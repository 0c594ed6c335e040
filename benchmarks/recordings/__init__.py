"""Recordings of several people: scenes with known truth, and what the analysis gets right."""
