"""`python -m selfhosted.practice`: start the practice providers."""

import argparse
import asyncio
import logging
import sys

from selfhosted.practice.app import Practice
from selfhosted.practice.providers import ALL as PROVIDERS
from selfhosted.practice.server import Listener, PortTakenError, serve
from selfhosted.practice.state import State

_EPILOG = """\
Every provider is under its name on the main port, for example
  OPENAI_BASE_URL=http://127.0.0.1:4010/openai/v1
  ANTHROPIC_BASE_URL=http://127.0.0.1:4010/anthropic
Any non-empty key is accepted. Faults: POST /_practice/faults (from this machine only).
"""


def _port(text: str) -> int:
    if not text.isdigit() or int(text) > 65535:
        raise argparse.ArgumentTypeError(f"a port is a number from 0 to 65535, not {text!r}")
    return int(text)


def _delay(text: str) -> float:
    try:
        value = float(text)
    except ValueError:
        value = -1.0
    if not 0 <= value <= 60_000:
        raise argparse.ArgumentTypeError(f"a delay is 0 to 60000 milliseconds, not {text!r}")
    return value


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m selfhosted.practice",
        description="Local servers that speak the wire protocols of model providers.",
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--host", default="127.0.0.1", help="address to bind (%(default)s)")
    parser.add_argument(
        "--port", type=_port, default=4010, help="port of all providers; 0 picks one (%(default)s)"
    )
    for provider in PROVIDERS:
        parser.add_argument(
            f"--port-{provider.name}",
            type=_port,
            metavar="PORT",
            help=f"one more port, which the fault 'refuse' on {provider.name} closes",
        )
    parser.add_argument(
        "--chunk-delay-ms",
        type=_delay,
        default=0.0,
        metavar="MS",
        help="pause after each chunk of a stream (%(default)s)",
    )
    parser.add_argument("--quiet", action="store_true", help="print nothing but errors")
    return parser


async def _run(options: argparse.Namespace) -> None:
    state = State([p.name for p in PROVIDERS])
    app = Practice(PROVIDERS, state, chunk_delay_s=options.chunk_delay_ms / 1000)
    listeners = {"": Listener(app, options.host, options.port)}
    for name in state.providers:
        port: int | None = getattr(options, f"port_{name}")
        if port is not None:
            listeners[name] = state.listeners[name] = Listener(app, options.host, port)
    if not options.quiet:
        for name, listener in listeners.items():
            host, port = listener.address
            what = name or "practice providers"
            print(f"{what}: http://{host}:{port}/{name}", flush=True)  # noqa: T201  # the CLI
    await serve(listeners)


def main() -> int:
    """Run until SIGTERM or SIGINT; return the exit code."""
    options = _parser().parse_args()
    logging.basicConfig(level=logging.WARNING, format="%(levelname)s %(name)s: %(message)s")
    try:
        if sys.platform == "win32":
            asyncio.run(_run(options))
        else:
            import uvloop

            uvloop.run(_run(options))
    except PortTakenError as fault:
        print(f"error: {fault.strerror}; choose another with --port", file=sys.stderr)  # noqa: T201
        return 1
    except OSError as fault:
        print(f"error: cannot bind {options.host}: {fault}", file=sys.stderr)  # noqa: T201
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
