"""From a recording of any length and any number of people to who, when, which emotion, and why."""
