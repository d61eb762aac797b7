"""What differs between OpenAI and a server that speaks its protocol."""

from collections.abc import Callable
from dataclasses import dataclass

import msgspec

from selfhosted.practice import catalogue
from selfhosted.practice.providers.openai.messages import ChatRequest
from selfhosted.practice.wire import Call, Refused


@dataclass(frozen=True, slots=True)
class Flavour:
    """One server's dialect of OpenAI's protocol.

    Attributes:
        no_model: makes the refusal of an unknown model.
        chat_decoder: reads a chat request with the server's own extra fields.
        extras: adds vLLM's `stop_reason` and `prompt_logprobs` to answers.
    """

    provider: str
    service_tier: str | None
    fingerprint: str | None
    no_model: Callable[[str], Refused]
    chat_decoder: "msgspec.json.Decoder[ChatRequest]"
    extras: bool = False

    def admit(self, call: Call, model: str, *uses: str) -> None:
        """Note the model and refuse one that does not exist or is for something else.

        Raises:
            Refused: 404.
        """
        call.model = model
        if catalogue.use_of(self.provider, model) not in uses:
            raise self.no_model(model)
