"""Everything that an adapter may import."""
