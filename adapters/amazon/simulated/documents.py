"""Files that are put up and taken down under signed addresses, which end after five minutes.

Facts: the address of a feed document, for both directions, ends after five minutes, and the content type of an upload
is signed with it (selling-partner-api-models, feeds_2021-06-30, createFeedDocument); `compressionAlgorithm` exists for
downloads only.
"""

from __future__ import annotations

import gzip
from collections.abc import Callable
from dataclasses import dataclass, field

from adapters.amazon.simulated.times import SECOND_US
from syncd.sdk.channel import Clock, Instant

LIFE_US = 300 * SECOND_US
MOST_DOCUMENTS = 10_000
PATH = "/documents"


@dataclass(slots=True, eq=False, kw_only=True)
class Document:
    """One file; `render` makes its content when it is taken down. `body` is None until something was put up."""

    document_id: str
    content_type: str
    body: bytes | None = None
    render: Callable[[], bytes] | None = None
    zipped: bool = False
    signatures: dict[str, Instant] = field(default_factory=dict)

    def content(self) -> bytes:
        """Return what is taken down."""
        if self.body is None and self.render is not None:
            content = self.render()
            self.body = gzip.compress(content, mtime=0) if self.zipped else content
        return self.body or b""


class Documents:
    """All files. `make` gives the random part of ids and signatures."""

    def __init__(self, clock: Clock, make: Callable[[], str]) -> None:
        self._clock = clock
        self._make = make
        self._documents: dict[str, Document] = {}

    def expect(self, content_type: str) -> Document:
        """Return a new file that is to be put up."""
        return self._keep(Document(document_id=self._identity(), content_type=content_type))

    def offer(self, render: Callable[[], bytes], *, content_type: str, zipped: bool = False) -> Document:
        """Return a new file that can be taken down."""
        return self._keep(
            Document(document_id=self._identity(), content_type=content_type, render=render, zipped=zipped)
        )

    def find(self, document_id: str) -> Document | None:
        """Return a file, None where there is none."""
        return self._documents.get(document_id)

    def address(self, document: Document, base_url: str, *, encoded: bool = False) -> str:
        """Return a new signed address of a file; with `encoded` it answers with Content-Encoding: gzip."""
        signature = self._make()
        document.signatures[signature] = self._clock.now() + LIFE_US
        mark = "&x-encoded=1" if encoded else ""
        return f"{base_url}{PATH}/{document.document_id}?X-Amz-Signature={signature}{mark}"

    def opens(self, document: Document, signature: str) -> bool:
        """Say whether an address is right, and still good."""
        return self._clock.now() < document.signatures.get(signature, 0)

    def _identity(self) -> str:
        text = self._make()
        return f"amzn1.tortuga.4.fe.{text[:8]}-{text[8:12]}-{text[12:16]}-{text[16:20]}-{text[20:]}"

    def _keep(self, document: Document) -> Document:
        self._documents[document.document_id] = document
        if len(self._documents) > MOST_DOCUMENTS:
            del self._documents[next(iter(self._documents))]
        return document
