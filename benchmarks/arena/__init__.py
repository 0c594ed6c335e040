"""Stand-in endpoints with a known bias, and how often the rules of diagnosis are wrong."""
