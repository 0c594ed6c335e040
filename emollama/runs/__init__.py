"""A run's folder, record and card, and what every kind of model can be asked about."""
