"""What the filter's memory does, and what another session sees, while a client or a server means harm."""
import os
import re
import ssl
import threading
import time

from imapwire import Closed, Wire

MB = 1 << 20
USER = "u10@example.com"
DEVICE = b"MABCD-EFGHI-JKLMN-OPQRS-TUVWX-YZ234"
GONE = (Closed, ConnectionError, BrokenPipeError, ssl.SSLError)
LONG = os.environ.get("LONG")


def resident(pid, peak=False):
    with open(f"/proc/{pid}/status") as f:
        return next(int(line.split()[1]) << 10 for line in f if line.startswith("VmHWM" if peak else "VmRSS"))


def peak_anew(pid):
    """The kernel's peak counts from now on, where it lets us; it sees what falls between two looks."""
    try:
        with open(f"/proc/{pid}/clear_refs", "w") as f:
            f.write("5")
        return True
    except OSError:
        return False


class Watch:
    """with Watch(...): memory's growth, and what another session sees, while something happens."""

    def __init__(self, what, pid, port, octets, seconds=1.0, show=True):
        self.what, self.pid, self.octets, self.seconds, self.show = what, int(pid), octets, seconds, show
        self.probe = Wire(port)
        self.probe.login("u99@example.com")

    def look(self):
        while not self.over and not self.failed:
            try:
                self.once()
            except Exception as e:
                self.failed = e

    def once(self):
        self.peak = max(self.peak, resident(self.pid))
        start = time.monotonic()
        self.probe.good(b"NOOP")
        self.slowest = max(self.slowest, time.monotonic() - start)
        time.sleep(0.01)

    def __enter__(self):
        self.over, self.slowest, self.failed = False, 0, None
        self.exact = peak_anew(self.pid)
        self.before = self.peak = resident(self.pid)
        self.looking = threading.Thread(target=self.look)
        self.looking.start()
        return self

    def __exit__(self, kind, *_):
        self.over = True
        self.looking.join()
        self.probe.close()
        if self.exact:
            self.peak = resident(self.pid, peak=True)
        grown = self.peak - self.before
        if self.show:
            print(f"{self.what}: {grown / MB:.1f} MB, another session's NOOP at most {self.slowest * 1000:.0f} ms")
        if not kind:
            assert not self.failed, f"{self.what}: the other session: {self.failed!r}"
            assert grown <= self.octets, f"{self.what}: memory grew by {grown / MB:.1f} MB, {self.octets / MB:.1f} permitted"
            assert self.slowest <= self.seconds, f"{self.what}: another session waited {self.slowest:.2f} s"


def gone(w, seconds):
    """The other end closes within that time; what it says before."""
    w.s.settimeout(seconds)
    try:
        while True:
            w.more()
    except GONE:
        return bytes(w.data)
    except TimeoutError:
        raise AssertionError(f"still open after {seconds} s") from None


def refused(w, *parts):
    got = w.command(*parts)[-1]
    assert re.match(rb"t\d+ (BAD|NO) ", got), got
    return got
