"""`emollama bench`: models x strategies x seeds x folds, and one table that compares them."""
