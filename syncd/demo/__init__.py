"""A flash sale in the terminal: simulated channels, the whole daemon, shoppers, and a naive tool beside it."""

from syncd.demo.run import run_demo

__all__ = ["run_demo"]
