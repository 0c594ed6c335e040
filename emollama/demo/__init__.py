"""The web page for chatting about a clip: `python -m demo --model DIR`."""
