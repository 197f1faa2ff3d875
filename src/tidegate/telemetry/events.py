"""The names of what is logged: past tense, noun first. They are an interface: people search for them."""

from typing import Final

SERVER_STARTED: Final = "server.started"
SERVER_STOPPED: Final = "server.stopped"
ROLLOUT_STEPPED: Final = "rollout.stepped"
STEP_FAILED: Final = "step.failed"
WATCH_FAILED: Final = "watch.failed"
LEDGER_FAILED: Final = "ledger.failed"
GATE_FAILED: Final = "gate.failed"
HOOKS_FAILED: Final = "hooks.failed"
SIMULATION_FAILED: Final = "simulation.failed"
