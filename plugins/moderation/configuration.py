"""`sluice.moderation` of `proxy_config.yaml`, and where the endpoint is."""

from collections.abc import Mapping
from typing import Final

from pydantic import BaseModel, ConfigDict, Field

from plugins.moderation.api_stage import ModerationPolicy

_OS_ENVIRON: Final = "os.environ/"
_PROVIDERS_OWN: Final = "https://api.openai.com/v1"


class ModerationIn(BaseModel):
    """What the moderation endpoint judges, and which model of `model_list` does."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    model: str = Field(default="omni-moderation-latest", min_length=1)
    input: bool = True
    output: bool = True
    most_characters: int = Field(default=100_000, ge=1_000, le=2_000_000)

    @property
    def policy(self) -> ModerationPolicy:
        """Give it as the stage takes it."""
        return ModerationPolicy(self.model, self.input, self.output, self.most_characters)


def endpoint_of(api_base: str | None, environ: Mapping[str, str]) -> str:
    """Give the address that is asked.

    Args:
        api_base: of the deployment, as it stands in proxy_config.yaml; nothing else is ever asked.
        environ: where `os.environ/NAME` looks.
    """
    base = stated(api_base, environ) or _PROVIDERS_OWN
    return f"{base.rstrip('/')}/moderations"


def stated(value: str | None, environ: Mapping[str, str]) -> str | None:
    """Give what a value of proxy_config.yaml says: itself, or what `os.environ/NAME` holds."""
    if value is not None and value.startswith(_OS_ENVIRON):
        value = environ.get(value.removeprefix(_OS_ENVIRON))
    return (value or "").strip() or None
