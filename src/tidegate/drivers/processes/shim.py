"""
The small program that every supervised process lives under.

It is run as a file, `python -S -E -I shim.py FOLDER LOCK_DESCRIPTOR`, and imports nothing but a few
modules of the standard library, since one runs for each process (about 10 MB, most of it shared). It
starts the process in a session of its own, starts it again with growing pauses when it ends by
itself, writes what it sees to `status.json`, and on SIGTERM ends the process (SIGTERM, drain,
SIGKILL) and itself.

Rules:

- The lock whose descriptor it inherits is held as long as it lives: nobody can start a second shim
  for the same folder, and a dead one is known at once, without trusting a pid.
- A process may run its program only after its pid was written down. So when the shim is killed the
  process goes on serving, and the next shim of the folder adopts it by pid and start time.
- The shim never gives up because a file can't be written: serving goes before book-keeping.

Who wants the process and what for must not be known here; nothing of Tidegate is imported.
"""

import json
import os
import signal
import sys
import time

FIRST_PAUSE_SECONDS = 0.1
LONGEST_PAUSE_SECONDS = 10.0
STEADY_SECONDS = 10.0
"""A process that ran this long has started well: the next pause is the first one again."""
WATCH_SECONDS = 2.0
"""How often the log's size is looked at."""
ADOPTED_POLL_SECONDS = 0.2
"""A process that isn't our child sends us no signal when it ends."""
LOG_LIMIT_BYTES = 8 * 1024 * 1024
"""At this size the log is moved to its one predecessor."""
CANNOT_EXEC = 127

SIGNALS = {signal.SIGTERM, signal.SIGCHLD}
IGNORED = (signal.SIGHUP, signal.SIGINT)
Fields = dict[str, object]


def start_time_of(pid: int) -> str | None:
    """
    Return when *pid* began, as one word that no other process of this machine shares with it.

    None when it doesn't run (a zombie doesn't). The word holds the machine's boot, since pids and
    clock ticks begin anew with it.
    """
    try:
        with open(f"/proc/{pid}/stat", encoding="utf-8", errors="replace") as file:  # noqa: PTH123
            fields = file.read().rpartition(")")[2].split()
        with open("/proc/sys/kernel/random/boot_id", encoding="ascii") as file:  # noqa: PTH123
            boot = file.read().strip()
    except OSError:
        return None
    return None if fields[0] in "ZX" else f"{boot}:{fields[19]}"


class Shim:
    """One process, from its first start to its end."""

    def __init__(self, folder: str) -> None:
        self.folder = folder
        with open(f"{folder}/spec.json", encoding="utf-8") as file:  # noqa: PTH123
            self.spec = json.load(file)
        self.pid: int | None = None
        self.start_time: str | None = None
        self.adopted = False
        self.restarts = 0
        self.last_exit: int | None = None
        self.pause_seconds = FIRST_PAUSE_SECONDS
        self.started_at = 0.0

    def run(self) -> None:
        """Keep the process until it ends (or, with keep_alive, until SIGTERM)."""
        if not self.adopt():
            error = self.start()
            if error:
                self.write_status("failed", error)
                return
        while True:
            if self.wait_for_end():
                self.end_process()
                break
            if not self.spec["keep_alive"]:
                break
            self.restarts += 1
            if time.monotonic() - self.started_at >= STEADY_SECONDS:
                self.pause_seconds = FIRST_PAUSE_SECONDS
            self.write_status("pausing")
            if self.pause():
                break
            self.start()
        self.write_status("ended")

    def adopt(self) -> bool:
        """Take over the process that a killed shim left running; return whether there was one."""
        try:
            with open(f"{self.folder}/status.json", encoding="utf-8") as file:  # noqa: PTH123
                left = json.load(file)
        except (OSError, ValueError):
            return False
        pid, start_time = left["pid"], left["start_time"]
        if pid is None or start_time_of(pid) != start_time:
            return False
        self.pid, self.start_time, self.adopted = pid, start_time, True
        self.restarts, self.last_exit = left["restarts"], left["last_exit"]
        self.started_at = time.monotonic()
        self.write_status("running")
        return True

    def start(self) -> str:
        """Start the process; return why it can't be started, or nothing."""
        gate_read, gate_write = os.pipe()
        failure_read, failure_write = os.pipe()
        pid = os.fork()
        if pid == 0:
            os.close(gate_write)
            os.close(failure_read)
            self.become_process(gate_read, failure_write)
        os.close(gate_read)
        os.close(failure_write)
        self.pid, self.start_time, self.adopted = pid, start_time_of(pid), False
        self.started_at = time.monotonic()
        self.write_status("starting")
        try:  # noqa: SIM105, contextlib would cost each shim half a megabyte
            os.write(gate_write, b"!")
        except BrokenPipeError:
            pass  # it was killed at the gate: seen below as any other end
        os.close(gate_write)
        # Closed by exec: nothing to read means that the program runs.
        failure = os.read(failure_read, 4096).decode()
        os.close(failure_read)
        if failure:
            os.waitpid(pid, 0)
            self.pid, self.start_time, self.last_exit = None, None, CANNOT_EXEC
        else:
            self.write_status("running")
        return failure

    def become_process(self, gate: int, failure: int) -> None:
        """Turn this fork into the process, once its pid is on disk; never returns."""
        try:
            os.setsid()
            # What is ignored stays so through exec; Python ignores the first two for itself.
            for ignored in (signal.SIGPIPE, signal.SIGXFSZ, *IGNORED):
                signal.signal(ignored, signal.SIG_DFL)
            signal.pthread_sigmask(signal.SIG_UNBLOCK, SIGNALS)
            if os.read(gate, 1) != b"!":
                os._exit(CANNOT_EXEC)  # the shim was killed before it had written our pid
            os.chdir(self.spec["cwd"])
            os.execve(self.spec["program"], self.spec["argv"], self.spec["env"])  # noqa: S606
        except OSError as exc:
            where = exc.filename or self.spec["program"]
            os.write(failure, f"{where}: {exc.strerror}".encode())
        finally:
            os._exit(CANNOT_EXEC)

    def wait_for_end(self) -> bool:
        """Wait until the process ends by itself (False) or SIGTERM comes (True)."""
        while self.pid is not None:
            if self.has_ended():
                return False
            if self.next_signal() == signal.SIGTERM:
                return True
            self.rotate_log()
        return False

    def has_ended(self) -> bool:
        """Return whether the process has ended; what is left of its group is killed then."""
        if self.pid is None:
            return True
        if self.adopted:
            if start_time_of(self.pid) == self.start_time:
                return False
            self.pid, self.start_time, self.last_exit = None, None, None
            return True
        # Looked at without reaping first: while the zombie is there its group can't be another's.
        if os.waitid(os.P_PID, self.pid, os.WEXITED | os.WNOHANG | os.WNOWAIT) is None:
            return False
        self.kill_group()
        self.last_exit = os.waitstatus_to_exitcode(os.waitpid(self.pid, 0)[1])
        self.pid, self.start_time = None, None
        return True

    def end_process(self) -> None:
        """SIGTERM, wait for the drain, SIGKILL."""
        self.write_status("ending")
        deadline = time.monotonic() + self.spec["drain_seconds"]
        if not self.has_ended():
            assert self.pid is not None
            os.kill(self.pid, signal.SIGTERM)
        while not self.has_ended():
            left = deadline - time.monotonic()
            if left <= 0:
                self.kill_group()
            self.next_signal(max(left, 0.01))

    def kill_group(self) -> None:
        """Kill the process and what it started, as far as that stayed in its group."""
        assert self.pid is not None
        try:  # noqa: SIM105, as above
            os.killpg(self.pid, signal.SIGKILL)
        except ProcessLookupError:
            pass

    def pause(self) -> bool:
        """Wait before the next start; return whether SIGTERM came."""
        until = time.monotonic() + self.pause_seconds
        self.pause_seconds = min(self.pause_seconds * 2, LONGEST_PAUSE_SECONDS)
        while (left := until - time.monotonic()) > 0:
            if self.next_signal(left) == signal.SIGTERM:
                return True
        return False

    def next_signal(self, longest_seconds: float = WATCH_SECONDS) -> int | None:
        """Wait for a signal, at most *longest_seconds*; return which came."""
        if self.adopted:
            longest_seconds = min(longest_seconds, ADOPTED_POLL_SECONDS)
        got = signal.sigtimedwait(SIGNALS, longest_seconds)
        return None if got is None else got.si_signo

    def rotate_log(self) -> None:
        """
        Move a full log to its predecessor.

        The process writes to the file itself, so that it can log without us; the file is copied and
        emptied in place, and lines written in between are lost.
        """
        path = f"{self.folder}/output.log"
        try:
            if os.stat(path).st_size < LOG_LIMIT_BYTES:  # noqa: PTH116
                return
            with open(path, "rb") as log, open(f"{path}.1", "wb") as previous:  # noqa: PTH123
                while piece := log.read(1 << 16):
                    previous.write(piece)
            os.truncate(path, 0)
        except OSError as exc:
            sys.stderr.write(f"shim: the log can't be moved: {exc}\n")

    def write_status(self, phase: str, error: str = "") -> None:
        """Write down what is known, at once for every reader."""
        status: Fields = {
            "phase": phase,
            "error": error,
            "pid": self.pid,
            "start_time": self.start_time,
            "restarts": self.restarts,
            "last_exit": self.last_exit,
            "argv": self.spec["argv"],
            "shim_pid": os.getpid(),
            "shim_start_time": start_time_of(os.getpid()),
        }
        path = f"{self.folder}/status.json"
        try:
            with open(f"{path}.new", "w", encoding="utf-8") as file:  # noqa: PTH123
                json.dump(status, file)
            os.replace(f"{path}.new", path)  # noqa: PTH105
        except OSError as exc:
            sys.stderr.write(f"shim: {path} can't be written: {exc}\n")


def main() -> None:
    """Detach from whoever started us, then keep the process of the folder in argv."""
    folder, lock = sys.argv[1], int(sys.argv[2])
    os.set_inheritable(lock, False)
    # Blocked and taken by sigtimedwait, so that none is lost between looking and waiting.
    signal.pthread_sigmask(signal.SIG_BLOCK, SIGNALS)
    for ignored in IGNORED:
        signal.signal(ignored, signal.SIG_IGN)
    if os.fork():
        os._exit(0)
    os.setsid()
    os.chdir("/")
    Shim(folder).run()


if __name__ == "__main__":
    main()
