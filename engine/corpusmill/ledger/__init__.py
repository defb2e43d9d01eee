"""What happened to every row: removed rows, counts, quarantine."""
