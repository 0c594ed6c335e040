"""How good a built set is, judged from the set itself and, where there is one, from a truth."""
