"""
Every way Tidegate says no, in one shape: what (code), with which values (message), what now
(hint), again? (retryable).

Users may match on `code`, so a code is never reused or changed. The API turns an error into
problem+json, the command line into a sentence, a dimmed hint and an exit code; the log gets all four.
Errors that only one driver can raise still live here, so that codes can be checked to be unique.
"""

from typing import ClassVar


class TidegateError(Exception):
    """Base of all errors that a person or a program may meet."""

    code: ClassVar[str] = "tidegate.error"
    http_status: ClassVar[int] = 500
    exit_code: ClassVar[int] = 1
    retryable: ClassVar[bool] = False

    def __init__(self, message: str, *, hint: str) -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint


# --- what the caller wrote -------------------------------------------------------------------


class InvalidDocumentError(TidegateError):
    """`tidegate.yaml`, a plan in it, or a value on the command line can't be used as written."""

    code = "document.invalid"
    http_status = 422
    exit_code = 2


class InvalidRequestError(TidegateError):
    """A request is well-formed but asks for something that doesn't make sense."""

    code = "request.invalid"
    http_status = 422
    exit_code = 2


class MalformedRequestError(TidegateError):
    """A request doesn't have the shape that the API's reference describes."""

    code = "request.malformed"
    http_status = 422
    exit_code = 2


class NotFoundError(TidegateError):
    """The rollout, service, target or decision that was named doesn't exist."""

    code = "not_found"
    http_status = 404
    exit_code = 2


class VersionNotFoundError(TidegateError):
    """A component has no such version to deploy."""

    code = "version.not_found"
    http_status = 422
    exit_code = 2


# --- what the present state doesn't allow ----------------------------------------------------


class IllegalTransitionError(TidegateError):
    """A rollout can't take this event in the state it's in."""

    code = "rollout.illegal_transition"
    http_status = 409
    exit_code = 7


class StateMovedError(TidegateError):
    """The state that the caller saw isn't the state any more (optimistic conflict)."""

    code = "state.moved"
    http_status = 409
    exit_code = 7
    retryable = True


class ActiveRolloutError(TidegateError):
    """The service already has an active rollout on one of the targets."""

    code = "rollout.already_active"
    http_status = 409
    exit_code = 6


class RefusedError(TidegateError):
    """A gate, a window, a freeze, a stop order or a server setting refuses the request."""

    code = "refused"
    http_status = 409
    exit_code = 6


class StopOrderError(TidegateError):
    """A stop order is in force: exposure of what it covers stays or falls."""

    code = "stop_order.in_force"
    http_status = 409
    exit_code = 6
    retryable = True


class StaleGenerationError(TidegateError):
    """A late or superseded write was refused: the target already serves a newer generation."""

    code = "generation.stale"
    http_status = 409
    exit_code = 7


class NotAllowedError(TidegateError):
    """The caller isn't known, or isn't allowed to do this."""

    code = "not_allowed"
    http_status = 401
    exit_code = 4


class ForbiddenError(TidegateError):
    """The caller is known, and isn't granted this."""

    code = "forbidden"
    http_status = 403
    exit_code = 4


class StepUpRequiredError(TidegateError):
    """The caller may do this, once they have proved again who they are."""

    code = "step_up_required"
    http_status = 403
    exit_code = 4


class RateLimitedError(TidegateError):
    """One token asked for too much at once. Stopping something is never limited."""

    code = "rate_limited"
    http_status = 429
    retryable = True


class OverloadedError(TidegateError):
    """The server is asked for more than it can answer. Stopping something is never refused for that."""

    code = "server.overloaded"
    http_status = 503
    retryable = True


class InvalidIdentityError(TidegateError):
    """What was shown as a proof of who somebody is isn't believed."""

    code = "identity.invalid"
    http_status = 401
    exit_code = 4


# --- what the outside did --------------------------------------------------------------------


class TrafficError(TidegateError):
    """The data plane refused or didn't answer."""

    code = "traffic.failed"
    http_status = 502
    retryable = True


class WorkloadError(TidegateError):
    """A workload couldn't be started, observed or stopped."""

    code = "workload.failed"
    http_status = 502
    retryable = True


class SignalSourceError(TidegateError):
    """A source of health signals can't be read."""

    code = "signals.failed"
    http_status = 502
    retryable = True


class GateError(TidegateError):
    """What a gate asks can't be asked now."""

    code = "gate.failed"
    http_status = 502
    retryable = True


class EgressRefusedError(TidegateError):
    """An address that was named isn't one that this server talks to."""

    code = "egress.refused"
    http_status = 422
    exit_code = 6


class EgressFailedError(TidegateError):
    """An outside system that was asked gave no usable answer."""

    code = "egress.failed"
    http_status = 502
    retryable = True


class IdentityProviderError(TidegateError):
    """The identity provider can't be reached, or its answer makes no sense."""

    code = "identity.provider_failed"
    http_status = 502
    retryable = True


class WitnessError(TidegateError):
    """A witness of the ledger can't be told, or can't say what it knows."""

    code = "witness.failed"
    http_status = 502
    retryable = True


class WitnessConflictError(TidegateError):
    """A witness of the ledger was shown another history than this one."""

    code = "witness.conflict"
    http_status = 409
    exit_code = 6


class StoreError(TidegateError):
    """The store can't be read or written; nothing was half-written."""

    code = "store.failed"
    http_status = 503
    retryable = True


class ServerUnreachableError(TidegateError):
    """The command line found no server, or it didn't answer."""

    code = "server.unreachable"
    http_status = 503
    retryable = True


class LabError(TidegateError):
    """The lab can't start, or one of its processes died."""

    code = "lab.failed"


class TimedOutError(TidegateError):
    """What was waited for didn't happen in the time given; it may still happen."""

    code = "timed_out"
    http_status = 504
    exit_code = 8
    retryable = True
