"""Commands that make, check and read corpora."""
