"""Starts the gateway's processes in the order that takes least time, and keeps them running.

The proxy comes first, since importing it takes longest; a gate holds it back until the stores are
up, migrated and have their first keys.
"""

import json
import os
import signal
import time
from collections.abc import Generator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final, cast

from plugins.cli import up_checks as checks
from plugins.cli import up_environment as environment
from plugins.cli import up_observe as observing
from plugins.cli import up_services as services
from plugins.cli.up_console import Report, Welcome
from plugins.cli.up_environment import UpError
from plugins.settings import NOTICES
from selfhosted.engines import EmbeddedPostgres, EmbeddedRedis, EngineError, Fsync
from selfhosted.engines.process import POLL_S
from selfhosted.supervisor import Gate, Program, Service, Supervisor, ending, rotate

if TYPE_CHECKING:
    from plugins.tenancy.bootstrap import Bootstrap

READY_LIMIT_S: Final = 300.0
LOOK_S: Final = 0.2
ROTATE_S: Final = 10.0
ROOT: Final = Path(__file__).parents[2]


@dataclass(frozen=True, slots=True)
class Options:
    """The options of `sluice up`, as the operator wrote them."""

    host: str
    port: int
    workers: int
    config: Path
    data_dir: Path
    log_level: str
    ready_file: Path | None = None
    observe: bool = False


class Gateway:
    """Everything that `sluice up` runs.

    Args:
        options: from the command line.
        report: where progress is told.
    """

    def __init__(self, options: Options, report: Report) -> None:
        self._began_s = time.monotonic()
        self._options: Final = options
        self._report: Final = report
        self._data_dir: Final = options.data_dir.resolve()
        self._place: Final = services.Place(options.host, options.port)
        self._gate: Final = Gate()
        self._running: list[Service] = []
        """In the order in which they are stopped."""
        self._postgres: EmbeddedPostgres | None = None
        self._redis: EmbeddedRedis | None = None
        self._ready: dict[str, object] = {}
        self._observers: observing.Observers | None = None

    def start(self) -> None:
        """Start everything and wait until the first call can be made.

        Raises:
            UpError, EngineError: when something is missing; what has started is still running.
        """
        self._check_configuration()
        self._end_leftovers()
        checks.check_port(self._options.host, self._options.port)
        database_url, redis_url = self._stores()
        secret = environment.secret(os.environ, self._data_dir)
        upstream, practice = self._practice()
        self._find_observers()
        proxy = self._proxy(database_url, redis_url, secret, upstream)
        self._spawn(proxy, *practice)
        self._start_engines()
        made = self._prepare_database(database_url, secret)
        self._gate.open()
        self._await(proxy, *practice)
        observed = self._start_observers()
        welcome = self._welcome(made, upstream.practising)
        self._note_ready(welcome, database_url, redis_url, practice)
        for line in [*welcome.lines(), *observed]:
            self._report.say(line)

    def supervise(self) -> None:
        """Keep everything running until interrupted."""
        supervisor = Supervisor(self._running, self._report.say)
        rotate_at_s = 0.0
        while True:
            if supervisor.step():
                self._write_ready_file()
            if time.monotonic() >= rotate_at_s:
                rotate_at_s = time.monotonic() + ROTATE_S
                for service in self._running:
                    rotate(service.log)
            time.sleep(LOOK_S)

    def stop(self) -> None:
        """Stop everything: the proxy first, with time for calls in flight, PostgreSQL last.

        Interrupted once more, it kills what is left.
        """
        if self._options.ready_file:
            self._options.ready_file.unlink(missing_ok=True)
        hard = False
        for service in self._running:
            try:
                if service.alive and not hard:
                    self._report.say(f"stopping {service.name}")
                service.stop(hard=hard)
            except KeyboardInterrupt:
                hard = True
                for signum in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
                    signal.signal(signum, signal.SIG_IGN)
                self._report.say("interrupted again: killing what is left")
                service.stop(hard=True)

    def _check_configuration(self) -> None:
        with self._report.step("reading the configuration", f"{self._options.config} is valid"):
            from plugins import settings

            try:
                settings.load(self._options.config)
            except settings.ConfigurationError as error:
                raise UpError(str(error)) from error

    def _end_leftovers(self) -> None:
        """End what an earlier gateway on this data directory has left running."""
        nowhere = services.Place("127.0.0.1", 0)
        services.practice(nowhere, self._data_dir, {}).end_leftover()
        services.proxy(nowhere, self._data_dir, {}, Gate()).end_leftover()
        observing.end_leftovers(self._data_dir)

    def _stores(self) -> tuple[str, str]:
        """Decide which stores to use, and see whether the operator's own are there."""
        given, given_redis = (
            os.environ.get(name, "").strip() for name in ("DATABASE_URL", "REDIS_URL")
        )
        fsync = os.environ.get("SLUICE_REDIS_FSYNC", "everysec")
        if fsync not in {"always", "everysec"}:
            raise UpError(f"SLUICE_REDIS_FSYNC is {fsync!r}: write always or everysec")
        database_url = environment.database_url(given) if given else ""
        redis_url = environment.redis_url(given_redis) if given_redis else ""
        if database_url:
            checks.check_postgres(database_url)
        else:
            self._postgres = EmbeddedPostgres(self._data_dir)
            database_url = self._postgres.url
        if redis_url:
            checks.check_redis(redis_url)
        else:
            self._redis = EmbeddedRedis(self._data_dir, fsync=cast("Fsync", fsync))
            redis_url = self._redis.url
        return database_url, redis_url

    def _practice(self) -> tuple[environment.Upstreams, list[Program]]:
        """Set up the providers, with a practice server when any lacks a key."""
        if not environment.practising(os.environ):
            return environment.upstreams(os.environ, None), []
        place = services.Place("127.0.0.1", checks.free_port("127.0.0.1"))
        upstream = environment.upstreams(os.environ, place.port)
        for note in upstream.notes:
            self._report.say(note)
        environ = environment.practice_environment(os.environ, ROOT)
        self._ready["practice_url"] = place.url
        return upstream, [services.practice(place, self._data_dir, environ)]

    def _proxy(
        self, database_url: str, redis_url: str, secret: str, upstream: environment.Upstreams
    ) -> Program:
        """Describe the proxy."""
        options = self._options
        settled = environment.Settled(
            database_url=database_url,
            redis_url=redis_url,
            secret=secret,
            data_dir=self._data_dir,
            config=options.config.resolve(),
            log_level=options.log_level.upper(),
            root=ROOT,
        )
        environ = environment.proxy_environment(os.environ, settled, upstream)
        environ["SLUICE_WORKERS"] = str(options.workers)
        environ |= self._observers.variables if self._observers else {}
        more = ("--config", str(settled.config), "--num_workers", str(options.workers))
        return services.proxy(self._place, self._data_dir, environ, self._gate, *more)

    def _spawn(self, *found: Service) -> None:
        """Start processes; each is stopped at the end, even if a later one cannot be started."""
        for service in found:
            rotate(service.log)
            self._running.append(service)
            service.spawn()

    def _find_observers(self) -> None:
        """Set up what watches the gateway, whose environment depends on it."""
        if self._options.observe:
            setting = observing.Setting(self._place, self._data_dir, ROOT / "otel", os.environ)
            self._observers = observing.observers(setting)

    def _start_observers(self) -> list[str]:
        """Start what watches the gateway; one that fails is said and keeps nobody waiting."""
        if self._observers is None:
            return []
        self._spawn(*self._observers.programs)
        failed = observing.unready(self._observers.programs)
        self._ready["observers"] = self._observers.urls
        return [
            *self._observers.lines(),
            *(f"  {_failure(one, observing.READY_S)}" for one in failed),
        ]

    def _start_engines(self) -> None:
        """Start the embedded engines, of which PostgreSQL first makes its cluster."""
        for engine in (self._redis, self._postgres):
            if engine:
                with self._report.step(f"starting {engine.name}", f"embedded {engine.name} is up"):
                    self._spawn(engine)
                    engine.wait_ready()
        for directory in self._postgres.opened if self._postgres else []:
            self._report.say(
                "    PostgreSQL runs without root's rights, so "
                f"{directory} may now be passed by others"
                " (chmod o+x)"
            )

    def _prepare_database(self, database_url: str, secret: str) -> "Bootstrap":
        """Bring the schema up to date and make the first keys."""
        from sqlalchemy.exc import SQLAlchemyError

        from plugins.core.errors import GatewayError
        from plugins.store import migrate
        from plugins.tenancy import bootstrap

        with self._report.step("migrating the database", "the database is up to date"):
            try:
                migrate.upgrade(database_url)
                return bootstrap.ensure(database_url, secret)
            except GatewayError as error:
                raise UpError(error.message) from error
            except (OSError, SQLAlchemyError) as error:
                place = environment.place_of(database_url, 5432)
                raise UpError(f"the database at {place}: {_cause(error)}") from error

    def _await(self, *programs: Program) -> None:
        """Wait until our own programs serve; the proxy says so once it is warm."""
        deadline_s = time.monotonic() + READY_LIMIT_S
        with self._report.step("waiting for the proxy", "the proxy answers"):
            for program in programs:
                while not program.ready:
                    if not program.alive or time.monotonic() > deadline_s:
                        raise UpError(_failure(program))
                    time.sleep(POLL_S * 5)

    def _welcome(self, made: "Bootstrap", practising: tuple[str, ...]) -> Welcome:
        """Gather what is printed; the demo key is kept, so that the commands keep working."""
        kept = self._data_dir / "demo_key"
        demo_key = made.demo_key
        if demo_key:
            environment.keep_private(kept, demo_key)
        else:
            with suppress(OSError):
                demo_key = kept.read_text().strip() or None
        return Welcome(
            base_url=self._place.url,
            took_s=time.monotonic() - self._began_s,
            admin_key=made.admin_key,
            demo_key=demo_key,
            demo_is_new=made.demo_key is not None,
            practising=practising,
            data_dir=str(self._options.data_dir),
            notices=self._notices(),
        )

    def _notices(self) -> list[str]:
        path = self._data_dir / NOTICES
        return path.read_text(encoding="utf-8").splitlines() if path.exists() else []

    def _note_ready(
        self, welcome: Welcome, database_url: str, redis_url: str, practice: list[Program]
    ) -> None:
        """Tell a test or another program what runs where."""
        self._ready |= {
            "base_url": welcome.base_url,
            "port": self._options.port,
            "database_url": database_url,
            "redis_url": redis_url,
            "admin_key": welcome.admin_key,
            "demo_key": welcome.demo_key,
            "practising": list(welcome.practising),
            "took_s": round(welcome.took_s, 3),
            "practice": bool(practice),
        }
        self._write_ready_file()

    def _write_ready_file(self) -> None:
        """Write it anew, since a restart changes a pid."""
        path = self._options.ready_file
        if path is not None:
            pids = {service.name: service.pid for service in self._running}
            environment.keep_private(path, json.dumps(self._ready | {"pids": pids}, indent=1))


def _failure(program: Program, limit_s: float = READY_LIMIT_S) -> str:
    """Say why a program does not serve."""
    said = services.telling_line(program.log, program.log_from) or "it said nothing"
    if program.alive:
        what = f"is not ready after {limit_s:.0f} s"
    else:
        what = f"ended ({ending(program.exit_code)})"
    return f"the {program.name} {what}: {said} (see {program.log})"


def _cause(error: Exception) -> str:
    """Give a database's own words, without the statement that met them."""
    origin = getattr(error, "orig", None) or error
    return str(origin).partition("\n")[0].rpartition(">: ")[2] or type(origin).__name__


def run(options: Options, report: Report) -> int:
    """Run the gateway until interrupted; give the exit code."""
    with _interrupted_by(signal.SIGTERM, signal.SIGHUP):
        return _run(options, report)


@contextmanager
def _interrupted_by(*signums: signal.Signals) -> Generator[None]:
    """Treat signals like Ctrl-C, unless they are ignored (nohup ignores SIGHUP for us)."""
    before = {signum: signal.getsignal(signum) for signum in signums}
    heeded = [signum for signum in signums if before[signum] != signal.SIG_IGN]
    for signum in heeded:
        signal.signal(signum, signal.default_int_handler)
    try:
        yield
    finally:
        for signum in heeded:
            signal.signal(signum, before[signum])


def _run(options: Options, report: Report) -> int:
    gateway = Gateway(options, report)
    try:
        options.data_dir.mkdir(mode=0o700, parents=True, exist_ok=True)
        with checks.only_one(options.data_dir):
            try:
                gateway.start()
                gateway.supervise()
            finally:
                gateway.stop()
    except KeyboardInterrupt:
        report.say("stopped")
    except (UpError, EngineError) as error:
        report.fail(str(error))
        return 1
    except OSError as error:
        report.fail(f"{error.filename or 'the system'}: {error.strerror}")
        return 1
    return 0
