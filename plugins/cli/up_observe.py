"""What `sluice up --observe` starts beside the gateway: Prometheus, Alertmanager, Phoenix.

Each is used where it is installed; for what is missing the console says how to get it. All listen
on loopback alone, keep their data in `<data-dir>/observe`, and stop with the gateway. The rules and
routes are those of `otel/`, so that what is tried here is what runs elsewhere.
"""

import os
import secrets
import shutil
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Final, cast

import yaml

from plugins.cli.up_checks import free_port, is_free
from plugins.cli.up_environment import PRACTICE_TAKES, UpError, keep_private
from plugins.cli.up_services import Place
from selfhosted.engines.process import Launch, Record, wait_until
from selfhosted.supervisor import Program

LOOPBACK: Final = "127.0.0.1"
KEPT_FOR: Final = "60d"
"""Cost per hire looks at 30 days."""
UNTOUCHED: Final = "CHANGEME"
"""What an address in `alertmanager.yml` holds until the operator has written a real one."""
PHOENIX: Final = "SLUICE_PHOENIX"
GENTLE_S: Final = 5.0
READY_S: Final = 30.0
"""Phoenix takes some 15 s to start, the others less than one."""
_PROMETHEUS: Final = "prometheus"
_ALERTMANAGER: Final = ("prometheus-alertmanager", "alertmanager")


@dataclass(frozen=True, slots=True)
class Observers:
    """What will be started, and what the gateway and the operator must know of it.

    Args:
        programs: in the order in which they start.
        urls: where each is found.
        variables: for the gateway's environment.
        notes: what is missing or may surprise.
    """

    programs: tuple[Program, ...]
    urls: dict[str, str]
    variables: dict[str, str]
    notes: tuple[str, ...]

    def lines(self) -> list[str]:
        """Say where they are."""
        found = [f"  {name}: {url}" for name, url in self.urls.items()]
        return ["", *(["Observed by:", *found] if found else []), *(f"  {n}" for n in self.notes)]


@dataclass(frozen=True, slots=True)
class Setting:
    """Where they are started.

    Args:
        gateway: whom they watch.
        data_dir: of the gateway; absolute.
        otel: the folder with rules and routes.
        environ: the operator's environment.
    """

    gateway: Place
    data_dir: Path
    otel: Path
    environ: Mapping[str, str]

    @property
    def folder(self) -> Path:
        """Give the folder for their files."""
        return self.data_dir / "observe"

    @property
    def quiet(self) -> dict[str, str]:
        """Give an environment without the operator's keys: these programs need none."""
        return {name: value for name, value in self.environ.items() if name in PRACTICE_TAKES}

    def program(
        self, name: str, argv: Sequence[str], place: Place, ready: str, **env: str
    ) -> Program:
        """Describe one of them."""
        launch = Launch(argv, self.data_dir / "logs" / f"{name}.log", env=self.quiet | env)
        record = Record(self.data_dir / "run" / f"{name}.json")
        return Program(name, launch, lambda: place.answers(ready), record, gentle_s=GENTLE_S)


def observers(setting: Setting) -> Observers:
    """Describe everything that is installed, and write its files.

    Raises:
        UpError: when `otel/` is not there, or `SLUICE_PHOENIX` names nothing that can be run.
    """
    if not setting.otel.is_dir():
        raise UpError(
            f"--observe needs the folder {setting.otel}, which comes with the sources and not with"
            " the installed package: run it in a checkout"
        )
    setting.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    programs: list[Program] = []
    urls: dict[str, str] = {}
    variables: dict[str, str] = {}
    notes: list[str] = []
    alertmanager = _alertmanager(setting, programs, urls, notes)
    _prometheus(setting, alertmanager, programs, urls, variables, notes)
    _phoenix(setting, programs, urls, variables, notes)
    return Observers(tuple(programs), urls, variables, tuple(notes))


def _alertmanager(
    setting: Setting, programs: list[Program], urls: dict[str, str], notes: list[str]
) -> Place | None:
    binary = next(filter(None, map(shutil.which, _ALERTMANAGER)), None)
    if binary is None:
        notes.append("no Alertmanager: apt-get install prometheus-alertmanager")
        return None
    place = _place(9093)
    config = setting.folder / "alertmanager.yml"
    text, silenced = routes((setting.otel / "alertmanager" / "alertmanager.yml").read_text())
    config.write_text(text)
    argv = [binary, f"--config.file={config}"]
    argv += [f"--storage.path={setting.folder / 'alertmanager'}", "--cluster.listen-address="]
    argv += [f"--web.listen-address={LOOPBACK}:{place.port}", "--log.level=warn"]
    programs.append(setting.program("alertmanager", argv, place, "/-/ready"))
    urls["Alertmanager"] = place.url
    if silenced:
        notes.append(
            f"alerts are shown and sent to nobody: {UNTOUCHED} stands in"
            " otel/alertmanager/alertmanager.yml"
        )
    return place


def _prometheus(
    setting: Setting,
    alertmanager: Place | None,
    programs: list[Program],
    urls: dict[str, str],
    variables: dict[str, str],
    notes: list[str],
) -> None:
    binary = shutil.which(_PROMETHEUS)
    if binary is None:
        notes.append("no Prometheus: apt-get install prometheus")
        return
    token = setting.environ.get("SLUICE_METRICS_TOKEN", "").strip() or secrets.token_urlsafe(24)
    variables["SLUICE_METRICS_TOKEN"] = token
    token_file = setting.folder / "metrics-token"
    keep_private(token_file, token)
    place = _place(9090)
    config = setting.folder / "prometheus.yml"
    original = (setting.otel / "prometheus" / "prometheus.yml").read_text()
    config.write_text(
        scrapes(
            original,
            rules=setting.otel / "prometheus" / "rules",
            targets={
                "sluice": _target(setting.gateway),
                "prometheus": _target(place),
                "alertmanager": _target(alertmanager) if alertmanager else "",
            },
            token_file=token_file,
        )
    )
    argv = [binary, f"--config.file={config}", "--enable-feature=exemplar-storage"]
    argv += [f"--storage.tsdb.path={setting.folder / 'prometheus'}"]
    argv += [f"--storage.tsdb.retention.time={KEPT_FOR}", "--log.level=warn"]
    argv += [f"--web.listen-address={LOOPBACK}:{place.port}"]
    programs.append(setting.program("prometheus", argv, place, "/-/ready"))
    urls["Prometheus"] = place.url


def _phoenix(
    setting: Setting,
    programs: list[Program],
    urls: dict[str, str],
    variables: dict[str, str],
    notes: list[str],
) -> None:
    command = phoenix_command(setting.environ)
    if command is None:
        notes.append(
            "no trace viewer: `python3 -m venv .venv-phoenix && .venv-phoenix/bin/pip install"
            f" arize-phoenix`, then {PHOENIX}=.venv-phoenix"
        )
        return
    place, grpc = _place(6006), free_port(LOOPBACK)
    work = setting.folder / "phoenix"
    work.mkdir(mode=0o700, exist_ok=True)
    env = {
        "PHOENIX_HOST": LOOPBACK,
        "PHOENIX_PORT": str(place.port),
        "PHOENIX_GRPC_PORT": str(grpc),
        "PHOENIX_WORKING_DIR": str(work),
        "PHOENIX_TELEMETRY_ENABLED": "false",
    }
    programs.append(setting.program("phoenix", [*command, "serve"], place, "/healthz", **env))
    urls["Phoenix (traces)"] = place.url
    notes.append(f"Phoenix takes spans by gRPC on port {grpc} of ALL addresses; it has no setting")
    if setting.environ.get("OTEL_EXPORTER_OTLP_ENDPOINT", "").strip():
        notes.append("traces go where OTEL_EXPORTER_OTLP_ENDPOINT says, not to Phoenix")
        return
    variables["OTEL_EXPORTER_OTLP_ENDPOINT"] = place.url
    variables["OTEL_EXPORTER_OTLP_PROTOCOL"] = "http/protobuf"


def unready(programs: Sequence[Program]) -> list[Program]:
    """Wait until all of them serve, or their time is over; give those that do not."""
    wait_until(lambda: all(p.ready or not p.alive for p in programs), READY_S)
    return [program for program in programs if not program.ready]


def end_leftovers(data_dir: Path) -> None:
    """End what an earlier `sluice up --observe` on this data directory has left running."""
    nowhere = Place(LOOPBACK, 0)
    setting = Setting(nowhere, data_dir, data_dir, {})
    for name in ("prometheus", "alertmanager", "phoenix"):
        setting.program(name, [], nowhere, "/").end_leftover()


def phoenix_command(environ: Mapping[str, str]) -> list[str] | None:
    """Find Phoenix: the environment or program of SLUICE_PHOENIX, the PATH, this environment.

    Raises:
        UpError: when SLUICE_PHOENIX names nothing that can be run.
    """
    given = environ.get(PHOENIX, "").strip()
    if given:
        path = Path(given).expanduser().absolute()
        path = path / "bin" / "phoenix" if path.is_dir() else path
        if not os.access(path, os.X_OK):
            raise UpError(
                f"{PHOENIX} names {given}, but {path} cannot be run: install arize-phoenix there,"
                f" or unset {PHOENIX}"
            )
        return [str(path)]
    if found := shutil.which("phoenix"):
        return [found]
    return [sys.executable, "-m", "phoenix.server.main"] if find_spec("phoenix") else None


def scrapes(original: str, *, rules: Path, targets: Mapping[str, str], token_file: Path) -> str:
    """Turn `prometheus.yml` into one for this machine.

    Args:
        original: the file in `otel/`.
        rules: folder of the rule files.
        targets: `host:port` by job; a job without one is left out.
        token_file: holds the gateway's token.
    """
    config = cast("dict[str, Any]", yaml.safe_load(original))
    config["rule_files"] = [str(rules / "*.yml")]
    jobs = [job for job in config["scrape_configs"] if targets.get(job["job_name"])]
    for job in jobs:
        job["static_configs"] = [{"targets": [targets[job["job_name"]]]}]
        if "authorization" in job:
            job["authorization"]["credentials_file"] = str(token_file)
    config["scrape_configs"] = jobs
    told = targets.get("alertmanager")
    found = [{"static_configs": [{"targets": [told]}]}] if told else []
    config["alerting"] = {"alertmanagers": found}
    return yaml.safe_dump(config, sort_keys=False)


def routes(original: str) -> tuple[str, bool]:
    """Give `alertmanager.yml` without receivers that are placeholders still; tell whether any were.

    Its routes and inhibitions stay, so that its page shows who would be told.
    """
    config = cast("dict[str, Any]", yaml.safe_load(original))
    silenced = False
    for receiver in cast("list[dict[str, Any]]", config["receivers"]):
        for kind in [name for name in receiver if name != "name"]:
            kept = [one for one in receiver[kind] if UNTOUCHED not in yaml.safe_dump(one)]
            silenced |= len(kept) < len(receiver[kind])
            if kept:
                receiver[kind] = kept
            else:
                del receiver[kind]
    return yaml.safe_dump(config, sort_keys=False), silenced


def _place(usual: int) -> Place:
    return Place(LOOPBACK, usual if is_free(LOOPBACK, usual) else free_port(LOOPBACK))


def _target(place: Place) -> str:
    return place.url.removeprefix("http://")
