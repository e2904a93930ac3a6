"""The only SQL. Rows never leave this package."""
