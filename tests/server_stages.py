"""The processes of a server's stages, for those who end them."""

from pathlib import Path


def stages_of(server: int) -> list[int]:
    """Process numbers of the stages of the tritonserver of this number, oldest first."""
    lists = Path(f"/proc/{server}/task").glob("*/children")
    return sorted(int(each) for path in lists for each in path.read_text().split())
