"""Instruction tuning of EmotionLlama."""
