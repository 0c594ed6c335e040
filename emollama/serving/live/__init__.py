"""Live sessions: sound and pictures come while somebody speaks, answers after each utterance."""
