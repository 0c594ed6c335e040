"""Language models that are asked by text: behind an endpoint, or in a local folder."""
