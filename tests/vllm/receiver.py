"""The least that receives spans over OTLP/HTTP: it keeps what it was sent, as bytes."""

import gzip
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import Self


class TraceReceiver:
    """A server on a free port of loopback; `url` is for `--otlp-traces-endpoint`."""

    def __init__(self) -> None:
        bodies: list[bytes] = []

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["content-length"]))
                zipped = self.headers.get("content-encoding") == "gzip"
                bodies.append(gzip.decompress(body) if zipped else body)
                self.send_response(200)
                self.send_header("content-type", "application/x-protobuf")
                self.send_header("content-length", "0")
                self.end_headers()

            def log_message(self, format: str, *args: object) -> None:
                pass

        self._bodies = bodies
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._thread = threading.Thread(target=self._server.serve_forever, daemon=True)
        self.url = f"http://127.0.0.1:{self._server.server_address[1]}/v1/traces"

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._server.shutdown()
        self._server.server_close()

    def has(self, *parts: bytes, limit_s: float = 20.0) -> bool:
        """Wait for one export that holds all of these bytes."""
        deadline_s = time.monotonic() + limit_s
        while time.monotonic() < deadline_s:
            if any(all(part in body for part in parts) for body in self._bodies):
                return True
            time.sleep(0.1)
        return False
