"""What the commands say beside their results."""

from rich.console import Console

complaints = Console(stderr=True, highlight=False, markup=False, soft_wrap=True)


def complain(text: str) -> None:
    """On the standard error, above what is shown there of a work's progress."""
    complaints.print(f"histoserve: {text}")
