#!/usr/bin/python3
"""faults.py BUILD FOLDER SHIM SEED [long]: kills and starves the programs at their system calls and allocations; prints TAP.

Of one undisturbed run the system calls are recorded (strace). Then the run is repeated, each time with one of them the last one
(SIGKILL as it begins), or failing with an error, or with the nth allocation failing (shim.c). After each, what must hold is
checked, and the work is done again to its end. Short form: some of them, chosen by SEED, each kind of call at least once;
long: all.
"""
import mmap, os, random, re, signal, struct, sys, time

from ops import Add, Decrypt, Deliver, Lmtp, Newgroup, Open, Personal, Rekey, Remove, Replace
from world import Failed, World

# What a call can return that a full disk, a dying disk, a busy machine or a lost peer make of it.
# Not epoll_ctl: only adding can fail for lack of memory, and strace cannot tell it from changing and removing.
ERRORS = {
    "openat": ["EMFILE", "ENFILE", "EIO", "ENOMEM"], "open": ["EMFILE"], "read": ["EIO", "EINTR"], "pread64": ["EIO"],
    "write": ["ENOSPC", "EIO", "EINTR"], "pwrite64": ["ENOSPC", "EIO"], "fsync": ["EIO", "ENOSPC"], "fdatasync": ["EIO", "ENOSPC"],
    "ftruncate": ["ENOSPC", "EIO"], "fallocate": ["ENOSPC"], "rename": ["ENOSPC", "EIO"], "renameat": ["ENOSPC", "EIO"],
    "link": ["ENOSPC"], "linkat": ["ENOSPC", "EIO"], "unlink": ["EIO"], "unlinkat": ["EIO"], "mkdir": ["ENOSPC"],
    "fchmod": ["EPERM"], "chmod": ["EPERM"], "flock": ["EINTR", "ENOLCK"], "getdents64": ["EIO"], "newfstatat": ["EIO"],
    "fstat": ["EIO"], "socket": ["EMFILE", "ENOBUFS"], "connect": ["EINTR", "ECONNREFUSED"], "sendto": ["EINTR", "EPIPE"],
    "sendmsg": ["EINTR", "EPIPE"], "recvfrom": ["EINTR", "ECONNRESET"], "recvmsg": ["ECONNRESET"], "poll": ["EINTR", "ENOMEM"],
    "ppoll": ["EINTR"], "getrandom": ["EINTR"], "close": ["EIO"], "accept4": ["EMFILE", "EINTR"],
    "epoll_wait": ["EINTR"], "epoll_create1": ["EMFILE"], "lseek": ["EIO"], "pipe2": ["EMFILE"],
    "getsockopt": ["ENOBUFS"], "socketpair": ["EMFILE"], "eventfd2": ["EMFILE"]}
# What leaves a trace: of these some are tried in each command, again and again.
LASTING = {"openat", "write", "pwrite64", "fsync", "fdatasync", "rename", "renameat", "link", "linkat", "unlink", "unlinkat", "mkdir",
           "sendto", "sendmsg", "recvfrom", "exit_group", "fchmod"}


class Faults:
    def __init__(self, build, folder, shim, seed, long):
        self.w = World(build, folder)
        self.long, self.shim = long, shim
        self.random = random.Random(seed)
        self.control_path = os.path.join(folder, "control")
        with open(self.control_path, "wb") as f:
            f.write(bytes(4096))
        os.chmod(self.control_path, 0o666)
        f = open(self.control_path, "r+b")
        self.control = mmap.mmap(f.fileno(), 4096)
        self.kinds = set()   # of calls that were the last one of some process
        self.tests = self.failed = 0
        self.ledger = []

    # ---- TAP ----
    def test(self, name, what):
        self.tests += 1
        began = time.time()
        try:
            n = what()
            print(f"ok {self.tests} - faults: {name}")
            self.ledger.append(f"{name}: {n} ({time.time() - began:.0f} s)")
        except Failed as e:
            self.failed += 1
            print(f"not ok {self.tests} - faults: {name}")
            for line in str(e).splitlines():
                print("#   " + line)
        sys.stdout.flush()

    # ---- choosing ----
    def choose(self, points, extra):
        """Of (call, n, ...): all; or each kind not seen yet, some of the lasting kinds, and some more."""
        if self.long:
            return points
        by_kind = {}
        for p in points:
            by_kind.setdefault(p[0], []).append(p)
        lasting = sorted(LASTING & set(by_kind) & self.kinds)
        lasting = self.random.sample(lasting, min(4, len(lasting)))
        chosen = [self.random.choice(v) for k, v in sorted(by_kind.items()) if k not in self.kinds or k in lasting]
        rest = [p for p in points if p not in chosen]
        return chosen + self.random.sample(rest, min(extra, len(rest)))

    @staticmethod
    def points(log, marker):
        """The calls of the first process in a log, from the one that has marker in it; "when" counts from the start."""
        count, out, first, on = {}, [], None, not marker
        for line in open(log, errors="replace"):
            m = re.match(r"(\d+) +(\w+)\(", line)
            if not m:
                continue
            first = first or m[1]
            if m[1] != first:
                continue
            count[m[2]] = count.get(m[2], 0) + 1
            on = on or (marker in line and m[2] != "execve")
            if on and m[2] not in ("rt_sigreturn", "execve"):
                out.append((m[2], count[m[2]]))
        return out

    def culprit(self, op, n):
        """A crash after allocation n failed: the library it happened in, when it is one that may."""
        op.prepare()
        self.orders(countdown=n)
        op.attempt([], {**self.shim_env(), "FAULT_TRACE": "1"})
        self.orders()
        return self.library(op.said.partition("crash:")[2])

    @staticmethod
    def library(frames):
        """Of those that are known not to survive a failed allocation: both are used at the start only, before there is a message."""
        for line in frames.splitlines():
            name, _, function = os.path.basename(line).partition("(")
            if "libconfuse" in name:
                return "libconfuse"
            if re.match(r"getpw|getgr|initgroups|__nss_", function):
                return "glibc's name service"
            if name and not name.startswith(("shim.so", "libc.so", "linux-vdso")):
                return None
        return None

    @staticmethod
    def named(libraries):
        return "".join(f", {k} of them by a crash in {name}" for name, k in libraries.items())

    # ---- one process: the tool, the delivery agent ----
    def record(self, op):
        log = os.path.join(self.w.folder, "strace.log")
        op.prepare()
        rc = op.attempt(["strace", "-f", "-qq", "-o", log], {})
        op.settle(rc)
        if rc:
            raise Failed(f"{op.name}: undisturbed, yet exit status {rc}")
        return self.points(log, op.marker)

    def disturb(self, op, call, n, what):
        op.prepare()
        where = f"{op.name}, {call} {n}, {what}"
        rc = op.attempt(["strace", "-f", "-qq", "-o", "/dev/null", "-e", "trace=" + call, "-e", f"inject={call}:{what}:when={n}"], {})
        self.check(op, rc, where, killed="SIGKILL" in what)
        return rc

    def check(self, op, rc, where, killed=False, crashed=None):
        """A crash inside a library that does not survive a failed allocation is counted, and what must hold must hold then, too."""
        try:
            if rc < 0 and not crashed and not (killed and rc == -signal.SIGKILL):
                raise Failed(f"ended by signal {-rc}")
            if rc > 0 and not crashed and not op.acceptable(rc):
                raise Failed(f"exit status {rc}")
            if rc > 0 and not op.said.strip() and not killed:
                raise Failed(f"exit status {rc} without a word")
            op.settle(rc)
        except Failed as e:
            raise Failed(f"{where}: {e}\n{op.said}") from None

    def kill(self, op, extra):
        chosen, killed = self.choose(self.record(op), extra), 0
        for call, n in chosen:
            killed += self.disturb(op, call, n, "signal=SIGKILL") == -signal.SIGKILL
            self.kinds.add(call)
        if not killed:
            raise Failed("nothing was killed")
        return f"{killed} killed"

    def starve(self, op, extra):
        points = [(c, n, e) for c, n in self.record(op) for e in ERRORS.get(c, [])]
        seen, self.kinds = self.kinds, set(ERRORS)
        chosen, self.kinds = self.choose(points, extra), seen
        results = [self.disturb(op, c, n, "error=" + e) for c, n, e in chosen]
        return f"{len(results)} errors, {sum(r != 0 for r in results)} of them ended it"

    def orders(self, countdown=0, half=0):
        self.control[:24] = struct.pack("=qqq", countdown, 0, half)

    def allocations(self):
        return struct.unpack("=qqq", self.control[:24])[1]

    def shim_env(self):
        return {"LD_PRELOAD": self.shim, "FAULT_CONTROL": self.control_path}

    def hunger(self, op, extra):
        """The nth allocation fails."""
        op.prepare()
        self.orders()
        op.settle(op.attempt([], self.shim_env()))
        total = self.allocations()
        numbers = range(1, total + 1) if self.long else sorted(self.random.sample(range(1, total + 1), min(extra, total)))
        ended, libraries = 0, {}
        for n in numbers:
            op.prepare()
            self.orders(countdown=n)
            rc = op.attempt([], self.shim_env())
            self.orders()
            library = self.culprit(op, n) if rc in (-signal.SIGSEGV, -signal.SIGABRT) else None
            if rc == 127 and "thread-local data" in op.said:  # the loader's own end
                library = "ld.so"
            if library:
                libraries[library] = libraries.get(library, 0) + 1
            self.check(op, rc, f"{op.name}, allocation {n} of {total}", crashed=library)
            ended += rc != 0
        return f"{len(numbers)} of {total} allocations failed, {ended} ended it{self.named(libraries)}"

    def halves(self, op):
        op.prepare()
        self.orders(half=1)
        rc = op.attempt([], self.shim_env())
        self.orders()
        self.check(op, rc, f"{op.name}, short writes and reads")
        if rc:
            raise Failed(f"{op.name}: short writes and reads: {rc}\n{op.said}")
        return "half of each"

    # ---- recryptd, while the tool asks it ----
    def service_points(self, op):
        log = os.path.join(self.w.folder, "strace.log")
        op.prepare()
        tracer = self.w.attach(["-o", log, "-f"])
        rc = op.attempt([], {})
        self.w.detach(tracer)
        op.settle(rc)
        return self.points(log, "")

    def service_disturb(self, op, call, n, what):
        op.prepare()
        tracer = self.w.attach(["-f", "-o", "/dev/null", "-e", "trace=" + call, "-e", f"inject={call}:{what}:when={n}"])
        rc = op.attempt([], {})
        self.w.detach(tracer)
        dead = self.w.died()
        where = f"recryptd during {op.name}, {call} {n}, {what}"
        if dead is not None:
            if dead < 0 and not (dead == -signal.SIGKILL and "SIGKILL" in what):
                raise Failed(f"{where}: recryptd ended by signal {-dead}\n{self.w.service_log()}")
            self.w.service_start()
        self.check(op, rc, where)
        return dead

    def service_kill(self, op, extra):
        killed = 0
        for call, n in self.choose(self.service_points(op), extra):
            killed += self.service_disturb(op, call, n, "signal=SIGKILL") is not None
            self.kinds.add(call)
        if not killed:
            raise Failed("nothing was killed")
        return f"{killed} killed"

    def service_starve(self, op, extra):
        points = [(c, n, e) for c, n in self.service_points(op) for e in ERRORS.get(c, [])]
        seen, self.kinds = self.kinds, set(ERRORS)
        chosen, self.kinds = self.choose(points, extra), seen
        gone = sum(self.service_disturb(op, c, n, "error=" + e) is not None for c, n, e in chosen)
        return f"{len(chosen)} errors, {gone} of them ended recryptd"

    def service_hunger(self, op, extra):
        op.prepare()
        self.orders()
        op.settle(op.attempt([], {}))
        total = self.allocations()
        numbers = range(1, total + 1) if self.long else sorted(self.random.sample(range(1, total + 1), min(extra, total)))
        gone, libraries = 0, {}
        for n in numbers:
            op.prepare()
            self.orders(countdown=n)
            rc = op.attempt([], {})
            self.orders()
            where = f"recryptd during {op.name}, allocation {n} of {total}"
            dead = self.w.died()
            if dead is not None:
                library = self.library(self.w.service_log(60).rpartition("crash:")[2])
                if dead < 0 and not library:
                    raise Failed(f"{where}: recryptd ended by signal {-dead}\n{self.w.service_log()}")
                if dead < 0:
                    libraries[library] = libraries.get(library, 0) + 1
                gone += 1
                self.w.service_start()
            self.check(op, rc, where)
        return f"{len(numbers)} of {total} allocations failed, {gone} ended recryptd{self.named(libraries)}"


def main(build, folder, shim, seed, long=""):
    f = Faults(build, folder, shim, int(seed), bool(long))
    w = f.w
    print(f"# seed {seed}{', long form' if long else ''}")
    more = 2
    try:
        w.setup()
        w.service_start()
        agents = [Deliver(w), Lmtp(w)]
        tools = [Personal(w), Newgroup(w), Add(w), Remove(w), Rekey(w), Decrypt(w), Replace(w), Open(w)]
        for op in agents + tools:
            f.test(f"{op.name}: killed at any system call", lambda: f.kill(op, more))
        kinds = len(f.kinds)
        for op in tools[2:5]:
            f.test(f"recryptd killed at any system call during {op.name}", lambda: f.service_kill(op, more))
        print(f"# {kinds} kinds of system calls in recrypt-lda and recrypt, {len(f.kinds)} with recryptd's")
        w.service_stop()
        w.service_start(sandbox=False)
        for op in agents + tools:
            op.sandbox = False
            f.test(f"{op.name}: errors of system calls", lambda: f.starve(op, more))
        for op in tools[2:5]:
            f.test(f"recryptd: errors of system calls during {op.name}", lambda: f.service_starve(op, more))
        w.service_stop()
        w.service_start(sandbox=True)
        for op in agents + tools:
            op.sandbox = True
            f.test(f"{op.name}: the nth allocation fails", lambda: f.hunger(op, 2 * more))
        for op in agents + tools:
            f.test(f"{op.name}: short writes and reads", lambda: f.halves(op))
        w.service_stop()
        w.service_start({**f.shim_env(), "FAULT_TRACE": "1"})
        for op in tools[2:5]:
            f.test(f"recryptd: the nth allocation fails during {op.name}", lambda: f.service_hunger(op, 2 * more))
        w.service_stop()
        f.test("the key store is sound after all of it", w.sound)
    finally:
        w.service_stop()
    for line in f.ledger:
        print("# " + line)
    print(f"1..{f.tests}")
    return 1 if f.failed else 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
