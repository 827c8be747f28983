"""Follows a submission: comes back where a connection breaks, and ends when the submission does."""

from __future__ import annotations

import json
import random
import time
from collections.abc import Iterator
from dataclasses import dataclass
from enum import Enum
from typing import Any

import httpx
from guichet_client import models

# The service writes at least every 15 s: after three times that the connection is dead.
SILENCE_S = 45.0
# Attempts in a row that may fail; with the pauses between them, about four minutes.
ATTEMPTS = 12
LONGEST_PAUSE_S = 30.0
ENDINGS = frozenset({"submission.finished", "submission.failed", "submission.cancelled"})


@dataclass(frozen=True)
class Followed:
    """An event as it was sent. `event` is its model; None if a later version of the service says it."""

    name: str
    id: str | None
    data: dict[str, Any]
    event: Any


class Refused(Exception):
    """The service refuses, and asking again would not help."""

    def __init__(self, status: int, problem: models.Problem | None) -> None:
        super().__init__(f"{status} {problem.code}: {problem.title}" if problem else f"status {status}")
        self.status = status
        self.problem = problem


def _models_by_type() -> dict[str, Any]:
    """Each model of an event by the `type` that it has: `SubmissionQueued` by the values of `SubmissionQueuedType`."""
    found: dict[str, Any] = {}
    for name in dir(models):
        values, model = getattr(models, name), getattr(models, name.removesuffix("Type"), None)
        if name.endswith("Type") and model is not None and isinstance(values, type) and issubclass(values, Enum):
            found.update((value.value, model) for value in values)
    return found


MODELS = _models_by_type()


def follow(base_url: str, token: str, submission_id: str, last_event_id: str | None = None) -> Iterator[Followed]:
    """The events of a submission from its first, or behind `last_event_id`, to the end of its last round."""
    last, pause, failures, ended = last_event_id, 2.0, 0, False
    broken: Exception | None = None
    url = f"{base_url}/v1/submissions/{submission_id}/events"
    timeout = httpx.Timeout(10.0, read=SILENCE_S)
    while True:
        wait = 0.0
        headers = {"Authorization": f"Bearer {token}", "Accept": "text/event-stream"}
        if last is not None:
            headers["Last-Event-ID"] = last
        try:
            with httpx.Client(timeout=timeout) as client, client.stream("GET", url, headers=headers) as answer:
                if answer.status_code == 204:
                    return
                if answer.status_code != 200:
                    _refuse(answer)
                    wait = _seconds(answer.headers.get("retry-after"))
                else:
                    for block in _blocks(answer):
                        if "retry" in block:
                            pause = _seconds(block["retry"]) / 1000 or pause
                        if "data" not in block:
                            continue
                        failures = 0
                        name, event_id = block.get("event", "message"), block.get("id")
                        last = event_id if event_id is not None else None if name == "stream.reset" else last
                        ended = ended if name == "queue.position" else name in ENDINGS
                        data = json.loads(block["data"])
                        model = MODELS.get(name)
                        yield Followed(name, event_id, data, model.from_dict(data) if model else None)
                    if ended:
                        return
        except httpx.TransportError as error:
            # Of a broken connection: the next attempt goes on where this one came to.
            broken = error
        if failures >= ATTEMPTS:
            raise ConnectionError(f"no stream after {ATTEMPTS} attempts") from broken
        longer = min(pause * 2**failures, LONGEST_PAUSE_S)
        failures += 1
        # Another moment for each reader, so that they do not all come back at once.
        time.sleep(max(wait, longer * random.uniform(0.5, 1.0)))


def _seconds(text: str | None) -> float:
    return float(text) if text is not None and text.isdigit() else 0.0


def _refuse(answer: httpx.Response) -> None:
    """Raises what asking again does not mend."""
    status = answer.status_code
    if status in (408, 429) or status >= 500:
        return
    answer.read()
    is_problem = answer.headers.get("content-type", "").startswith("application/problem+json")
    raise Refused(status, models.Problem.from_dict(answer.json()) if is_problem else None)


def _blocks(answer: httpx.Response) -> Iterator[dict[str, str]]:
    """What stands between two empty lines, by field; comments alone make a block of nothing."""
    block: dict[str, str] = {}
    for line in answer.iter_lines():
        if not line:
            yield block
            block = {}
            continue
        field, _, value = line.partition(":")
        value = value.removeprefix(" ")
        block[field] = f"{block[field]}\n{value}" if field == "data" and field in block else value
