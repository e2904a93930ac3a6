"""What is decided, as pure functions: no await, no IO, no clock, no chance."""
