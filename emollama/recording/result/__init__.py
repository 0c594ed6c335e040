"""What is done with an analysis once it is there: kept, people named and merged, asked about."""
