"""The parts of the simulated Rakuten Ichiba: pure but for the clock, the chance and the agenda that it is given."""
