"""Alerts that are told anew when they change, and words that nothing ends."""

from __future__ import annotations

from typing import Any

from sqlalchemy import text

from syncd.store import alerts
from syncd.store.driver import writer_engine
from syncd.store.schema import migrate


def test_an_alert_is_told_anew_with_another_text(store_url: str, clock: Any) -> None:
    """The same text stands in silence, another text is told again, and it clears once."""
    migrate(store_url, backup_dir=None, clock=clock)
    with writer_engine(store_url).begin() as conn:

        def renew(words: str) -> bool:
            values = {"account": "shop"}
            return alerts.renew_alert(conn, kind="key_expiry", key="shop/k", text=words, values=values, now=1)

        assert [renew(words) for words in ("14", "14", "7", "7")] == [True, False, True, False]
        assert [alert.text for alert in alerts.standing(conn)] == ["7"]
        assert alerts.clear_alert(conn, kind="key_expiry", key="shop/k", now=2)
        assert renew("7")
        assert conn.execute(text("SELECT count(*) FROM outbox")).scalar() == 4


def test_a_word_is_told_and_does_not_stand(store_url: str, clock: Any) -> None:
    """What a channel says once is told each time and ends nothing."""
    migrate(store_url, backup_dir=None, clock=clock)
    with writer_engine(store_url).begin() as conn:
        for _ in range(2):
            alerts.tell(conn, alerts.Alert(kind="notice", key="shop", text="x"), now=1)
        assert alerts.standing(conn) == []
        assert conn.execute(text("SELECT count(*) FROM outbox")).scalar() == 2
