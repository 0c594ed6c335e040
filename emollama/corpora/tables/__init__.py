"""What people bring: tables, lists, subtitles and tiers, as rows of cells by field."""
