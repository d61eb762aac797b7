"""Alerts for Slack's incoming webhooks, and for what takes the same: Mattermost, Rocket.Chat.

Classic attachments carry the colour: Slack shows them, and the others know no blocks
(https://docs.slack.dev/messaging/formatting-message-text,
https://docs.slack.dev/legacy/legacy-messaging/legacy-secondary-message-attachments, read 2026-11).
"""

from datetime import datetime
from typing import Any, Final

import orjson

from plugins.alerts.notice import Notice, Outgoing

COLOURS: Final = {"critical": "#d72631", "high": "#e8912d", "medium": "#f2c744"}
RESOLVED: Final = "#2eb67d"
OTHERWISE: Final = "#8d8d8d"
TEXT_LIMIT: Final = 3_000
"""Characters that Slack shows of a text before it cuts."""
FIELD_LIMIT: Final = 12


class SlackSender:
    """Writes alerts for one incoming webhook.

    Args:
        url: the webhook's; whoever has it can write to the channel.
    """

    def __init__(self, url: str) -> None:
        self._url: Final = url

    def request(self, notice: Notice, now: datetime) -> Outgoing:
        """Write the request."""
        return Outgoing(self._url, orjson.dumps(payload(notice)))


def payload(notice: Notice) -> dict[str, Any]:
    """Give the message."""
    alert = notice.alert
    colour = RESOLVED if alert.resolved else COLOURS.get(alert.severity, OTHERWISE)
    word = "Resolved" if alert.resolved else alert.severity.capitalize()
    line = f"{escaped(word)}: {escaped(alert.summary)}"
    facts = {"alert": alert.name, "subject": alert.subject} | alert.labels
    fields = [
        {"title": escaped(name), "value": escaped(value), "short": True}
        for name, value in list(facts.items())[:FIELD_LIMIT]
    ]
    attachment = {
        "fallback": line,
        "color": colour,
        "fields": fields,
        "footer": "Sluice",
        "ts": int(notice.at.timestamp()),
    }
    return {"text": line, "attachments": [attachment]}


def escaped(text: str) -> str:
    """Take the meaning from the three letters that Slack reads as links and mentions.

    Args:
        text: anybody's; cut to what Slack shows.
    """
    cut = text if len(text) <= TEXT_LIMIT else text[: TEXT_LIMIT - 1] + "…"
    return cut.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
