"""The page's tab for recordings of any number of people, over the analysis of `recording`."""
