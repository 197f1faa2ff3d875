"""Rolls Datasette 0.65.5 out over 0.65.2, with users, on this machine. Takes about three minutes."""

import json
import os
import signal
import subprocess
import sys
import tempfile
import time
import urllib.request
from pathlib import Path

HERE = Path(__file__).parent
BEFORE, AFTER = "0.65.2", "0.65.5"
ADDRESS = "http://127.0.0.1:8081"
TIDEGATE = [sys.executable, "-m", "tidegate.cli.app"]


def tidegate(*arguments: str) -> None:
    """Run a command as one would in a terminal; stop here when it fails."""
    print("$ tidegate", *arguments, flush=True)
    subprocess.run([*TIDEGATE, *arguments], cwd=HERE, check=True)


def served() -> str:
    """Return the version that answers."""
    with urllib.request.urlopen(f"{ADDRESS}/-/versions.json", timeout=10) as answer:
        return json.load(answer)["datasette"]["version"]


def users(folder: Path) -> "subprocess.Popen[bytes]":
    """Let users come: 60 requests a second from 20,000 people, which two cores serve with room to spare."""
    where = [
        "--url",
        ADDRESS,
        "--report",
        str(folder / "users.jsonl"),
        "--control",
        str(folder / "c"),
    ]
    rate = ["--rate", "60", "--order-share", "0"]
    return subprocess.Popen([sys.executable, "-m", "tidegate.lab.load", *where, *rate])


def main() -> None:
    """Install, roll out, look, and clean up."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        os.environ["TIDEGATE_STATE_DIR"] = str(folder / "state")
        os.environ["TIDEGATE_LAB_ALLOWED"] = "true"
        server = subprocess.Popen([*TIDEGATE, "server", "run", "--port", "0"])
        people = None
        try:
            while not (folder / "state" / "server.json").exists():
                if server.poll() is not None:
                    raise SystemExit("the server didn't start")
                time.sleep(0.1)
            tidegate("validate")
            tidegate("start", "--change", f"code={BEFORE}", "--watch", "--timeout", "5m")
            print(f"served: {served()}", flush=True)
            people = users(folder)
            tidegate("plan", "--change", f"code={AFTER}")
            tidegate("start", "--change", f"code={AFTER}", "--watch", "--timeout", "4m")
            print(f"served: {served()}", flush=True)
            tidegate("why", "datasette")
        finally:
            if people is not None:
                people.send_signal(signal.SIGTERM)
                people.wait()
            tidegate("server", "stop", "--workloads")
            server.wait()


if __name__ == "__main__":
    main()
