"""A front end on the Python library `websockets`; it obeys the same lines as the Java one. See README.md."""

import sys
import threading

from websockets.exceptions import ConnectionClosed
from websockets.sync.client import connect


def tell(event):
    print(event, flush=True)


def read(connection):
    try:
        for text in connection:
            tell(f"text {text}")
    except ConnectionClosed:
        pass
    tell(f"closed {connection.close_code}")


def main():
    connection = connect(sys.argv[1], ping_interval=1, ping_timeout=5)
    tell("open")
    threading.Thread(target=read, args=(connection,), daemon=True).start()
    for line in sys.stdin:
        command, _, rest = line.rstrip("\n").partition(" ")
        if command == "send":
            connection.send(rest)
        elif command == "close":
            connection.close(int(rest), "bye")
        else:
            tell(f"error unknown command {command}")


main()
