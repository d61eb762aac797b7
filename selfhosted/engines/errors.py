"""What goes wrong with an engine, in one sentence that says what to do."""


class EngineError(Exception):
    """An engine could not be started; the message names the cause and the remedy."""
