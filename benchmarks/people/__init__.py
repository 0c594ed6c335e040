"""The model that ships: making it anew, and scoring its card anew."""
