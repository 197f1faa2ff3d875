"""Rolls a document out over four consumers, then one that harms. Takes about a minute; needs no network."""

import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
import urllib.error
import urllib.request
from collections import Counter
from pathlib import Path

HERE = Path(__file__).parent
TIDEGATE = [sys.executable, "-m", "tidegate.cli.app"]
ROLLED_BACK = 5


def tidegate(*arguments: str, expect: int = 0) -> None:
    """Run a command as one would in a terminal; stop here when it ends otherwise than *expect*."""
    print("$ tidegate", *arguments, flush=True)
    code = subprocess.run([*TIDEGATE, *arguments], check=False).returncode
    if code != expect:
        raise SystemExit(f"it ended with {code}")


def free_addresses(count: int) -> list[str]:
    """Return addresses of this machine where nobody listens."""
    held = [socket.create_server(("127.0.0.1", 0)) for _ in range(count)]
    addresses = [f"127.0.0.1:{one.getsockname()[1]}" for one in held]
    for one in held:
        one.close()
    return addresses


def ask(address: str) -> str:
    """Return what a consumer says, as a user would hear it."""
    try:
        with urllib.request.urlopen(f"http://{address}/", timeout=5) as answer:
            said: str = answer.read().decode().strip()
            return said
    except urllib.error.HTTPError as problem:
        with problem:
            return f"error {problem.code}"


def be_users(addresses: list[str], stop: threading.Event) -> None:
    """Ask every consumer about thirty times a second."""
    while not stop.wait(0.03):
        for address in addresses:
            ask(address)


def main() -> None:
    """Install, roll out, harm, look, and clean up."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name) / "greeting"
        shutil.copytree(HERE, folder)
        os.chdir(folder)
        os.environ["TIDEGATE_STATE_DIR"] = str(Path(name) / "state")
        os.environ["TIDEGATE_LAB_ALLOWED"] = "true"
        addresses = free_addresses(4)
        for address in addresses:
            (folder / "consumers" / address).mkdir(parents=True)
        server = subprocess.Popen([*TIDEGATE, "server", "run", "--port", "0"])
        consumers = [
            subprocess.Popen([sys.executable, "consumer.py", f"consumers/{address}"])
            for address in addresses
        ]
        stop = threading.Event()
        users = threading.Thread(target=be_users, args=(addresses, stop))
        try:
            while not (Path(name) / "state" / "server.json").exists():
                if server.poll() is not None:
                    raise SystemExit("the server didn't start")
                time.sleep(0.1)
            tidegate("validate")
            tidegate("start", "--change", "greeting=v1.json", "--watch", "--timeout", "1m")
            users.start()
            tidegate("start", "--change", "greeting=v2.json", "--watch", "--timeout", "1m")
            print("heard:", dict(Counter(map(ask, addresses))), flush=True)
            # Its schema has nothing against v3.json. What it does shows in the consumers' metrics.
            tidegate(
                *("start", "--change", "greeting=v3.json", "--watch", "--timeout", "1m"),
                expect=ROLLED_BACK,
            )
            print("heard:", dict(Counter(map(ask, addresses))), flush=True)
            tidegate("why", "greeting")
        finally:
            stop.set()
            if users.ident is not None:
                users.join()
            for consumer in consumers:
                consumer.send_signal(signal.SIGTERM)
                consumer.wait()
            tidegate("server", "stop")
            server.wait()


if __name__ == "__main__":
    main()
