"""A root as a container of the chart's pod has it: nothing can be written but its volumes, and nobody has rights.

    folders of this machine ─bind, read-only─▶ root ◀─tmpfs of its limit─ each volume of a rendered pod
                                                │
    unshare: a mount namespace of its own, user 1000 without capabilities ─▶ a command

What is not shown there does not exist for the command. All of it goes away with the last process.
"""

import shlex
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

SYSTEM = ("/usr", "/etc")
DEVICES = ("null", "zero", "full", "random", "urandom")
FAILED = "this machine gives no mount namespace: "


@dataclass(frozen=True)
class ReadOnlyRoot:
    """`folder` is empty, and the root's mount point; it stays empty outside."""

    folder: Path
    shown: Mapping[str, Path]
    """Place in the root → what of this machine is there; the system's own folders are anyway."""
    volumes: Mapping[str, str] = field(default_factory=dict)
    """Place → the most that can be written there, as tmpfs takes it."""
    writable: Mapping[str, Path] = field(default_factory=dict)
    """As `shown`, for what a build writes."""

    def command(self, *argv: object) -> list[str]:
        """`argv` in there, in its folder `/`; the process that starts it becomes it."""
        user = ["unshare", "--user", "--map-user=1000", "--map-group=1000", f"--root={self.folder}", "--wd=/", "--"]
        last = shlex.join(["exec", *user, *map(str, argv)])
        return ["unshare", "--map-root-user", "--mount", "--", "sh", "-ec", "\n".join([*self._mounts(), last])]

    def _mounts(self) -> list[str]:
        shown = {**{place: Path(place) for place in SYSTEM}, **self.shown}
        return [
            f"mount -t tmpfs -o mode=755 root {self._at()}",
            # As Debian has them since 2023: links into /usr.
            f"cp -P /bin /lib /lib64 /sbin {self._at()}",
            f"mkdir -p {self._at('dev')} {self._at('proc')}",
            f"mount --rbind /proc {self._at('proc')}",
            *(f"touch {self._at('dev', name)}" for name in DEVICES),
            *(f"mount --bind /dev/{name} {self._at('dev', name)}" for name in DEVICES),
            *(line for place, path in shown.items() for line in self._bound(place, path, "ro")),
            *(line for place, path in self.writable.items() for line in self._bound(place, path, "rw")),
            *(f"mkdir -p {self._at(place)}" for place in self.volumes),
            *(f"mount -t tmpfs -o mode=777,size={most} v {self._at(place)}" for place, most in self.volumes.items()),
            f"mount -o remount,ro {self._at()}",
        ]

    def _bound(self, place: str, path: Path, access: str) -> list[str]:
        at = self._at(place)
        return [f"mkdir -p {at}", f"mount --bind -o {access} {shlex.quote(str(path))} {at}"]

    def _at(self, *parts: str) -> str:
        return shlex.quote("/".join([str(self.folder), *(part.strip("/") for part in parts)]))


def volumes_of(pod: Mapping[str, Any], container: Mapping[str, Any]) -> dict[str, str]:
    """Of a rendered pod: where `container` can write → how much, as tmpfs takes it."""
    limits = {each["name"]: each["emptyDir"]["sizeLimit"] for each in pod["volumes"] if "emptyDir" in each}
    mounts = [each for each in container["volumeMounts"] if each["name"] in limits and not each.get("readOnly")]
    return {each["mountPath"]: limits[each["name"]].removesuffix("i").lower() for each in mounts}


def refusal() -> str | None:
    """Why this machine does not let its user make such a root; None where it does."""
    try:
        tried = ["unshare", "--map-root-user", "--mount", "mount", "-t", "tmpfs", "tried", "/tmp"]
        done = subprocess.run(tried, capture_output=True, text=True)
    except OSError as error:
        return FAILED + str(error)
    return FAILED + done.stderr.strip() if done.returncode else None
