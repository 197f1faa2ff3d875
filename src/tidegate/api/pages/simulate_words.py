"""What only the simulator's page says, beside the words that it shares with the command."""

from typing import Final

from tidegate.api import simulation_words as words
from tidegate.usecases.simulation.scenario import Kind

KIND_WORDS: Final = {
    Kind.INCIDENT: "Incidents",
    Kind.FAULT: "Synthetic faults",
    Kind.AA: "No fault (A/A)",
    Kind.ROLLOUT: "Past rollouts",
}

MARKS: Final = {words.CAUGHT: "✓", words.HELD: "‖", words.UNDECIDED: "?", words.MISSED: "✕"}
"""One shape per answer to "was it found?"."""

CLASSES: Final = {
    words.CAUGHT: "caught",
    words.HELD: "held",
    words.UNDECIDED: "undecided",
    words.MISSED: "missed",
}
