"""Names, addresses and contract per target."""
