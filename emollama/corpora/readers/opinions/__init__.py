"""Opinions told to a camera: sentiment as a number, with its words."""
