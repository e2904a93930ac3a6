"""The simulated Amazon.co.jp: its goods, orders, feeds, reports and notifications, and the rules of the API."""
