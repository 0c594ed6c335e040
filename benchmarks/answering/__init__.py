"""How soon an answer is there: a first clip, further ones, and text."""
