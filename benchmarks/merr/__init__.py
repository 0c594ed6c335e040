"""How `merr` does: time, peaks, rules and built labels. Each file begins with its command."""
