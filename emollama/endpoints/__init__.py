"""Language models that answer prompts: behind an endpoint, or in a local folder."""
