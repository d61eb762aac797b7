"""`sluice.alerts` of `proxy_config.yaml`: who is told of what.

Addresses and secrets may stand in the environment, as `os.environ/NAME`; a webhook's address often
is a secret itself. None of them shows in a fault.
"""

import os
from collections.abc import Mapping
from typing import Annotated, Any, Final, Literal, cast
from urllib.parse import urlsplit

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    SecretStr,
    ValidationInfo,
    model_validator,
)

from plugins.alerts.alertmanager import AlertmanagerSender
from plugins.alerts.delivery import Target
from plugins.alerts.log import LogSender
from plugins.alerts.notice import Sender
from plugins.alerts.slack import SlackSender
from plugins.alerts.webhook import WebhookSender
from plugins.core.alerts import SEVERITIES

REFERENCE: Final = "os.environ/"
LEAST_SECRET: Final = 16

Severity = Literal["critical", "high", "medium"]


def _looked_up(value: object, info: ValidationInfo) -> object:
    """Read `os.environ/NAME` from the environment, as LiteLLM does for its own part of the file."""
    if not isinstance(value, str) or not value.startswith(REFERENCE):
        return value
    name = value.removeprefix(REFERENCE)
    context = cast("Mapping[str, Any] | None", info.context) or {}
    environ = cast("Mapping[str, str]", context.get("environ", os.environ))
    found = environ.get(name, "").strip()
    if not found:
        raise ValueError(f"environment variable {name} is not set; set it, or take this sender out")
    return found


def _address(value: SecretStr) -> SecretStr:
    """Check an address without showing it."""
    try:
        parts = urlsplit(value.get_secret_value())
        sound = parts.scheme in {"http", "https"} and bool(parts.hostname) and parts.port != 0
    except ValueError:
        sound = False
    if not sound:
        raise ValueError("is no address; write it like https://host/path, or os.environ/NAME")
    return value


Address = Annotated[SecretStr, BeforeValidator(_looked_up), AfterValidator(_address)]
Secret = Annotated[SecretStr, BeforeValidator(_looked_up), Field(min_length=LEAST_SECRET)]


class _Told(BaseModel):
    """What every sender has: a name of its own, and the severities it is told of."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: str | None = Field(default=None, pattern=r"^[a-z0-9][a-z0-9_-]{0,31}$")
    severities: tuple[Severity, ...] = Field(default=SEVERITIES, min_length=1)

    def target(self, kind: str, sender: Sender, url: str = "", resend_s: float = 0.0) -> Target:
        """Give what delivers to it."""
        host = urlsplit(url).netloc.rpartition("@")[2]
        return Target(self.name or kind, kind, sender, frozenset(self.severities), host, resend_s)


class LogPolicy(_Told):
    """Alerts go to the log."""

    kind: Literal["log"]

    def build(self) -> Target:
        """Make the sender."""
        return self.target(self.kind, LogSender())


class WebhookPolicy(_Told):
    """Alerts go to a webhook as JSON; with a secret they are signed."""

    kind: Literal["webhook"]
    url: Address
    secret: Secret | None = None

    def build(self) -> Target:
        """Make the sender."""
        url = self.url.get_secret_value()
        secret = self.secret.get_secret_value() if self.secret else ""
        return self.target(self.kind, WebhookSender(url, secret), url)


class SlackPolicy(_Told):
    """Alerts go to a Slack channel, or to what takes Slack's messages."""

    kind: Literal["slack"]
    url: Address

    def build(self) -> Target:
        """Make the sender."""
        url = self.url.get_secret_value()
        return self.target(self.kind, SlackSender(url), url)


class AlertmanagerPolicy(_Told):
    """Alerts go to Prometheus' Alertmanager; what still fires is told again every `resend_s`."""

    kind: Literal["alertmanager"]
    url: Address
    resend_s: float = Field(default=60.0, ge=1, le=3600)

    def build(self) -> Target:
        """Make the sender."""
        url = self.url.get_secret_value()
        return self.target(self.kind, AlertmanagerSender(url, self.resend_s), url, self.resend_s)


SenderPolicy = Annotated[
    LogPolicy | WebhookPolicy | SlackPolicy | AlertmanagerPolicy, Field(discriminator="kind")
]


class AlertsPolicy(BaseModel):
    """The `sluice.alerts` section.

    Args:
        senders: who is told.
        repeat_s: seconds in which the same state of the same alert is told once.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    senders: tuple[SenderPolicy, ...] = (LogPolicy(kind="log"),)
    repeat_s: float = Field(default=300.0, ge=1, le=86_400)

    @model_validator(mode="after")
    def _names_differ(self) -> "AlertsPolicy":
        names = [sender.name or sender.kind for sender in self.senders]
        twice = sorted({name for name in names if names.count(name) > 1})
        if twice:
            raise ValueError(
                f"two senders are named {', '.join(twice)}; give each its own with `name:`"
            )
        return self

    def targets(self) -> tuple[Target, ...]:
        """Make all senders."""
        return tuple(sender.build() for sender in self.senders)
