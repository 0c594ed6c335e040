"""What other programs read of an artefact: exports, prompt embeddings, engines, auto classes."""
