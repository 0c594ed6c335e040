"""Reasons held against what was measured: one check for every reason that is shown or stored."""
