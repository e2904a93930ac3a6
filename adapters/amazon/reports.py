"""Reports: ordered, waited for over several calls, and read."""

from __future__ import annotations

import asyncio
import zlib
from dataclasses import dataclass

import msgspec

from adapters.amazon.api import CREATE_REPORT, GET_REPORT, GET_REPORT_DOCUMENT, Api, encoded
from adapters.amazon.settings import AmazonSettings
from syncd.sdk.errors import ProtocolError, RejectedError, TransientError
from syncd.sdk.strict import MOST_BYTES

PATH = "/reports/2021-06-30"
FIRST_POLL_S = 1.0
LONGEST_POLL_S = 10.0
WAIT_S = 45.0
"""How long one call waits for a report; the next call goes on with the same one."""
GZIP_WBITS = 31
_FAILED = frozenset({"CANCELLED", "FATAL"})


class Created(msgspec.Struct, frozen=True, rename="camel"):
    """A report that was ordered."""

    report_id: str


class Report(msgspec.Struct, frozen=True, rename="camel"):
    """How far a report is."""

    processing_status: str
    report_document_id: str | None = None


class Document(msgspec.Struct, frozen=True, rename="camel"):
    """Where a file is; its address is valid for five minutes."""

    url: str
    compression_algorithm: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class File:
    """A file as it was read, unpacked, with the content type that came with it."""

    body: bytes
    content_type: str


class Reports:
    """Orders reports of one marketplace."""

    def __init__(self, api: Api, *, settings: AmazonSettings) -> None:
        self._api = api
        self._marketplace_id = settings.marketplace_id

    async def order(self, kind: str) -> str:
        """Order a report and return its id."""
        body: dict[str, object] = {"reportType": kind, "marketplaceIds": [self._marketplace_id]}
        answer = await self._api.call(CREATE_REPORT, f"{PATH}/reports", json=body, expect=(202,))
        return answer.decode(Created).report_id

    async def wait(self, report_id: str) -> str | None:
        """Wait a bounded time and return the id of the document; None while there is none yet.

        Raises `RejectedError` when the report failed, or was cancelled because there was nothing to report.
        """
        poll_s = FIRST_POLL_S
        waited_s = 0.0
        while True:
            answer = await self._api.call(GET_REPORT, f"{PATH}/reports/{encoded(report_id)}")
            report = answer.decode(Report)
            if report.processing_status == "DONE" and report.report_document_id:
                return report.report_document_id
            if report.processing_status in _FAILED:
                raise RejectedError(f"Amazon made no report: {report.processing_status}")
            if waited_s >= WAIT_S:
                return None
            await asyncio.sleep(poll_s)
            waited_s += poll_s
            poll_s = min(poll_s * 2, LONGEST_POLL_S)

    async def read(self, document_id: str, *, most_bytes: int = MOST_BYTES) -> File:
        """Read a document."""
        answer = await self._api.call(GET_REPORT_DOCUMENT, f"{PATH}/documents/{encoded(document_id)}")
        return await read_file(self._api, answer.decode(Document), most_bytes=most_bytes)


async def read_file(api: Api, document: Document, *, most_bytes: int = MOST_BYTES) -> File:
    """Read the file of a document, of a feed's or a report's, and unpack it."""
    answer = await api.download(document.url, most_bytes=most_bytes)
    packed = document.compression_algorithm == "GZIP"
    body = unpacked(answer.body, most_bytes=most_bytes) if packed else answer.body
    return File(body=body, content_type=answer.headers.get("content-type", ""))


def unpacked(body: bytes, *, most_bytes: int) -> bytes:
    """Return what was packed by gzip; raises `ProtocolError` where it is not, or is larger than allowed."""
    unpack = zlib.decompressobj(GZIP_WBITS)
    try:
        found = unpack.decompress(body, most_bytes)
    except zlib.error:
        found = b""
    if unpack.unconsumed_tail:
        raise ProtocolError(f"Amazon: a file is larger than {most_bytes} bytes")
    if not unpack.eof:
        raise ProtocolError("Amazon: a file is not whole")
    return found


def not_yet(what: str) -> TransientError:
    """Return the error of something that is still being made."""
    return TransientError(f"Amazon is still making {what}", retry_after_s=LONGEST_POLL_S)
