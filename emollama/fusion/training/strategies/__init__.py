"""How a fusion model's parameters are updated, apart from the model."""
