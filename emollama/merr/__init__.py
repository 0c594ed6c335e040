"""From a folder of raw video to MERR-style instruction data, every clue traceable."""
