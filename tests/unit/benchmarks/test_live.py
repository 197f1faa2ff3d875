"""The benchmark of live hints runs, loses nothing, and says what it measured in the agreed form."""

import json
import subprocess
import sys
from pathlib import Path

SCRIPT = Path(__file__).parents[3] / "benchmarks" / "live.py"


def test_the_quick_run_answers_in_the_agreed_form() -> None:
    """A handful of streams of each kind: every hint comes, and the cost is a number per stream."""
    done = subprocess.run(
        [sys.executable, str(SCRIPT), "--quick", "-o", "json"],
        capture_output=True,
        text=True,
        check=False,
        timeout=240,
    )

    assert done.returncode == 0, done.stderr
    answer = json.loads(done.stdout)
    assert answer["quick"] is True
    assert [row["looked_by"] for row in answer["rows"]] == ["key", "sessions"]
    for row in answer["rows"]:
        assert row["lost"] == 0
        assert row["streams"] * row["hints"] > 0
        assert isinstance(row["microseconds_per_stream_and_hint"], float)
        assert row["delay_ms_p99"] >= row["delay_ms_p50"] > 0
