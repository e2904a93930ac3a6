"""The inside of the simulated Zendesk account."""
