"""The JSON protocol of Amazon SQS, as far as a receiver needs it (AWS, SQS API Reference, 2012-11-05)."""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Any

import msgspec
from aiohttp import web

from adapters.amazon.simulated.queue import DEFAULT_VISIBILITY_S, Message, Queue
from adapters.amazon.simulated.times import SECOND_US

ACCOUNT = "123456789012"
NAME = "syncd-amazon"
REGION = "ap-northeast-1"
PATH = f"/sqs/{ACCOUNT}/{NAME}"
ARN = f"arn:aws:sqs:{REGION}:{ACCOUNT}:{NAME}"
MOST_WAIT_S = 20
MOST_BATCH = 10
MOST_VISIBILITY_S = 43_200
_CREDENTIAL = re.compile(r"^AWS4-HMAC-SHA256 Credential=([^/]+)/\d{8}/[^/]+/sqs/aws4_request, ")


@dataclass(slots=True)
class _Fault(Exception):  # noqa: N818  (an answer)
    kind: str
    message: str
    status: int = 400


class Sqs:
    """One queue under its URL; every call must be signed with the key id, the signature itself is not checked."""

    def __init__(self, queue: Queue, *, key_id: str) -> None:
        self._queue = queue
        self._key_id = key_id
        self._actions: Mapping[str, Callable[[dict[str, Any]], Awaitable[dict[str, Any]]]] = {
            "ReceiveMessage": self._receive,
            "DeleteMessage": self._delete,
            "DeleteMessageBatch": self._delete_batch,
            "ChangeMessageVisibility": self._hide,
            "GetQueueAttributes": self._attributes,
            "GetQueueUrl": self._url,
        }
        self._base_url = ""

    async def answer(self, request: web.Request, base_url: str) -> web.Response:
        """Answer one call."""
        self._base_url = base_url
        try:
            body = await self._called(request)
            return _json(body)
        except _Fault as fault:
            return _json({"__type": fault.kind, "message": fault.message}, status=fault.status)

    async def _called(self, request: web.Request) -> dict[str, Any]:
        credential = _CREDENTIAL.match(request.headers.get("Authorization", ""))
        if credential is None or credential[1] != self._key_id:
            kind = "com.amazon.coral.service#UnrecognizedClientException"
            raise _Fault(kind, "The security token included in the request is invalid.", 403)
        action = self._actions.get(request.headers.get("X-Amz-Target", "").removeprefix("AmazonSQS."))
        if action is None:
            raise _Fault("com.amazon.coral.service#UnknownOperationException", "No such operation.")
        try:
            given = msgspec.json.decode(await request.read() or b"{}", type=dict[str, Any])
        except msgspec.DecodeError as fault:
            raise _Fault("com.amazon.coral.service#SerializationException", "The body is no JSON object.") from fault
        url = given.get("QueueUrl")
        if url is not None and not str(url).endswith(PATH):
            kind = "com.amazonaws.sqs#QueueDoesNotExist"
            raise _Fault(kind, "The specified queue does not exist.")
        return await action(given)

    async def _receive(self, given: dict[str, Any]) -> dict[str, Any]:
        most = _whole(given, "MaxNumberOfMessages", 1, low=1, high=MOST_BATCH)
        wait_s = _whole(given, "WaitTimeSeconds", 0, low=0, high=MOST_WAIT_S)
        visibility_s = _whole(given, "VisibilityTimeout", DEFAULT_VISIBILITY_S, low=0, high=MOST_VISIBILITY_S)
        messages = await self._queue.wait(most, visibility_s=visibility_s, wait_s=wait_s)
        wanted = {*given.get("AttributeNames", ()), *given.get("MessageSystemAttributeNames", ())}
        return {"Messages": [_message(message, wanted) for message in messages]} if messages else {}

    async def _delete(self, given: dict[str, Any]) -> dict[str, Any]:
        self._queue.end(str(given.get("ReceiptHandle")))
        return {}

    async def _delete_batch(self, given: dict[str, Any]) -> dict[str, Any]:
        entries = given.get("Entries")
        if not isinstance(entries, list) or not entries:
            raise _Fault("com.amazonaws.sqs#EmptyBatchRequest", "There are no entries in the batch request.")
        if len(entries) > MOST_BATCH:
            raise _Fault("com.amazonaws.sqs#TooManyEntriesInBatchRequest", "More than 10 entries in the request.")
        if len({entry["Id"] for entry in entries}) != len(entries):
            raise _Fault("com.amazonaws.sqs#BatchEntryIdsNotDistinct", "Two entries have the same Id.")
        done = [entry for entry in entries if self._queue.end(str(entry.get("ReceiptHandle")))]
        failed = [entry for entry in entries if entry not in done]
        answer: dict[str, Any] = {"Successful": [{"Id": entry["Id"]} for entry in done]}
        if failed:
            fault = {"SenderFault": True, "Code": "ReceiptHandleIsInvalid", "Message": "The receipt handle is invalid."}
            answer["Failed"] = [{"Id": entry["Id"]} | fault for entry in failed]
        return answer

    async def _hide(self, given: dict[str, Any]) -> dict[str, Any]:
        seconds = _whole(given, "VisibilityTimeout", 0, low=0, high=MOST_VISIBILITY_S)
        if not self._queue.hide(str(given.get("ReceiptHandle")), seconds):
            raise _Fault("com.amazonaws.sqs#ReceiptHandleIsInvalid", "The receipt handle is invalid.")
        return {}

    async def _attributes(self, _: dict[str, Any]) -> dict[str, Any]:
        return {"Attributes": {"QueueArn": ARN, "ApproximateNumberOfMessages": str(len(self._queue))}}

    async def _url(self, given: dict[str, Any]) -> dict[str, Any]:
        if given.get("QueueName") != NAME:
            raise _Fault("com.amazonaws.sqs#QueueDoesNotExist", "The specified queue does not exist.")
        return {"QueueUrl": f"{self._base_url}{PATH}"}


def _whole(given: Mapping[str, Any], name: str, default: int, *, low: int, high: int) -> int:
    value = given.get(name, default)
    if not isinstance(value, int) or not low <= value <= high:
        text = f"Value {value} for parameter {name} is invalid. Reason: Must be between {low} and {high}, if provided."
        raise _Fault("com.amazon.coral.service#InvalidParameterValue", text)
    return value


def _message(message: Message, wanted: set[str]) -> dict[str, Any]:
    attributes = {
        "ApproximateReceiveCount": str(message.received),
        "SentTimestamp": str(message.sent_at * 1000 // SECOND_US),
    }
    body: dict[str, Any] = {
        "MessageId": message.message_id,
        "ReceiptHandle": message.receipt,
        "MD5OfBody": message.md5,
        "Body": message.body,
    }
    chosen = {name: value for name, value in attributes.items() if "All" in wanted or name in wanted}
    return body | ({"Attributes": chosen} if chosen else {})


def _json(body: Any, *, status: int = 200) -> web.Response:
    return web.Response(body=msgspec.json.encode(body), status=status, content_type="application/x-amz-json-1.0")
