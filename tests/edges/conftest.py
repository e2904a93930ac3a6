"""Fixtures of the edges: a real broker."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest

from tests.edges.brokers import Broker
from tests.real_servers import Missing, skip_or_fail


@pytest.fixture
def start_broker() -> Iterator[Callable[..., Broker]]:
    """Start mosquitto with these lines in its configuration."""
    brokers: list[Broker] = []

    def start(*lines: str) -> Broker:
        brokers.append(Broker(lines))
        try:
            brokers[-1].start()
        except Missing as missing:
            skip_or_fail(missing)
        return brokers[-1]

    yield start
    for broker in brokers:
        broker.close()


@pytest.fixture
def broker(start_broker: Callable[..., Broker]) -> Broker:
    """Start a broker for anybody."""
    return start_broker()
