"""`python -m plugins.cli`, the same as `sluice`."""

from plugins.cli import app

app()
