"""What else the simulated memory shop does."""
