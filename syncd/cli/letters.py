"""`syncd letters`: the texts that customers read, and how one looks when it is filled in."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated, Any

import typer
from rich.console import RenderableType

from syncd.cli.frame import FAILED, USAGE, Config, Failure, Json, Terminal, guarded, open_terminal
from syncd.cli.show import grid
from syncd.cli.talk import Talk
from syncd.core.placeholders import PAYMENTS, PLACES
from syncd.core.tickets import Language, MessageKind
from syncd.letters import TextRow, Texts, load_texts
from syncd.letters.samples import SHOP_NAMES, sample
from syncd.sdk.errors import RejectedError

app = typer.Typer(help="Texts that customers read.", no_args_is_help=True)


@app.command(name="list")
@guarded
def listed(*, config: Config = None, json: Json = False) -> None:
    """List the texts: which kinds there are, and which of them are the shop's own."""
    terminal = open_terminal(config, json=json)
    texts = _texts(terminal, Language.EN)
    by_kind: dict[MessageKind, list[TextRow]] = {}
    for row in texts.rows():
        by_kind.setdefault(row.kind, []).append(row)
    told = {
        "letters": [
            {
                "kind": kind,
                "about": terminal.say(f"letters.about.{kind}"),
                "own": [row.language for row in rows if row.own],
                "files": {row.language: row.path for row in rows},
                "needed": sorted(PLACES[kind].needed),
                "optional": sorted(PLACES[kind].optional),
            }
            for kind, rows in by_kind.items()
        ]
    }
    terminal.show(told, lambda value: _listed(terminal, value))


def _listed(terminal: Terminal, told: Any) -> Iterator[RenderableType]:
    rows = [
        [row["kind"], row["about"], " ".join(row["own"]) or None, " ".join(row["needed"]), " ".join(row["optional"])]
        for row in told["letters"]
    ]
    yield grid(terminal, "letter occasion own_texts needed optional", rows)
    yield terminal.say("letters.folder")


@app.command()
@guarded
def preview(
    *,
    kind: Annotated[str, typer.Argument(help="Which letter, see `syncd letters list`.")],
    language: Annotated[str, typer.Option("--language", "-l", help="ja, en or zh.")] = "ja",
    payment: Annotated[str, typer.Option("--payment", help="How it was paid: card, bank, konbini, cod, points.")] = "",
    bare: Annotated[bool, typer.Option("--bare", help="Leave out all that may be missing.")] = False,
    no_order: Annotated[bool, typer.Option("--no-order", help="To somebody who has no order.")] = False,
    entry: Annotated[int, typer.Option("--entry", min=0, help="With the values of this waitlist entry.")] = 0,
    config: Config = None,
    json: Json = False,
) -> None:
    """Show a letter as a customer would read it: of an order that nobody made, or of somebody who waits."""
    terminal = open_terminal(config, json=json)
    wanted, tongue = _kind(terminal, kind), _language(terminal, language)
    values = _values_of(terminal, entry) if entry else sample(wanted, tongue, bare=bare)
    values |= {"payment": _payment(terminal, payment)} if payment else {}
    values |= {"order_number": ""} if no_order else {}
    try:
        letter = _texts(terminal, tongue).letter(wanted, tongue, values)
    except RejectedError as error:
        raise Failure(FAILED, str(error)) from None
    terminal.show(letter, lambda _: [letter.subject, "", letter.body.rstrip()])


def _values_of(terminal: Terminal, entry: int) -> dict[str, str]:
    """Return the words of somebody who waits, as the daemon knows them."""
    found = Talk(terminal).get("waitlist", str(entry))
    names = ("order_number", "expected", "amount", "currency")
    values = {name: str(found[name]) for name in names}
    return values | {"product": found["sku"], "quantity": str(found["quantity"]), "previous": found["promised"]}


def _texts(terminal: Terminal, language: Language) -> Texts:
    """Return the texts of the settings; a shop without a name has one for show."""
    letters = terminal.settings().letters
    shop = {**letters.shop, "name": letters.name or SHOP_NAMES[language]}
    return load_texts(letters.templates, shop=shop)


def _kind(terminal: Terminal, text: str) -> MessageKind:
    try:
        return MessageKind(text.replace("-", "_"))
    except ValueError:
        raise Failure(USAGE, terminal.say("letters.no_kind", kind=text, known=", ".join(MessageKind))) from None


def _language(terminal: Terminal, text: str) -> Language:
    try:
        return Language(text)
    except ValueError:
        raise Failure(USAGE, terminal.say("letters.no_language", wanted=text, known=", ".join(Language))) from None


def _payment(terminal: Terminal, text: str) -> str:
    if text in PAYMENTS:
        return text
    known = ", ".join(way for way in PAYMENTS if way)
    raise Failure(USAGE, terminal.say("letters.no_payment", payment=text, known=known))
