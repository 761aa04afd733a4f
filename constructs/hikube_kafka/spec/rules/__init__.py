"""What makes a declaration invalid."""
