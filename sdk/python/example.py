"""Submits a program and follows it to its verdict: example.py BASE_URL EXERCISE RUNTIME FILE"""

import os
import sys
from pathlib import Path

from guichet_client import AuthenticatedClient, models
from guichet_client.api.submissions import create_submission
from guichet_stream import Followed, Refused, follow


def main() -> int:
    token = os.environ.get("GUICHET_TOKEN")
    if len(sys.argv) != 5 or not token:
        print("usage: GUICHET_TOKEN=… example.py BASE_URL EXERCISE RUNTIME FILE", file=sys.stderr)
        return 64
    base_url, exercise, runtime, file = sys.argv[1:]
    source = models.FileRequest(path=Path(file).name, content=Path(file).read_text())
    body = models.SubmissionRequest(exercise_id=exercise, runtime=runtime, files=[source])
    with AuthenticatedClient(base_url, token) as client:
        submission = create_submission.sync(client=client, body=body)
    if isinstance(submission, models.Problem):
        return tell_problem(submission)
    if submission is None:
        raise SystemExit("an answer that the document does not have")
    print("submitted", submission.id, flush=True)
    try:
        for followed in follow(base_url, token, str(submission.id)):
            tell(followed)
    except Refused as refused:
        if refused.problem is None:
            raise
        return tell_problem(refused.problem)
    return 0


def tell(followed: Followed) -> None:
    match followed.event:
        case models.SubmissionQueued() | models.QueuePosition() | models.SubmissionRequeued() as event:
            text = f": place {event.position}"
        case models.SubmissionTestFinished() as event:
            text = f": {event.test.index} of {event.of}, {event.test.name}, {event.test.verdict}"
        case models.SubmissionEnded() as event if event.submission.result:
            text = f": {event.submission.result.verdict}, {event.submission.result.score} points"
        case None:
            text = ": not known to this client"
        case _:
            text = ""
    print(followed.name + text, flush=True)


def tell_problem(problem: models.Problem) -> int:
    print(f"{problem.status} {problem.code}: {problem.title}")
    for field in problem.errors:
        print(f"  {field.in_} {field.pointer}: {field.message}")
    return 2


if __name__ == "__main__":
    sys.exit(main())
