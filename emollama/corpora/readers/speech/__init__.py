"""Readers of corpora of voices, and of one metadata format for many of them."""
