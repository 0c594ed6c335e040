"""Speed, compared with what a user would do instead. Each file begins with its command."""
