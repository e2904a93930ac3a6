"""Shipped for adapter authors too: the conformance kit, simulators, faults, the simulated loop."""
