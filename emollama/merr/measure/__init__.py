"""What is measured in a clip, in worker processes that decode it once."""
