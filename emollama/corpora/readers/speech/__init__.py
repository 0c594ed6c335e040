"""Readers of corpora of speech and of dialogues, and of one metadata format for many of them."""
