"""The order status page for customers: a small application of its own below `/order`, off unless switched on."""
