"""Settings: one TOML file, the environment, and secrets from where secrets belong.

`load` answers frozen values, or raises one `ConfigError` that holds every problem. A value is taken from the first of:
the environment (`SYNCD_DAEMON__DATA_DIR`, `SYNCD_CHANNELS__SHOP__POLL_S`), the file, the default. Secrets have an order
of their own, see `syncd.settings.credentials`.
"""

from __future__ import annotations

from syncd.settings.loading import load, load_daemon, locate
from syncd.settings.policies import Brake, PolicyDefaults, SeasonSettings
from syncd.settings.shape import (
    Alerts,
    ChannelSettings,
    Daemon,
    Http,
    Incidents,
    Letters,
    Mqtt,
    Pages,
    Retention,
    Settings,
    ShipDateSettings,
    TimeRules,
)
from syncd.settings.shape_public import OrderPageSettings, WebhookSettings
from syncd.settings.shape_waiting import DeskSettings, Escalation, Waitlist

__all__ = [
    "Alerts",
    "Brake",
    "ChannelSettings",
    "Daemon",
    "DeskSettings",
    "Escalation",
    "Http",
    "Incidents",
    "Letters",
    "Mqtt",
    "OrderPageSettings",
    "Pages",
    "PolicyDefaults",
    "Retention",
    "SeasonSettings",
    "Settings",
    "ShipDateSettings",
    "TimeRules",
    "Waitlist",
    "WebhookSettings",
    "load",
    "load_daemon",
    "locate",
]
