"""Independent witnesses: each has its own tables and its own walk, and none imports another."""
