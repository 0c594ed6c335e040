"""Reasons and the referee beyond the tables of a report. Each file begins with its command."""
