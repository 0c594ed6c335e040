"""Names of facial signs that are not action units."""

EXPRESSION_PREFIX = "looks "
"""Prefix of the classes of a whole-face classifier, which does not measure units."""
