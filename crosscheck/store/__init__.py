"""What stays on disk: runs, and later cases and findings."""
