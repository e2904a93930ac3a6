"""Where the outside touches syncd: webhooks, MQTT, alerts."""
