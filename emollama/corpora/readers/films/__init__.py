"""Faces in films: clips of single expressions with official folds."""
