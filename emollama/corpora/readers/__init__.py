"""Readers of corpora in their released layout, one file a corpus."""
