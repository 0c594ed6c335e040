"""Reports: tables and figures of scored predictions."""
