"""The parts of the simulated Qoo10 Japan: goods, orders and claims, keys, and the methods of its API (QAPI).

`adapters.qoo10.simulator` joins them. Facts are those of copies of the official QAPI guide and of clients in use, as
crawled in 2026; where the guide is silent or copies disagree there is a knob (`knobs`), which says so.
"""
