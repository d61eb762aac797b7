"""The process, its command line and its sockets."""

import re
import signal
import socket
import subprocess
import sys
import time

import httpx
import pytest

COMMAND = [sys.executable, "-m", "selfhosted.practice"]
BODY = b'{"model":"gpt-4o","messages":[{"role":"user","content":"hi"}]}'
HEAD = b"POST /openai/v1/chat/completions HTTP/1.1\r\nhost: x\r\nauthorization: Bearer k\r\n"


def raw(server, *parts: bytes) -> bytes:
    host, port = server.base.removeprefix("http://").split(":")
    with socket.create_connection((host, int(port)), timeout=5) as sock:
        for part in parts:
            sock.sendall(part)
            time.sleep(0.01)
        got = b""
        while data := sock.recv(65536):
            got += data
    return got


def test_help_names_the_options_and_a_base_url():
    done = subprocess.run([*COMMAND, "--help"], capture_output=True, text=True, check=True)
    for word in ("--port-openai", "--chunk-delay-ms", "/openai/v1", "/_practice/faults"):
        assert word in done.stdout


def test_a_busy_port_is_one_clear_line(server):
    port = server.base.rsplit(":", 1)[1]
    done = subprocess.run([*COMMAND, "--port", port], capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert done.stderr == f"error: port {port} on 127.0.0.1 is in use; choose another with --port\n"


@pytest.mark.parametrize("wrong", [["--port", "x"], ["--chunk-delay-ms", "-1"]])
def test_a_wrong_option_is_refused(wrong):
    done = subprocess.run([*COMMAND, *wrong], capture_output=True, text=True, check=False)
    assert done.returncode == 2
    assert wrong[0] in done.stderr


def test_it_imports_nothing_heavy():
    probe = (
        "import sys, selfhosted.practice.__main__;"
        "heavy = ('litellm', 'openai', 'tiktoken', 'fastapi', 'pydantic');"
        "print([name for name in heavy if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", probe], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_it_finishes_what_it_was_writing_and_stops_cleanly(number):
    command = [*COMMAND, "--port", "0", "--chunk-delay-ms", "20"]
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as process:
        base = re.search(r"http://[\d.:]+", process.stdout.readline())[0]
        url, headers = f"{base}/openai/v1/chat/completions", {"authorization": "Bearer k"}
        body = {"model": "gpt-4o", "messages": [{"role": "user", "content": "hi"}], "stream": True}
        with httpx.stream("POST", url, json=body, headers=headers) as answer:
            process.send_signal(number)
            text = answer.read().decode()
        assert text.endswith("data: [DONE]\n\n")
        assert process.wait(timeout=5) == 0
        assert process.stderr.read() == ""


def test_health_and_unknown_paths(http):
    assert http.get("/health").json() == {"status": "ok"}
    lost = http.get("/somewhere")
    assert lost.status_code == 404
    assert "/openai" in lost.json()["error"]


def test_requests_arrive_in_pieces_pipelined_and_chunked(server):
    sized = HEAD + b"content-length: %d\r\n" % len(BODY)
    pieces = raw(server, sized[:40], sized[40:] + b"\r\n" + BODY[:10], BODY[10:] + sized
                 + b"connection: close\r\n\r\n" + BODY)  # fmt: skip
    assert pieces.count(b"HTTP/1.1 200 OK") == 2
    chunked = HEAD + b"transfer-encoding: chunked\r\nconnection: close\r\n\r\n"
    framed = b"%x\r\n%b\r\n0\r\n\r\n" % (len(BODY), BODY)
    assert raw(server, chunked, framed).startswith(b"HTTP/1.1 200 OK")
    waiting = sized + b"expect: 100-continue\r\nconnection: close\r\n\r\n"
    assert raw(server, waiting, BODY).startswith(b"HTTP/1.1 100 Continue")


@pytest.mark.parametrize(
    ("sent", "status"),
    [
        (b"nonsense\r\n\r\n", b"400"),
        (b"GET / HTTP/1.1\r\nno colon\r\n\r\n", b"400"),
        (b"POST / HTTP/1.1\r\ncontent-length: x\r\n\r\n", b"400"),
        (b"POST / HTTP/1.1\r\ncontent-length: 99999999999\r\n\r\n", b"413"),
        (b"POST / HTTP/1.1\r\ntransfer-encoding: chunked\r\n\r\nzz\r\n", b"400"),
        (b"GET / HTTP/1.1\r\nx: " + b"a" * 70_000, b"431"),
    ],
)
def test_what_is_no_request_is_refused_and_closed(server, sent, status):
    assert raw(server, sent).split(b" ")[1] == status
