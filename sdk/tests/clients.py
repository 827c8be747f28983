"""Holds the examples of the generated clients against the real service: clients.py PROGRAM LANGUAGE…

Needs GUICHET_TEST_DOCKER_HOST with the runtimes' images, GUICHET_EXECUTION__AGENT_PATH, and what `make sdk` makes.
"""

import json
import os
import queue
import re
import socket
import subprocess
import sys
import tempfile
import threading
import time
import unittest
import urllib.error
import urllib.request
from collections.abc import Callable
from pathlib import Path

SDK = Path(__file__).resolve().parent.parent
PYTHON = sys.executable
EXAMPLES = {
    "typescript": ["node", str(SDK / "typescript/dist/src/example.js")],
    "python": [PYTHON, str(SDK / "python/example.py")],
    "go": [str(SDK / "go/bin/example")],
    "java": ["java", "-cp", f"{SDK / 'java/target/classes'}:{SDK / 'java/target/lib'}/*", "guichet.sdk.Example"],
}
SOON_S = 120
EXERCISE = {
    "title": "Sum", "kind": "stdio", "runtimes": ["python"], "limits": {"wall_time_ms": 30000},
    "tests": [
        {"name": "small", "stdin": "1 2\n", "expected": "3\n", "visibility": "public", "weight": 1},
        {"name": "big", "stdin": "40 2\n", "expected": "42\n", "visibility": "hidden", "weight": 3},
    ],
}
SUM = "a, b = map(int, input().split())\nprint(a + b)\n"
# So that the service is stopped before it ends.
SLOW = "import time\ntime.sleep(5)\n" + SUM


def free_port() -> int:
    with socket.socket() as bound:
        bound.bind(("127.0.0.1", 0))
        return bound.getsockname()[1]


def is_open(port: int) -> bool:
    with socket.socket() as asking:
        return asking.connect_ex(("127.0.0.1", port)) == 0


class Service:
    """A `guichet serve` of its own, which can be killed and started again on the same data and port."""

    def __init__(self, program: str, folder: Path) -> None:
        self.program, self.log = program, folder / "log"
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self.environment = os.environ | {
            "GUICHET_DATA_DIR": str(folder / "data"),
            "GUICHET_LISTEN": f"127.0.0.1:{self.port}",
            "GUICHET_DOCKER_HOSTS": os.environ["GUICHET_TEST_DOCKER_HOST"],
        }
        self.start()

    def start(self) -> None:
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(
                [self.program, "serve"], env=self.environment, stdin=subprocess.DEVNULL, stdout=log, stderr=log
            )
        wait_for("a service that is ready", self.is_ready)

    def is_ready(self) -> bool:
        if self.process.poll() is not None:
            raise AssertionError(f"the service ended: {self.log.read_text()[-2000:]}")
        try:
            with urllib.request.urlopen(f"{self.url}/readyz", timeout=5) as answer:
                return answer.status == 200
        except (urllib.error.URLError, ConnectionError):
            return False

    def kill(self) -> None:
        self.process.kill()
        self.process.wait()

    def stop(self) -> None:
        self.process.terminate()
        try:
            self.process.wait(60)
        except subprocess.TimeoutExpired:
            self.kill()

    def token(self, role: str) -> str:
        command = [self.program, "token", "--sub", "sdk", "--role", role, "--ttl", "1h"]
        return subprocess.run(command, env=self.environment, check=True, capture_output=True, text=True).stdout.strip()

    def put_exercise(self) -> None:
        headers = {"Authorization": f"Bearer {self.token('teacher')}", "Content-Type": "application/json"}
        body = json.dumps(EXERCISE).encode()
        urllib.request.urlopen(urllib.request.Request(f"{self.url}/v1/exercises/sum", body, headers, method="PUT"))


def wait_for(what: str, is_so: Callable[[], bool]) -> None:
    deadline = time.monotonic() + SOON_S
    while not is_so():
        if time.monotonic() > deadline:
            raise AssertionError(f"no {what} within {SOON_S} s")
        time.sleep(0.05)


class Example:
    """A running example, and the lines that it wrote."""

    def __init__(self, language: str, url: str, token: str, exercise: str, program: Path) -> None:
        path = f"{SDK / 'python/generated'}:{SDK / 'python'}"
        self.process = subprocess.Popen(
            [*EXAMPLES[language], url, exercise, "python", str(program)],
            env=os.environ | {"GUICHET_TOKEN": token, "PYTHONPATH": path},
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
        )
        self.lines: list[str] = []
        self.coming: queue.Queue[str | None] = queue.Queue()
        self.reader = threading.Thread(target=self.read)
        self.reader.start()

    def read(self) -> None:
        with self.process.stdout or open(os.devnull) as written:
            for line in written:
                self.coming.put(line.rstrip("\n"))
        self.coming.put(None)

    def kill(self) -> None:
        self.process.kill()
        self.process.wait()
        self.reader.join()

    def until(self, start: str | None) -> None:
        """Until a line that starts so; None: to its end."""
        while True:
            try:
                line = self.coming.get(timeout=SOON_S)
            except queue.Empty:
                self.process.kill()
                raise AssertionError(f"no {start or 'end'} after {self.lines}") from None
            if line is None:
                if start is None:
                    return
                raise AssertionError(f"it ended without {start}: {self.lines}")
            self.lines.append(line)
            if start is not None and line.startswith(start):
                return

    def ends(self) -> tuple[int, list[str]]:
        """Its exit code and what it wrote, without places, which come and go."""
        self.until(None)
        return self.process.wait(), [line for line in self.lines if not line.startswith("queue.position")]


class Clients(unittest.TestCase):
    languages: list[str] = []
    program = ""

    @classmethod
    def setUpClass(cls) -> None:
        folder = tempfile.TemporaryDirectory()
        cls.addClassCleanup(folder.cleanup)
        cls.folder = Path(folder.name)
        cls.service = Service(cls.program, cls.folder)
        cls.addClassCleanup(lambda: cls.service.stop())
        cls.service.put_exercise()
        cls.token = cls.service.token("student")

    def start(self, language: str, source: str, url: str = "", exercise: str = "sum") -> Example:
        folder = self.folder / language
        folder.mkdir(exist_ok=True)
        program = folder / "main.py"
        program.write_text(source)
        example = Example(language, url or self.service.url, self.token, exercise, program)
        self.addCleanup(example.kill)
        return example

    def test_a_submission_is_followed_to_its_end_across_the_death_of_the_service(self) -> None:
        examples = {language: self.start(language, SLOW) for language in self.languages}
        for example in examples.values():
            example.until("submission.queued")
        next(iter(examples.values())).until("submission.started")

        self.service.kill()
        self.service.start()

        for language, example in examples.items():
            with self.subTest(language):
                code, lines = example.ends()
                names = [line.split(":")[0] for line in lines[1:]]
                self.assertEqual(code, 0, lines)
                self.assertEqual(names.count("submission.queued"), 1, lines)
                self.assertEqual(names.count("submission.finished"), 1, lines)
                # What runs twice begins twice; nothing is told twice.
                self.assertEqual(names.count("submission.started"), names.count("submission.requeued") + 1, lines)
                self.assertEqual(lines[-2:], ["submission.test_finished: 2 of 2, big, accepted",
                                              "submission.finished: accepted, 4 points"])

    def test_a_problem_is_read_with_its_fields(self) -> None:
        for language in self.languages:
            with self.subTest(language):
                code, lines = self.start(language, SUM, exercise="none").ends()
                self.assertEqual(lines, ["422 exercise_not_found: There is no such exercise",
                                         "  body /exercise_id: there is no such exercise"])
                self.assertEqual(code, 2)

    def test_what_a_later_version_adds_is_no_error(self) -> None:
        port = free_port()
        proxy = subprocess.Popen([PYTHON, str(SDK / "tests/later.py"), str(port), self.service.url])
        self.addCleanup(proxy.wait)
        self.addCleanup(proxy.kill)
        wait_for("a later version", lambda: is_open(port))
        for language in self.languages:
            with self.subTest(language):
                code, lines = self.start(language, SUM, f"http://127.0.0.1:{port}").ends()
                self.assertEqual(code, 0, lines)
                self.assertEqual(lines.count("submission.reviewed: not known to this client"), 1, lines)
                self.assertTrue(any(re.fullmatch(
                    r"submission.test_finished: 2 of 2, big, (presentation_error|unknown_default_open_api)", line)
                    for line in lines), lines)
                self.assertEqual(lines[-1], "submission.finished: accepted, 4 points")


if __name__ == "__main__":
    Clients.program = os.path.abspath(sys.argv[1])
    Clients.languages = sys.argv[2:] or list(EXAMPLES)
    unittest.main(argv=sys.argv[:1], verbosity=2)
