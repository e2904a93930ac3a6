"""The SQS queue that notifications come by. The library that speaks to it is an extra, needed only with a queue."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from contextlib import AsyncExitStack
from importlib import import_module
from typing import Any, Final

from adapters.amazon import notices
from adapters.amazon.notices import Heard
from adapters.amazon.settings import AmazonSettings
from syncd.sdk.errors import AuthError, ConfigError, Problem, SyncdError, TransientError

MOST_MESSAGES = 10
LONG_POLL_S = 20
VISIBLE_AGAIN_S = 60
"""After so long a message that was not ended comes again."""
TOTAL_S = 40.0
"""A receive with its long poll; the connection itself is given up a little earlier."""
READ_TIMEOUT_S = 30
CONNECT_TIMEOUT_S = 5

_ACCESS: Final = frozenset(
    {
        "AccessDenied",
        "AccessDeniedException",
        "AWS.SimpleQueueService.NonExistentQueue",
        "ExpiredToken",
        "ExpiredTokenException",
        "IncompleteSignature",
        "InvalidAccessKeyId",
        "InvalidClientTokenId",
        "QueueDoesNotExist",
        "SignatureDoesNotMatch",
        "UnrecognizedClientException",
    }
)


class Queue:
    """Receives from one queue. Opening it sends nothing; the client is made at the first call."""

    def __init__(self, settings: AmazonSettings) -> None:
        self._settings = settings
        self._open = AsyncExitStack()
        self._lock = asyncio.Lock()
        self._client: Any = None

    @property
    def is_set_up(self) -> bool:
        """Say whether the settings name a queue."""
        return bool(self._settings.queue_url)

    async def receive(self) -> list[tuple[Heard, str]]:
        """Wait for messages and return what each means, with its receipt.

        Raises `AuthError` where the queue or the right to read it is missing, `TransientError` for the rest.
        """
        answer = await self._call(
            "receive_message",
            MaxNumberOfMessages=MOST_MESSAGES,
            WaitTimeSeconds=LONG_POLL_S,
            VisibilityTimeout=VISIBLE_AGAIN_S,
        )
        return [
            (self._heard(str(message.get("Body", ""))), str(message["ReceiptHandle"]))
            for message in answer.get("Messages", [])
        ]

    async def settle(self, receipts: Sequence[str]) -> None:
        """End messages; one that cannot be ended comes again."""
        for start in range(0, len(receipts), MOST_MESSAGES):
            part = receipts[start : start + MOST_MESSAGES]
            entries = [{"Id": str(place), "ReceiptHandle": receipt} for place, receipt in enumerate(part)]
            await self._call("delete_message_batch", Entries=entries)

    async def close(self) -> None:
        """End the connections to the queue."""
        self._client = None
        await self._open.aclose()

    def _heard(self, body: str) -> Heard:
        return notices.heard(body, seller_id=self._settings.seller_id, marketplace_id=self._settings.marketplace_id)

    async def _call(self, name: str, **parameters: Any) -> Any:
        client = await self._connected()
        try:
            async with asyncio.timeout(TOTAL_S):
                return await getattr(client, name)(QueueUrl=self._settings.queue_url, **parameters)
        except Exception as fault:  # noqa: BLE001  (the library's errors share no type; what is not of it is raised on)
            error = failure(fault)
        # Outside the handler: the library's error may quote the request.
        raise error

    async def _connected(self) -> Any:
        async with self._lock:
            if self._client is None:
                self._client = await self._open.enter_async_context(_client(self._settings))
            return self._client


def _client(settings: AmazonSettings) -> Any:
    """Return the library's client, not open yet; raises `ConfigError` where the library is not installed."""
    try:
        config, session = (import_module(f"aiobotocore.{name}") for name in ("config", "session"))
    except ImportError:
        missing = Problem(
            place="settings.queue_url",
            message="needs a library that is not installed (aiobotocore)",
            remedy="install syncd with its extra: pip install 'syncd[amazon]', or leave queue_url out",
        )
    else:
        return session.get_session().create_client(
            "sqs",
            region_name=settings.queue_region,
            endpoint_url=settings.queue_endpoint or None,
            aws_access_key_id=settings.aws_access_key_id or None,
            aws_secret_access_key=settings.aws_secret_access_key.reveal() or None,
            config=config.AioConfig(
                connect_timeout=CONNECT_TIMEOUT_S, read_timeout=READ_TIMEOUT_S, retries={"max_attempts": 0}
            ),
        )
    raise ConfigError([missing])


def failure(fault: Exception) -> SyncdError:
    """Return our error for one of the library's; it names a code or a type and quotes nothing.

    Raises the fault itself where it is neither of the library nor of the network.
    """
    response = getattr(fault, "response", None)
    if isinstance(response, dict):
        code = str(response.get("Error", {}).get("Code", ""))[:80]
        if code in _ACCESS:
            return AuthError(
                f"the queue of Amazon's notifications cannot be read ({code}): check queue_url and its rights"
            )
        return TransientError(f"the queue of Amazon's notifications does not answer ({code})", sent=False)
    if isinstance(fault, OSError) or type(fault).__module__.partition(".")[0] in ("botocore", "aiobotocore", "aiohttp"):
        if type(fault).__name__ in ("NoCredentialsError", "PartialCredentialsError"):
            return AuthError("there is no AWS key to read the queue of Amazon's notifications with")
        return TransientError(f"the queue of Amazon's notifications is out of reach ({type(fault).__name__})")
    raise fault
