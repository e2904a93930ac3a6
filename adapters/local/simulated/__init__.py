"""The parts of the simulated mail provider."""
