"""Corpora: readers of released layouts, tables, splits and the doctor."""
