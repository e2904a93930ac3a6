"""A daemon that takes a command, says so, and never commits it: to be killed."""

import asyncio
import sys

from syncd.core.facts import Fact
from tests.edges.brokers import Receipt, make_mqtt


async def take(_fact: Fact, _source: str, key: str) -> Receipt:
    sys.stdout.write(f"taken {key.partition('/')[2]}\n")
    sys.stdout.flush()
    await asyncio.Event().wait()
    return Receipt(duplicate=False)


asyncio.run(make_mqtt(sys.argv[1]).run(asyncio.Event(), intake=take))
