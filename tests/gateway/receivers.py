"""Receivers of alerts on real sockets, which remember what came and misbehave on request."""

import json
import threading
import time
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from typing_extensions import override


@dataclass(frozen=True)
class Came:
    """One request."""

    at_s: float
    path: str
    headers: dict[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.body)


@dataclass
class Receiver:
    """A local HTTP receiver.

    Args:
        port: kept over `stop` and `start`.
        status: what it answers.
        stall_s: how long it lets one wait before that.
        retry_after: header of its answers.
    """

    port: int = 0
    status: int = 200
    stall_s: float = 0.0
    retry_after: str | None = None
    came: list[Came] = field(default_factory=list)
    _server: ThreadingHTTPServer | None = None

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def start(self) -> None:
        receiver = self

        class Handler(BaseHTTPRequestHandler):
            @override
            def log_message(self, format: str, *args: object) -> None:
                pass

            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers.get("content-length") or 0))
                headers = {name.lower(): value for name, value in self.headers.items()}
                receiver.came.append(Came(time.monotonic(), self.path, headers, body))
                time.sleep(receiver.stall_s)
                self.send_response(receiver.status)
                if receiver.retry_after:
                    self.send_header("retry-after", receiver.retry_after)
                self.send_header("content-length", "0")
                self.end_headers()

        ThreadingHTTPServer.allow_reuse_address = True
        self._server = ThreadingHTTPServer(("127.0.0.1", self.port), Handler)
        self._server.daemon_threads = True
        self.port = self._server.server_port
        threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True).start()

    def stop(self) -> None:
        if self._server is not None:
            self._server.shutdown()
            self._server.server_close()
            self._server = None

    def behave(self) -> None:
        """Answer 200 at once again."""
        self.status, self.stall_s, self.retry_after = 200, 0.0, None
        if self._server is None:
            self.start()
