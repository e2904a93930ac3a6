"""What alerts say to people, in English and Japanese. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from syncd.store.alerts import Alert

LANGUAGES: Final = ("en", "ja")

MOST_CHARS: Final = 500
"""Longest line of one alert."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Words:
    """A kind of alert in one language: its name, and a sentence with the names of its values in braces."""

    title: str
    sentence: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Phrases:
    """The words around alerts in one language."""

    over: str
    several: str
    more: str


TEXTS: Final[Mapping[str, Mapping[str, Words]]] = {
    "en": {
        "low_stock": Words(title="Low stock", sentence="{sku}: {available} left"),
        "quarantine": Words(
            title="Order with an unknown SKU",
            sentence="{account}: order {order} sells {sku}, which is not mapped; no stock was committed for it",
        ),
        "brake": Words(title="Change held", sentence="a person has to release or refuse it: {cause}"),
        "channel_down": Words(title="Channel down", sentence="{account} cannot be reached: {reason}"),
        "key_expiry": Words(title="Key about to expire", sentence="{account}: {name} expires in {days} days"),
        "key_expired": Words(
            title="Key has expired", sentence="{account}: {name} has expired; nothing can be read or written there"
        ),
        "account_health": Words(
            title="Account at risk", sentence="{account}: {figure} is at {rate} %, the limit is {limit} %"
        ),
        "conduct": Words(
            title="Own cancels near a limit",
            sentence="{account}: {rule} is at {value}, may come to {forecast}, the limit is {limit}",
        ),
        "no_ship_date": Words(
            title="Orders without a ship-by date", sentence="{account}: {count} orders, the first is {order} ({reason})"
        ),
        "notice": Words(title="Word from the channel", sentence="{account}: {text}"),
        "clock": Words(
            title="Clock set back",
            sentence="the clock of this machine went back by {minutes} minutes or more; {account} is read anew",
        ),
        "disk": Words(title="Disk almost full", sentence="{free_mb} MB left where the ledger is kept"),
        "private_sale": Words(
            title="Private sale refused",
            sentence="{account}: {reason}; the channel is opened for those who wait instead",
        ),
        "private_sale_stays": Words(
            title="Private sale cannot be ended",
            sentence="{account}, entry {entry}: {reason}; its units stay held until it is ended there",
        ),
        "oversell": Words(title="Oversold", sentence="{sku}: {units} more sold than there are"),
        "overdue": Words(
            title="Deliveries overdue",
            sentence="{count} were to be here and are not ({names}); preorders no longer count on them",
        ),
        "desk_down": Words(title="Desk down", sentence="{desk} cannot be reached: {reason}"),
        "ticket_refused": Words(
            title="Ticket not changed", sentence="{desk} refuses a change of ticket {ticket}: {reason}"
        ),
        "message_unsure": Words(
            title="A letter may or may not have gone",
            sentence="{desk}, ticket {ticket}, letter {letter}: nobody can look it up, so it is not sent again",
        ),
        "told_in_vain": Words(
            title="Customers were told too much",
            sentence="{count} were told and wait again ({why}): {names}",
        ),
        "authorisation_ends": Words(
            title="Payment ends before the goods come",
            sentence="{account}: order {order} is expected on {expected}, after its authorisation",
        ),
        "drift": Words(title="Number changed elsewhere", sentence="{account}: listing {listing} shows {seen}"),
        "unmapped": Words(
            title="Listings without a SKU",
            sentence="{account}: {count} listings belong to no SKU and are not kept in step ({names})",
        ),
        "vanished": Words(
            title="Listings are gone",
            sentence="{account}: {count} listings are no longer in the catalogue and are not written ({names})",
        ),
        "parked": Words(
            title="Writes refused",
            sentence="{account} refuses numbers of {count} listings; only falls are tried again there ({names})",
        ),
        "webhook_lost": Words(
            title="Webhooks missing",
            sentence="{account} does not send {topics}; orders still come by polling, only later",
        ),
        "escalated": Words(
            title="A customer for a person",
            sentence="{ticket}: {reasons}, priority {priority}; no letter goes by itself until it is released ({id})",
        ),
        "cancel_wish": Words(title="Buyer asks to cancel", sentence="{account}: order {order}"),
        "webhook_out": Words(title="Events not taken", sentence="{endpoint} does not take our events: {reason}"),
    },
    "ja": {
        "low_stock": Words(title="在庫わずか", sentence="{sku}：残り{available}点"),
        "quarantine": Words(
            title="未登録SKUの注文",
            sentence="{account}：注文{order}の商品{sku}はSKUに対応付けられていません。在庫は引き当てられていません",
        ),
        "brake": Words(title="変更を保留", sentence="担当者による承認または却下が必要です：{cause}"),
        "channel_down": Words(title="チャネル停止", sentence="{account}に接続できません：{reason}"),
        "key_expiry": Words(title="キーの期限切れ間近", sentence="{account}：{name}はあと{days}日で期限が切れます"),
        "key_expired": Words(
            title="キーの期限切れ", sentence="{account}：{name}の期限が切れました。読み取りも書き込みもできません"
        ),
        "account_health": Words(
            title="アカウント健全性の低下", sentence="{account}：{figure}は{rate} %、上限は{limit} %です"
        ),
        "conduct": Words(
            title="店舗都合キャンセルの増加",
            sentence="{account}：{rule}は{value}、見込みは{forecast}、上限は{limit}です",
        ),
        "private_sale": Words(
            title="個別販売の拒否",
            sentence="{account}：{reason}。お待ちの方のために、代わりにチャネルで公開します",
        ),
        "private_sale_stays": Words(
            title="個別販売を終了できません",
            sentence="{account}、番号{entry}：{reason}。チャネルで終了するまで数量は確保されたままです",
        ),
        "no_ship_date": Words(title="出荷予定日なしの注文", sentence="{account}：{count}件、先頭は{order}（{reason}）"),
        "notice": Words(title="チャネルからの連絡", sentence="{account}：{text}"),
        "clock": Words(
            title="時計の後戻り",
            sentence="このマシンの時計が{minutes}分以上戻されました。{account}の数を読み直します",
        ),
        "disk": Words(title="ディスク残量不足", sentence="台帳の保存先の残りは{free_mb} MBです"),
        "oversell": Words(title="売り越し", sentence="{sku}：在庫より{units}点多く売れています"),
        "overdue": Words(
            title="入荷の遅れ",
            sentence="予定日を過ぎた入荷が{count}件あります（{names}）。予約販売の対象から外しました",
        ),
        "desk_down": Words(title="デスク停止", sentence="{desk}に接続できません：{reason}"),
        "ticket_refused": Words(
            title="チケットを変更できません", sentence="{desk}がチケット{ticket}の変更を拒否しました：{reason}"
        ),
        "message_unsure": Words(
            title="送信されたか不明なメール",
            sentence="{desk}、チケット{ticket}、文面{letter}：確認できません。再送はしませんので、お客様にご確認ください",
        ),
        "told_in_vain": Words(
            title="案内の取り消しが必要です",
            sentence="{count}件は案内済みですが、再び入荷待ちになりました（{why}）：{names}",
        ),
        "authorisation_ends": Words(
            title="入荷前に与信が切れます",
            sentence="{account}：注文{order}の入荷予定日{expected}は与信の期限より後です",
        ),
        "drift": Words(title="外部での数量変更", sentence="{account}：出品{listing}の表示は{seen}です"),
        "unmapped": Words(
            title="SKU未対応の出品",
            sentence="{account}：{count}件の出品がSKUに対応付けられていないため、在庫を連動していません（{names}）",
        ),
        "vanished": Words(
            title="消えた出品",
            sentence="{account}：{count}件の出品がカタログから消え、書き込みを止めています（{names}）",
        ),
        "parked": Words(
            title="書込の拒否",
            sentence="{account}：{count}件の出品で数量の書込が拒否されました。減らす書込だけを再試行します（{names}）",
        ),
        "webhook_lost": Words(
            title="Webhook未登録",
            sentence="{account}から{topics}が届きません。注文はポーリングで遅れて取得します",
        ),
        "escalated": Words(
            title="担当者の対応が必要なお客様",
            sentence="{ticket}：{reasons}、優先度{priority}。解除（{id}）まで自動送信を停止しています",
        ),
        "cancel_wish": Words(title="キャンセル依頼", sentence="{account}：注文{order}"),
        "webhook_out": Words(title="イベント送信失敗", sentence="{endpoint}がイベントを受け取りません：{reason}"),
    },
}

PHRASES: Final[Mapping[str, Phrases]] = {
    "en": Phrases(over="Over", several="{count} alerts", more="and {count} more: see syncd status"),
    "ja": Phrases(over="解消", several="アラート{count}件", more="ほか{count}件：syncd statusで確認してください"),
}


def text(kind: str, language: str, **values: str | int) -> str:
    """Return the sentence of a kind of alert; raises KeyError for an unknown kind or a value that is missing."""
    return TEXTS[language][kind].sentence.format_map(values)


def headline(alert: Alert, *, over: bool, language: str) -> str:
    """Return what happened in a few words: the kind, and what it is about."""
    words = TEXTS[language].get(alert.kind)
    title = alert.kind if words is None else words.title
    return f"{PHRASES[language].over}: {title}" if over else title


def line(alert: Alert, *, over: bool, language: str) -> str:
    """Return one alert as one line. Without the values that its sentence needs its plain text stands in for it."""
    about = alert.key
    if not over:
        try:
            about = text(alert.kind, language, **{"key": alert.key, **alert.values})
        except KeyError:
            about = f"{alert.key}: {alert.text}" if alert.text else alert.key
    return one_line(f"{headline(alert, over=over, language=language)}: {about}")


def one_line(words: str) -> str:
    """Return a text without line breaks and controls, cut where it is too long: it goes into mail headers too."""
    clean = " ".join("".join(char if char.isprintable() else " " for char in words).split())
    return clean if len(clean) <= MOST_CHARS else f"{clean[: MOST_CHARS - 1]}…"
