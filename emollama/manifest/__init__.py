"""Which clips there are, and what is true of them: samples, labels, splits."""
