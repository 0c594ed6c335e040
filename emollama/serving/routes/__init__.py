"""The routes of the server, and what they ask for."""
