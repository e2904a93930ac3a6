"""An MQTT broker inside the process, for the demo and for tests without one: MQTT 3.1.1 only, nothing kept.

Needs the extra `demo` (amqtt); everything else of syncd works without it.
"""

from __future__ import annotations

import contextlib
import logging
from collections.abc import AsyncIterator

__all__ = ["embedded_broker"]


@contextlib.asynccontextmanager
async def embedded_broker(port: int = 0) -> AsyncIterator[str]:
    """Run a broker for anybody on the loopback and give its URL; port 0 takes a free one.

    Clients have to speak MQTT 3.1.1 (`protocol = "3.1.1"`). Raises ModuleNotFoundError without amqtt, OSError where
    the port is taken.
    """
    from amqtt.broker import Broker  # noqa: PLC0415  (optional: only the demo needs it)
    from amqtt.errors import BrokerError  # noqa: PLC0415  (the same)

    for name in ("amqtt", "transitions"):
        logging.getLogger(name).setLevel(logging.CRITICAL)  # it logs every connection that ends, and the demo ends many
    broker = Broker(
        {
            "listeners": {"default": {"type": "tcp", "bind": f"127.0.0.1:{port}"}},
            "plugins": {"amqtt.plugins.authentication.AnonymousAuthPlugin": {"allow_anonymous": True}},
        }
    )
    try:
        await broker.start()
    except BrokerError:
        raise OSError(f"no broker can listen on port {port} of the loopback") from None
    try:
        listening = broker._servers["default"].instance.sockets[0]  # noqa: SLF001  (it tells its port nowhere else)
        yield f"mqtt://127.0.0.1:{listening.getsockname()[1]}"
    finally:
        await broker.shutdown()
