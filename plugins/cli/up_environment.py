"""What `sluice up` puts into the proxy's environment: providers, stores, secrets.

Pure but for the secret's file; the table of providers is `PROVIDERS`.
"""

import os
import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final
from urllib.parse import parse_qsl, urlencode, urlsplit


class UpError(Exception):
    """`sluice up` cannot go on; the message says why and what to do."""


@dataclass(frozen=True, slots=True)
class Provider:
    """Where one provider's calls go.

    Args:
        name: as in `SLUICE_PRACTICE_PROVIDERS`.
        real: LiteLLM's `api_base` for the provider itself; None for one that only the operator
            can name, which then needs `<NAME>_API_BASE` and no key.
        practice: path of its stand-in on the practice server, as LiteLLM's `api_base` wants it.
    """

    name: str
    real: str | None
    practice: str

    @property
    def key_variable(self) -> str:
        """Name the variable with the key."""
        return f"{self.name.upper()}_API_KEY"

    @property
    def base_variable(self) -> str:
        """Name the variable with the address."""
        return f"{self.name.upper()}_API_BASE"

    @property
    def switch(self) -> str:
        """Name the variable whose presence means the real provider."""
        return self.base_variable if self.real is None else self.key_variable


PROVIDERS: Final = (
    Provider("openai", "https://api.openai.com/v1", "/openai/v1"),
    Provider("anthropic", "https://api.anthropic.com", "/anthropic"),
    Provider("cohere", "https://api.cohere.com/v2/embed", "/cohere/v2/embed"),
    Provider("deepgram", "https://api.deepgram.com/v1", "/deepgram/v1"),
    Provider("elevenlabs", "https://api.elevenlabs.io", "/elevenlabs"),
    Provider("vllm", None, "/vllm/v1"),
)

# LiteLLM would open its own database with these, or take them for options of its command.
UNWANTED: Final = frozenset(
    {
        "DATABASE_URL",
        "DATABASE_URL_READ_REPLICA",
        "DIRECT_URL",
        "DATABASE_HOST",
        "DATABASE_USERNAME",
        "DATABASE_PASSWORD",
        "DATABASE_NAME",
        "REDIS_URL",
        "DEBUG",
        "DETAILED_DEBUG",
        "HOST",
        "PORT",
        "NUM_WORKERS",
        "STORE_MODEL_IN_DB",
    }
)
LITELLM: Final = {
    "LITELLM_WORKER_STARTUP_HOOKS": "plugins.proxy.startup:install",
    "LITELLM_LOCAL_MODEL_COST_MAP": "True",
    "DEFAULT_MAX_RETRIES": "0",
    # 100 chunks of one text are a loop to LiteLLM, but also the first words of 128 choices.
    "REPEATED_STREAMING_CHUNK_LIMIT": "12800",
    "LITELLM_MODE": "PRODUCTION",
    "LITELLM_DONT_SHOW_FEEDBACK_BOX": "true",
    "DISABLE_ADMIN_UI": "True",
    "NO_DOCS": "True",
    "NO_REDOC": "True",
    "NO_OPENAPI": "True",
}
ASYNCPG_TAKES: Final = frozenset({"host", "port", "ssl", "target_session_attrs"})
PRACTICE_TAKES: Final = frozenset(
    {"PATH", "HOME", "TMPDIR", "TZ", "LANG", "LC_ALL", "LC_CTYPE", "LD_LIBRARY_PATH"}
    | {"PYTHONHOME", "PYTHONUTF8", "PYTHONDONTWRITEBYTECODE", "PYTHONPYCACHEPREFIX"}
)
"""What Python and its libraries need to start; provider keys and stores' addresses are not."""
LEAST_SECRET: Final = 32
LOOPBACK: Final = "127.0.0.1,localhost,::1"


@dataclass(frozen=True, slots=True)
class Upstreams:
    """The providers' part of the environment.

    Args:
        variables: to be set.
        practising: names of the providers that a stand-in plays.
        notes: what the operator may not expect.
    """

    variables: dict[str, str]
    practising: tuple[str, ...]
    notes: tuple[str, ...] = ()


def practising(environ: Mapping[str, str]) -> tuple[str, ...]:
    """Name the providers for which the environment holds no key."""
    return tuple(p.name for p in PROVIDERS if not environ.get(p.switch, "").strip())


def upstreams(environ: Mapping[str, str], practice_port: int | None) -> Upstreams:
    """Decide for each provider whether it is real or practises.

    Args:
        environ: the operator's environment.
        practice_port: where the practice server listens; needed when any provider practises.

    Returns:
        Key and address of every provider.
    """
    stand_ins = practising(environ)
    variables = {"SLUICE_PRACTICE_PROVIDERS": ",".join(stand_ins)}
    notes: list[str] = []
    for provider in PROVIDERS:
        key = environ.get(provider.key_variable, "").strip()
        base = environ.get(provider.base_variable, "").strip()
        if provider.name in stand_ins:
            if base or key:
                notes.append(f"{provider.name} practises although its key or address is set: "
                             f"{provider.switch} is missing")  # fmt: skip
            key = f"practice-{secrets.token_urlsafe(12)}"
            base = f"http://127.0.0.1:{practice_port}{provider.practice}"
        variables[provider.key_variable] = key or "none"
        variables[provider.base_variable] = base or provider.real or ""
    return Upstreams(variables, stand_ins, tuple(notes))


@dataclass(frozen=True, slots=True)
class Settled:
    """What `sluice up` has decided for the proxy.

    Args:
        database_url: as SQLAlchemy takes it.
        redis_url: as redis-py takes it.
        secret: what keys are hashed with.
        data_dir: absolute.
        config: absolute.
        log_level: of LiteLLM, such as `ERROR`.
        root: folder that holds the packages `plugins` and `selfhosted`.
    """

    database_url: str
    redis_url: str
    secret: str
    data_dir: Path
    config: Path
    log_level: str
    root: Path


def proxy_environment(
    environ: Mapping[str, str], settled: Settled, upstream: Upstreams
) -> dict[str, str]:
    """Give the whole environment of the proxy.

    The master key is new at every start and nobody is told: LiteLLM demands one, and all real
    keys are ours.
    """
    kept = {name: value for name, value in environ.items() if name not in UNWANTED}
    ours = {
        "SLUICE_DATABASE_URL": settled.database_url,
        "SLUICE_REDIS_URL": settled.redis_url,
        "SLUICE_SECRET": settled.secret,
        "SLUICE_DATA_DIR": str(settled.data_dir),
        "SLUICE_CONFIG": str(settled.config),
        "LITELLM_MASTER_KEY": f"sk-{secrets.token_urlsafe(32)}",
        "LITELLM_LOG": settled.log_level,
        "PYTHONPATH": _joined(os.pathsep, str(settled.root), environ.get("PYTHONPATH", "")),
        "PYTHONUNBUFFERED": "1",
    }
    if upstream.practising:  # an HTTP proxy of the operator's must not see calls to loopback
        for name in ("NO_PROXY", "no_proxy"):
            ours[name] = _joined(",", environ.get(name, ""), LOOPBACK)
    return kept | LITELLM | ours | upstream.variables


def practice_environment(environ: Mapping[str, str], root: Path) -> dict[str, str]:
    """Give the whole environment of the practice server: nothing of the operator's is for it."""
    kept = {name: value for name, value in environ.items() if name in PRACTICE_TAKES}
    return kept | {"PYTHONPATH": str(root), "PYTHONUNBUFFERED": "1"}


def _joined(separator: str, *parts: str) -> str:
    return separator.join(part for part in parts if part)


def database_url(given: str) -> str:
    """Turn an operator's DATABASE_URL into the form SQLAlchemy takes.

    Args:
        given: `postgres://` or `postgresql://`, as providers of databases print it.

    Raises:
        UpError: when it is no address of a PostgreSQL server. Never shows the address itself.
    """
    try:
        parts = urlsplit(given.strip())
        scheme, host, _ = parts.scheme, parts.hostname, parts.port
    except ValueError as error:
        raise UpError(
            "DATABASE_URL cannot be read; write it as postgresql://user:password@host:5432/name, "
            "special characters of the password as %XX"
        ) from error
    if scheme not in {"postgres", "postgresql", "postgresql+asyncpg"}:
        raise UpError(
            f"DATABASE_URL begins with {scheme or 'nothing'}://; the gateway needs PostgreSQL: "
            "postgresql://user:password@host:5432/name, or leave it out for the embedded one"
        )
    query = dict(parse_qsl(parts.query))
    if "sslmode" in query:
        query.setdefault("ssl", query["sslmode"])
    if not host and "host" not in query:
        raise UpError("DATABASE_URL names no host; write postgresql://user:password@host:5432/name")
    kept = urlencode({name: value for name, value in query.items() if name in ASYNCPG_TAKES})
    return f"postgresql+asyncpg://{parts.netloc}{parts.path}" + (f"?{kept}" if kept else "")


def redis_url(given: str) -> str:
    """Check an operator's REDIS_URL.

    Raises:
        UpError: when it is no address of a Redis server. Never shows the address itself.
    """
    scheme = urlsplit(given.strip()).scheme
    if scheme not in {"redis", "rediss", "unix"}:
        raise UpError(
            f"REDIS_URL begins with {scheme or 'nothing'}://; write redis://:password@host:6379/0 "
            "(rediss:// with TLS), or leave it out for the embedded one"
        )
    return given.strip()


def place_of(url: str, port: int) -> str:
    """Give the `host:port` of an address, or its socket; never user or password.

    Args:
        url: any address of a store.
        port: the one meant when it names none.
    """
    parts = urlsplit(url)
    if not parts.hostname:
        return dict(parse_qsl(parts.query)).get("host", parts.path)
    return f"{parts.hostname}:{parts.port or port}"


def secret(environ: Mapping[str, str], data_dir: Path) -> str:
    """Give the secret that keys are hashed with: SLUICE_SECRET, else one kept in `secret`.

    Raises:
        UpError: when the one given is too short to resist guessing.
    """
    given = environ.get("SLUICE_SECRET", "").strip()
    path = data_dir / "secret"
    if not given and path.exists():
        given = path.read_text().strip()
    if given:
        if len(given) < LEAST_SECRET:
            raise UpError(
                f"the secret has {len(given)} characters and needs {LEAST_SECRET}: set "
                "SLUICE_SECRET to what `openssl rand -base64 48` prints"
            )
        return given
    return keep_private(path, secrets.token_urlsafe(48))


def keep_private(path: Path, text: str) -> str:
    """Write a file that only this user can read, at once as a whole; give its text."""
    draft = path.with_name(f"{path.name}.new")
    draft.unlink(missing_ok=True)
    with open(os.open(draft, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600), "w") as file:  # noqa: PTH123 - a mode from the start
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
    draft.replace(path)
    return text
