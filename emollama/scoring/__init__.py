"""What is a pure function of predictions: metrics, intervals, tables, reports."""
