"""The page on which one chats about a clip: `python -m demo --model DIR`."""
