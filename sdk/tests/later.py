"""A later version of the service, for clients of today: answers of the service behind it, with what may be added to them.

Every object has one more member, enumerations have a value that no document of today names, and in streams comes an event
of another type: later.py PORT SERVICE_URL
"""

import http.client
import json
import sys
import urllib.parse
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

# Members whose values are enumerations, and a value of each that is still to come.
LATER = {
    "priority": "overnight",
    "usage_source": "ebpf",
    "visibility": "after_deadline",
    "severity": "hint",
}
UNKNOWN_EVENT = b'event: submission.reviewed\ndata: {"type":"submission.reviewed","by":"tina"}\n\n'


def later(value: Any) -> Any:
    if isinstance(value, list):
        return [later(item) for item in value]
    if not isinstance(value, dict):
        return value
    changed = {name: LATER.get(name, later(item)) for name, item in value.items()}
    if "index" in changed and "verdict" in changed:
        changed["verdict"] = "presentation_error"
    return changed | {"added_later": {"since": 2}}


class Handler(BaseHTTPRequestHandler):
    # One answer a connection: the end of a stream is the end of its connection.
    protocol_version = "HTTP/1.0"

    def log_message(self, format: str, *arguments: Any) -> None:
        pass

    def forward(self) -> None:
        sent = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        service = http.client.HTTPConnection(SERVICE.hostname or "", SERVICE.port, timeout=60)
        headers = {name: value for name, value in self.headers.items() if name.lower() not in ("host", "connection", "accept-encoding")}
        service.request(self.command, self.path, sent or None, headers)
        answer = service.getresponse()
        kind = answer.headers.get("content-type", "")
        self.send_response(answer.status)
        for name, value in answer.headers.items():
            if name.lower() not in ("content-length", "transfer-encoding", "connection", "date"):
                self.send_header(name, value)
        if kind.startswith("text/event-stream"):
            self.end_headers()
            self.stream(answer)
        else:
            body = answer.read()
            if kind.startswith(("application/json", "application/problem+json")):
                body = json.dumps(later(json.loads(body))).encode()
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)
        service.close()

    do_GET = do_POST = forward

    def stream(self, answer: http.client.HTTPResponse) -> None:
        while line := answer.readline():
            if line.startswith(b"event: submission.started"):
                self.wfile.write(UNKNOWN_EVENT)
            if line.startswith(b"data: "):
                line = b"data: " + json.dumps(later(json.loads(line[6:]))).encode() + b"\n"
            self.wfile.write(line)
            self.wfile.flush()


SERVICE = urllib.parse.urlsplit(sys.argv[2])
ThreadingHTTPServer(("127.0.0.1", int(sys.argv[1])), Handler).serve_forever()
