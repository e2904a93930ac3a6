"""The running daemon as the edges see it: what they read, and the one door by which facts go in."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field

from sqlalchemy import Connection

from syncd.core.escalation import Lexicon
from syncd.core.terms import AccountId, Instant, SkuId
from syncd.core.tickets import DeskId
from syncd.engine.channels import Roster
from syncd.engine.desks import Desks
from syncd.engine.errands import Errands
from syncd.engine.foretelling import foretold
from syncd.engine.intake import Intake
from syncd.engine.rules import House
from syncd.engine.work import Hint
from syncd.letters import Texts, load_texts
from syncd.sdk.channel import Clock
from syncd.settings import Settings
from syncd.store.ledger import Shelf
from syncd.store.session import Store


@dataclass(slots=True, kw_only=True)
class Plant:
    """Everything that runs. `ready` is set once the inbox of the last run is decided; `stop` ends it all.

    `tells` are the hints of those who bring events out; `texts` are those of letters to customers, `lexicon`
    the words that make a ticket one for a person.
    """

    settings: Settings
    store: Store
    intake: Intake
    clock: Clock
    uuid: Callable[[], str]
    random: Callable[[], float]
    roster: Roster
    epoch: int
    started_at: Instant
    texts: Texts = field(default_factory=lambda: load_texts(None, shop={}))
    lexicon: Lexicon = field(default_factory=Lexicon)
    stop: asyncio.Event = field(default_factory=asyncio.Event)
    ready: asyncio.Event = field(default_factory=asyncio.Event)
    house: House = field(default_factory=House)
    tells: list[asyncio.Event] = field(default_factory=list)
    serves: asyncio.Event = field(default_factory=asyncio.Event)
    desks: Desks = field(default_factory=dict)
    counts: Counter[tuple[str, ...]] = field(default_factory=Counter)
    """What was answered to programs and customers, by names of few values; metrics tell it."""
    proof_key: bytes = field(default=b"", repr=False)
    """What proofs of buyers are made with; empty while there is no order page."""

    @property
    def errands(self) -> Errands:
        """Return what a person may have done at a channel right now."""
        return Errands(ground=self)

    def wake(self, name: AccountId, hint: Hint) -> None:
        """Hint that something may be due on an account, or is to be told."""
        if hint is Hint.TELL:
            for told in self.tells:
                told.set()
        if hint is Hint.SERVE:
            self.serves.set()
        if (desk := self.desks.get(DeskId(name))) is not None:
            desk.wake(hint)
        account = self.roster.get(name)
        if account is not None:
            account.wake(hint)

    def foretold(self, conn: Connection, shelves: Mapping[SkuId, Shelf], opened: Collection[SkuId]) -> dict[int, int]:
        """Return the targets that listings would have with these balances, by id; nothing is kept."""
        return foretold(conn, shelves, opened=opened, house=self.house, now=self.clock.now())

    def account(self, name: str) -> AccountId | None:
        """Return the account of this name, None when there is none."""
        known = AccountId(name)
        return known if known in self.roster else None
