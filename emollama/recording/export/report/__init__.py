"""report.html: the recording, who feels what when, and where to look, in one file."""
