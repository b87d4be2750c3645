"""What can go wrong, by who is at fault: the user, the slide, the server, or one request.

Every message says what was wanted, what came, where, and what to do; the command line prints it without a traceback.
`Unavailable`, `Lost`, `Internal` and `Refused` belong to one request; whoever sends decides what follows from them.
"""


class HistoserveError(Exception):
    """Something expected went wrong; the command ends with `exit_code`."""

    exit_code = 1


class WrongUsage(HistoserveError):
    """The command was given something it cannot use."""

    exit_code = 2


class OutputError(HistoserveError):
    """The result cannot be written."""


class SlideError(HistoserveError):
    """The slide cannot be opened, or its resolution is unknown or implausible."""


class UnreadableRegion(SlideError):
    """One region of an open slide cannot be read; others may."""


class ServerError(HistoserveError):
    """The server is not one that can analyse this slide."""


class NoAnswer(ServerError):
    """Nothing that is a Triton answers at the address, for now."""

    def __init__(self, address: str, reason: str, advice: str | None = None):
        advice = advice or "Check that it runs and that this is its gRPC port (usually 8001; 8000 is HTTP)."
        super().__init__(f"No Triton server answers at {address} ({reason}). {advice}")
        self.reason = reason


class Denied(ServerError):
    """The server does not let this caller in, or not do that."""


class Unavailable(ServerError):
    """Nobody took the request, or none answered in time: it may succeed later or elsewhere."""


class Full(Unavailable):
    """A server, or what stands before it, is well but has no room for one more request now."""


class Lost(ServerError):
    """The server, or a stage of it, ended while it had the request: perhaps because of it."""

    stage_died = False
    """The server itself is still there, and fails until it is started anew."""


class Internal(ServerError):
    """The server failed on the request, through its own fault or the request's: worth few more tries."""


class Refused(ServerError):
    """The server says that the request is wrong: never worth another try."""


class Stopped(HistoserveError):
    """The run was stopped from outside."""


class LabelsError(HistoserveError):
    """A training set's folder is not as `histoserve label` left it, or cannot be used for what was asked."""
