"""Explanations of a model's answers, and checks of their faithfulness to the model."""
