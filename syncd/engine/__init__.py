"""The loops: read, ask core, write. They meet in tables, never in calls."""
