"""The real tools, found or asked for: a check that cannot run fails and says what to install."""

import shutil
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
OTEL = ROOT / "otel"
PACKAGES = {
    "promtool": "prometheus",
    "prometheus": "prometheus",
    "amtool": "prometheus-alertmanager",
    "prometheus-alertmanager": "prometheus-alertmanager",
    "node": "nodejs",
    "npm": "npm",
}


def tool(name: str) -> str:
    """Find a program; fail with the package that has it."""
    found = shutil.which(name)
    if found is None:
        pytest.fail(f"{name} is not installed: apt-get install {PACKAGES.get(name, name)}")
    return found


def run(name: str, *arguments: str, cwd: Path = ROOT) -> str:
    """Run a tool that must succeed; give what it printed."""
    done = subprocess.run(
        [tool(name), *arguments], cwd=cwd, capture_output=True, text=True, timeout=120, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout
