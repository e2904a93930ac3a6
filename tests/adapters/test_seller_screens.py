"""Links to the screens where a person of the shop finds an order."""

from __future__ import annotations

import pytest

from adapters.amazon import screens as amazon
from adapters.amazon.channel import AmazonChannel
from adapters.qoo10 import screens as qoo10
from adapters.qoo10.channel import Qoo10Channel
from adapters.rakuten import screens as rakuten
from adapters.rakuten.channel import RakutenChannel
from adapters.shopify import screens as shopify
from adapters.shopify.channel import ShopifyChannel
from syncd.sdk.features import SellerScreens

RMS = "https://order-rp.rms.rakuten.co.jp/order-rb/individual-order-detail-sc/init"


@pytest.mark.parametrize(
    ("found", "wanted"),
    [
        (amazon.order_screen("250-1/2"), "https://sellercentral.amazon.co.jp/orders-v3/order/250-1%2F2"),
        (
            rakuten.order_screen("123456-20261001-0000000001"),
            f"{RMS}?orderNumber=123456-20261001-0000000001",
        ),
        (qoo10.FRONT, "https://qsm.qoo10.jp/GMKT.INC.Gsm.Web/Default.aspx"),
        (
            shopify.order_screen("midori.myshopify.com", "450789469"),
            "https://midori.myshopify.com/admin/orders/450789469",
        ),
        (shopify.order_screen("", "450789469"), ""),
    ],
)
def test_a_link_leads_to_the_order(found: str, wanted: str) -> None:
    """The address is that of the order's screen, or of the one from which it is found."""
    assert found == wanted


@pytest.mark.parametrize("kind", [AmazonChannel, Qoo10Channel, RakutenChannel, ShopifyChannel])
def test_every_channel_knows_its_screens(kind: type) -> None:
    """All four have the feature."""
    assert issubclass(kind, SellerScreens)
