"""The HTTP server: OpenAI-compatible chat about clips, and emotions as JSON."""
