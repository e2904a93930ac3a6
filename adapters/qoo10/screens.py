"""Where a person finds an order in QSM.

No address of a single order is known from any public source (read 2026-11-28), so the front page it is: a wrong link is
worse than one from which the order is searched.
"""

from __future__ import annotations

from typing import Final

FRONT: Final = "https://qsm.qoo10.jp/GMKT.INC.Gsm.Web/Default.aspx"
