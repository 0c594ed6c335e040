"""Layouts and checkpoints of the released Emotion-LLaMA and MiniGPT-v2."""
