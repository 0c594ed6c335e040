"""The quality of a set, measured on the set itself and against a truth if there is one."""
