"""Owns a store until it is killed or its standard input ends. Arguments: URL, name of the holder."""

from __future__ import annotations

import sys

from syncd.store.owner import OwnedElsewhere, acquire

try:
    ownership = acquire(sys.argv[1], holder=sys.argv[2])
except OwnedElsewhere as elsewhere:
    print(f"refused: {elsewhere.owner}", flush=True)  # noqa: T201  (this is how it answers)
    sys.exit(75)
print(f"epoch {ownership.epoch}", flush=True)  # noqa: T201  (the same)
sys.stdin.read()
ownership.release()
