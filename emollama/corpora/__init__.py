"""Readers of corpora in their real layout, and the probe corpus that is made here."""
