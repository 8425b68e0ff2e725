"""Network namespaces of this machine, for whoever compares its kernel with the lab."""

import ctypes
import subprocess

LIBC = ctypes.CDLL(None, use_errno=True)


def ip(*words):
    subprocess.run(["ip", *words], check=True, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)


class Space:
    """A network namespace: sockets that are made inside stay there."""

    def __init__(self, name):
        self.file = open(f"/run/netns/{name}")

    def __enter__(self):
        self.home = open("/proc/thread-self/ns/net")
        self.enter(self.file)

    def __exit__(self, *_):
        self.enter(self.home)

    @staticmethod
    def enter(file):
        if LIBC.setns(file.fileno(), 0) != 0:
            raise OSError(ctypes.get_errno(), "setns")

    def sysctl(self, key, value):
        """Sets a value below `net`."""
        with self, open(f"/proc/sys/net/{key}", "w") as file:
            file.write(str(value))
