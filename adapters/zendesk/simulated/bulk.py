"""Bulk jobs of the simulated account: they wait, progress row by row, and are forgotten."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from adapters.zendesk.simulated.tickets import API, Tickets
from adapters.zendesk.simulated.world import HOUR_US, Problem, World
from syncd.sdk.channel import Instant

MOST_AT_ONCE: Final = 30
MOST_KEPT: Final = 100
KEPT_US: Final = HOUR_US
MOST_ROWS: Final = 100
MOST_PER_TICKET: Final = 30
WINDOW_US: Final = 600 * 1_000_000


@dataclass(slots=True, eq=False, kw_only=True)
class BulkJob:
    """One job: its rows are done one after the other from `starts_at` on."""

    job_id: str
    rows: Sequence[Mapping[str, Any]]
    starts_at: Instant
    row_us: int
    killed_after: int | None
    lost: bool
    results: list[dict[str, Any]] = field(default_factory=list)
    over_at: Instant | None = None

    @property
    def ends_at(self) -> Instant:
        """Return when its last row is done."""
        return self.starts_at + self.row_us * len(self.rows)


class Bulk:
    """The jobs of the account: one after the other."""

    def __init__(self, world: World, tickets: Tickets, *, number: Callable[[int], bytes]) -> None:
        self._world = world
        self._tickets = tickets
        self._number = number
        self._jobs: list[BulkJob] = []
        self._free_at: Instant = 0
        self._changes: dict[int, list[Instant]] = {}

    @property
    def running(self) -> list[BulkJob]:
        """Return the jobs that are not over."""
        return [job for job in self._jobs if job.over_at is None]

    def submit(self, rows: Sequence[Mapping[str, Any]]) -> BulkJob:
        """Take an update of many; raises `Problem` where there are too many rows or jobs."""
        if not 1 <= len(rows) <= MOST_ROWS:
            raise Problem(400, "TooManyTickets", f"1 to {MOST_ROWS} tickets can be updated at once")
        faults = self._world.faults
        if len(self.running) >= MOST_AT_ONCE or self._world.happens(faults.too_many_jobs):
            said = f"There are already {MOST_AT_ONCE} jobs queued or running"
            raise Problem(429, "TooManyJobs", said, current_job_ids=[job.job_id for job in self.running])
        starts_at = max(self._world.now(), self._free_at) + self._world.scaled_us(faults.queue_s)
        job = BulkJob(
            job_id=self._number(16).hex(), rows=rows, starts_at=starts_at, row_us=self._world.scaled_us(faults.row_s),
            killed_after=len(rows) // 2 if self._world.happens(faults.killed_jobs) else None,
            lost=self._world.happens(faults.lost_jobs),
        )  # fmt: skip
        self._free_at = job.ends_at
        self._jobs.append(job)
        return job

    def settle(self) -> None:
        """Do the rows that are due."""
        now = self._world.now()
        for job in self.running:
            while len(job.results) < len(job.rows) and job.starts_at + job.row_us * len(job.results) <= now:
                if job.killed_after == len(job.results):
                    job.over_at = now
                    break
                job.results.append(self._result(len(job.results), job.rows[len(job.results)]))
            if len(job.results) == len(job.rows):
                job.over_at = job.ends_at
        kept = [job for job in self._jobs if job.over_at is None or now - job.over_at <= KEPT_US]
        self._jobs = kept[-MOST_KEPT:] if len(kept) > MOST_KEPT else kept

    def _result(self, index: int, row: Mapping[str, Any]) -> dict[str, Any]:
        ticket_id = int(row["id"])
        try:
            self._do(ticket_id, row)
        except Problem as problem:
            details = str(problem.body.get("details") or problem.body.get("description") or "")
            told = {"index": index, "id": ticket_id, "success": False, "action": "update", "status": "Failed"}
            return told | {"error": problem.body["error"], "details": details}
        return {"index": index, "id": ticket_id, "action": "update", "status": "Updated", "success": True}

    def _do(self, ticket_id: int, row: Mapping[str, Any]) -> None:
        if self._world.happens(self._world.faults.failed_rows):
            raise Problem(409, "DatabaseConflict", "Database collision")
        ticket = self._tickets.get(ticket_id)
        if ticket is None:
            raise Problem(404, "RecordNotFound", "Not found")
        self.count(ticket_id)
        self._tickets.change(ticket, row, by=API)

    def count(self, ticket_id: int) -> None:
        """Count a change of a ticket by one user; raises `Problem` above 30 within ten minutes."""
        now = self._world.now()
        lately = [at for at in self._changes.get(ticket_id, []) if now - at < WINDOW_US]
        if len(lately) >= MOST_PER_TICKET:
            raise Problem(429, "TooManyUpdates", "More than 30 updates of this ticket in ten minutes")
        self._changes[ticket_id] = [*lately, now]

    def status(self, job_id: str) -> dict[str, Any]:
        """Return what a job says of itself; raises `Problem` where its data are gone."""
        job = next((each for each in self._jobs if each.job_id == job_id), None)
        if job is None or (job.lost and job.over_at is not None):
            raise Problem(404, "RecordNotFound", "Not found")
        return self.told(job)

    def told(self, job: BulkJob) -> dict[str, Any]:
        """Return a job as the API states it."""
        over = job.over_at is not None
        whole = len(job.results) == len(job.rows)
        status = ("completed" if whole else "killed") if over else ("working" if job.results else "queued")
        return {
            "id": job.job_id,
            "job_type": "Bulk Update Ticket",
            "url": f"{self._world.url}/api/v2/job_statuses/{job.job_id}.json",
            "total": len(job.rows),
            "progress": len(job.results),
            "status": status,
            "message": f"Completed at {job.over_at}" if over and whole else None,
            "results": list(job.results) if over and whole else None,
        }
