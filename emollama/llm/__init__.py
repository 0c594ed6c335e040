"""EmotionLlama: feature streams in the token space of a causal language model."""
