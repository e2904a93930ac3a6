"""`syncd incidents` and `syncd alternatives`."""

from __future__ import annotations

from syncd.core.terms import SECOND_US
from syncd.engine.incidents import IncidentWatch
from tests.cli.conftest import Shell
from tests.web.rig import Rig


async def oversell(rig: Rig) -> None:
    await rig.know("A", "B")
    await rig.catalogue("shop", ("s1", "A"))
    await rig.catalogue("mall", ("m1", "A"))
    await rig.count(A=1, B=4)
    rig.clock.instant += 100 * SECOND_US
    await rig.order("shop", "S-1", ("s1", "A", 1))
    await rig.order("mall", "M-1", ("m1", "A", 1), ordered_at=rig.clock.instant + 5 * SECOND_US)
    rig.clock.instant += 600 * SECOND_US


async def test_incidents_are_told_and_closed(rig: Rig, shell: Shell) -> None:
    """An oversell is listed, shown with its remedy and alternatives, and closed with a reason."""
    assert "No incidents." in (await shell.run("incidents", "list")).out
    await oversell(rig)
    file = shell.file("instead.csv", "sku,代替,note\nA,B,red\n")
    assert "1 alternatives taken." in (await shell.run("alternatives", "import", file)).out
    assert [row["alternative"] for row in await shell.json("alternatives", "list", "A")] == ["B"]
    assert "red" in (await shell.run("alternatives", "list")).out
    assert await IncidentWatch(rig.plant).step() == 1
    (row,) = await shell.json("incidents", "list")
    listed = (await shell.run("incidents", "list", "--state", "open")).out
    assert "orders crossed" in listed
    shown = (await shell.run("incidents", "show", str(row["id"]))).out
    for said in ("M-1", "A safety stock of 1 of A on mall", "none: no ticket", "red", "First contact"):
        assert said in shown
    closed = await shell.run("incidents", "close", str(row["id"]), "--reason", "called them")
    assert closed.out.strip() == f"Incident {row['id']} closed."
    assert "called them" in (await shell.run("incidents", "show", str(row["id"]))).out
    assert (await shell.run("incidents", "close", str(row["id"]))).code == 1


async def test_what_there_is_not_is_said(rig: Rig, shell: Shell) -> None:
    """An unknown number and a file with unknown SKUs end with 1 and say which."""
    assert (await shell.run("incidents", "show", "77")).code == 1
    ended = await shell.run("alternatives", "import", shell.file("bad.csv", "sku,alternative\nA,B\n"))
    assert ended.code == 1
    assert "unknown SKU" in ended.err
