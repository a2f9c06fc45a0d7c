#!/usr/bin/python3
"""faults.py BUILD FOLDER SHIM SEED [long]: kills and starves the programs at their system calls and allocations; prints TAP.

Of one undisturbed run the system calls are recorded (strace). Then the run is repeated, each time with one of them the last one
(SIGKILL as it begins), or failing with an error. Or one allocation fails (shim.c): of all those with the same call stack the first.
After each, what must hold is checked, and the work is done again to its end. Short form: some of them, chosen by SEED, each kind
of call at least once. Long: all, by two processes with a world each, of which either does every other one.

In the environment: ONLY=text, only the tests with that in their name; MINUTES=90, the time after which the errors and allocations
that are left are no longer all tried, but as many of each test's, taken at random, as its share of the time allows; MANY=400, the
errors of a test that each process tries at most, taken evenly (0: all).
"""
import mmap, multiprocessing, os, random, re, signal, struct, sys, time

from ops import Add, Decrypt, Deliver, Lmtp, Newgroup, Open, Personal, Rekey, Remove, Replace, Start
from world import Failed, World

# What a call can return that a full disk, a dying disk, a busy machine or a lost peer make of it.
# Not epoll_ctl: only adding can fail for lack of memory, and strace cannot tell it from changing and removing. So with fcntl:
# what is asked for most, flags, cannot be refused. And brk has no error number: it answers with an address, whatever happens.
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
    "getsockopt": ["ENOBUFS"], "socketpair": ["EMFILE"], "eventfd2": ["EMFILE"], "access": ["EIO", "EACCES"], "faccessat2": ["EIO"],
    "mmap": ["ENOMEM"], "mprotect": ["ENOMEM"], "readlinkat": ["EIO"], "readlink": ["EIO"], "getcwd": ["ENOMEM"],
    "setsockopt": ["ENOBUFS"], "getsockname": ["ENOBUFS"], "getpeername": ["ENOBUFS"], "shutdown": ["ENOTCONN"], "bind": ["EADDRINUSE"],
    "listen": ["EADDRINUSE"], "clone3": ["EAGAIN"], "clone": ["EAGAIN"], "setgroups": ["EPERM"], "setgid": ["EPERM"],
    "setuid": ["EAGAIN"], "setresgid": ["EPERM"], "setresuid": ["EAGAIN"], "prctl": ["EINVAL"], "seccomp": ["EINVAL", "ENOMEM"],
    "signalfd4": ["EMFILE"], "fchown": ["EPERM"], "chown": ["EPERM"], "dup2": ["EBADF"], "statfs": ["EIO"]}
# What leaves a trace: of these some are tried in each command, again and again.
LASTING = {"openat", "write", "pwrite64", "fsync", "fdatasync", "rename", "renameat", "link", "linkat", "unlink", "unlinkat", "mkdir",
           "sendto", "sendmsg", "recvfrom", "exit_group", "fchmod"}
# Not to be refused: what a library asks the kernel about, and the octet by which libevent tells itself of a signal: a pipe that does
# not block cannot be interrupted.
NEVER = re.compile(r'prctl\(PR_CAPBSET_READ|write\(\d+, "\\17", 1\)')
HEAD, ROOM = 48, 60000  # of shim.c's struct control: octets, call stacks
PARTS = 2
MANY = int(os.environ.get("MANY", 400))
RUN = "allocations in a run"  # the same in each part
STARVED, HUNGRY = "errors of system calls", "an allocation fails"


class Faults:
    """One process's share of it: part 0 of 1, or of PARTS."""

    def __init__(self, build, folder, shim, seed, long, part):
        self.w = World(build, folder)
        self.long, self.shim = long, shim
        self.part, self.parts = part, PARTS if long else 1
        self.random = random.Random(seed)
        self.control_path = os.path.join(folder, "control")
        with open(self.control_path, "wb") as f:
            f.truncate(HEAD + 8 * ROOM)
        os.chmod(self.control_path, 0o666)
        f = open(self.control_path, "r+b")
        self.control = mmap.mmap(f.fileno(), 0)
        self.kinds = set()   # of calls that were the last one of some process
        self.results = []    # (test, what was counted, faults, seconds)
        self.end = time.time() + 60 * float(os.environ.get("MINUTES", 90))

    @staticmethod
    def wanted(name):
        return os.environ.get("ONLY", "") in name

    def test(self, name, what):
        if not self.wanted(name):
            return
        began, counted, faults = time.time(), {}, []
        try:
            if self.long and self.w.service:
                self.w.renew()
            counted, faults = what()
        except Failed as e:
            faults = [str(e)]
        self.results.append((name, counted, faults, time.time() - began))
        print(f"# {'not ' if faults else ''}ok: {name}{f', part {self.part + 1}' if self.long else ''}: {said(counted)}",
              *faults, sep="\n#   ", flush=True)

    def each(self, items, what, end=None):
        """What it returns for each of them, until that time, and what went wrong."""
        results, faults = [], []
        for item in items:
            if end and time.time() > end:
                break
            try:
                results.append(what(*item))
            except Failed as e:
                faults.append(str(e))
                if len(faults) == 10:
                    break
                try:
                    self.w.revive()
                except Failed as e:  # what came first says why
                    faults.append(str(e))
                    break
        return results, faults

    def turn(self):
        """When a test's share of the time is over that begins now."""
        share = max(0, self.end - time.time()) / max(1, self.turns)
        self.turns -= 1
        return time.time() + share

    # ---- choosing ----
    def choose(self, points, extra):
        """Of (call, n, ...): all; or each kind not seen yet, some of the lasting kinds, and some more."""
        if self.long:
            return points[self.part::self.parts]
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
            if on and m[2] not in ("rt_sigreturn", "execve") and not NEVER.search(line):
                out.append((m[2], count[m[2]]))
        return out

    # ---- what may crash ----
    @staticmethod
    def owner(frames):
        """Whose a call stack is: the innermost frame that is neither the C library's nor the loader's, but its name service counts;
        OpenSSL's only where it makes a key derivation's context (3.0 uses what it did not get). What OpenSSL itself calls is our
        allocator (secret_openssl), which stands for it."""
        frames = [os.path.basename(line) for line in frames.splitlines()]
        for line, caller in zip(frames, frames[1:] + [""]):
            name, _, function = line.partition("(")
            if caller.startswith("libcrypto.so") and not name.startswith("lib"):
                continue
            if name.startswith("libc.so") and re.match(r"getpw|getgr|initgroups|__nss_|_nss_", function):
                return "glibc's name service"
            if name.startswith("libcrypto.so") and function.startswith("EVP_KDF_CTX_new+"):
                return "OpenSSL's EVP_KDF_CTX_new"
            if name.startswith("libcrypto.so") and re.match(r"\+|CRYPTO_[mz]alloc\+", function):
                continue
            if name and not name.startswith(("shim.so", "libc.so", "linux-vdso", "ld-linux")):
                return "libconfuse" if name.startswith("libconfuse.so") else None
        return None

    def excuse(self, text):
        """A crash in a library that does not survive it when an allocation of its own fails: which, or None. That before there is a
        message, or, OpenSSL's, before there is a key."""
        failed, crash = text.rpartition("failed:\n")[2].split("crash:\n", 1) if "crash:\n" in text else ("", "")
        return self.owner(crash) if self.owner(crash) == self.owner(failed) else None

    def traced(self, op, orders):
        self.w.revive()
        op.prepare()
        self.orders(**orders)
        op.attempt([], {**self.shim_env(), "FAULT_TRACE": "1"})
        self.orders()
        return op.said

    # ---- one process: the tool, the delivery agent, recryptd as it starts ----
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
        log = os.path.join(self.w.folder, "strace.log")
        try:
            rc = op.attempt(["strace", "-f", "-qq", "-o", log, "-e", "trace=" + call, "-e", f"inject={call}:{what}:when={n}"], {})
        except Failed:
            if not self.spoilt(log):
                raise
            self.w.revive()
            return None
        self.check(op, rc, where, killed="SIGKILL" in what)
        return rc

    @staticmethod
    def spoilt(log):
        """The nth was another one this time, which is not to be refused: the run says nothing."""
        with open(log, errors="replace") as f:
            return any("(INJECTED)" in line and NEVER.search(line) for line in f)

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
        chosen = self.choose(self.record(op), extra)
        results, faults = self.each([(op, c, n, "signal=SIGKILL") for c, n in chosen], self.disturb)
        self.kinds.update(c for c, _ in chosen)
        killed = results.count(-signal.SIGKILL)
        return {"killed": killed}, faults if killed else faults + ["nothing was killed"]

    def starve(self, op, extra):
        points = [(c, n, e) for c, n in self.record(op) for e in ERRORS.get(c, [])]
        seen, self.kinds = self.kinds, set(ERRORS)
        chosen, self.kinds = self.choose(points, extra), seen
        chosen = chosen[::-(-len(chosen) // MANY) or 1] if MANY else chosen
        if self.long:
            self.random.shuffle(chosen)
        results, faults = self.each([(op, c, n, "error=" + e) for c, n, e in chosen], self.disturb, self.turn())
        results = [r for r in results if r is not None]
        return {"errors": (len(results), len(points) // self.parts), "of them ended it": sum(r != 0 for r in results)}, faults

    def unconfined(self, op):
        """What cannot confine itself must not go on."""
        chosen = [(op, c, n, "error=" + e) for c, n in self.record(op) if c in ("prctl", "seccomp") for e in ERRORS[c]]
        results, faults = self.each(chosen, self.disturb)
        if 0 in results or not results:
            faults.append(f"{op.name}: went on without its sandbox" if results else "it does not confine itself")
        return {"refusals": len(results), "of them ended it": sum(r != 0 for r in results)}, faults

    def orders(self, countdown=0, half=0, record=0, target=0):
        self.control[:HEAD] = struct.pack("=4q2Q", countdown, 0, half, record, 0, target)

    def sites(self, op, env):
        """The call stacks of an undisturbed run's allocations that are this part's, each with the first allocation's number; and how
        many allocations there were."""
        self.orders(record=1)
        rc = op.attempt([], env)
        total = struct.unpack("=2q", self.control[:16])[1]
        stacks = struct.unpack(f"={total}Q", self.control[HEAD:HEAD + 8 * total])
        self.orders()
        op.settle(rc)
        if rc:
            raise Failed(f"{op.name}: undisturbed, yet exit status {rc}")
        first = {}
        for n, stack in enumerate(stacks, 1):
            if stack % self.parts == self.part:
                first.setdefault(stack, n)
        return first, total

    def hunger(self, op, extra, prepare, env, attempt):
        """One allocation fails. What is allocated may differ from run to run: those that were not met by their number are tried
        again, by the call stack itself, which takes the program longer."""
        met, known, results, faults, total = set(), set(), [], [], 0
        end = self.turn()
        for turn in range(3 if self.long else 1):
            prepare()
            first, total = self.sites(op, env)
            known |= first.keys()
            left = sorted((n, stack) for stack, n in first.items() if stack not in met)
            self.random.shuffle(left)
            left = left if self.long else left[:extra]
            orders = [{"target": stack} if turn else {"countdown": n} for n, stack in left]
            more, wrong = self.each([(op, o, f"allocation {n} of {total}", met) for (n, _), o in zip(left, orders)], attempt, end)
            results += more
            faults += wrong
        counted = {"allocations failed": len(results), "call stacks": (len(met & known), len(known)),
                   "of them ended it": sum(ended for ended, _ in results), RUN: total}
        for _, library in results:
            if library:
                counted["crashed in " + library] = counted.get("crashed in " + library, 0) + 1
        return counted, faults

    def shim_env(self):
        return {"LD_PRELOAD": self.shim, "FAULT_CONTROL": self.control_path}

    def hit(self, met):
        stack = struct.unpack("=Q", self.control[32:40])[0]  # zero when none failed
        met.add(stack)
        self.orders()
        return stack

    def hungry(self, op, orders, which, met):
        op.prepare()
        self.orders(**orders)
        rc = op.attempt([], self.shim_env())
        stack = self.hit(met)
        library = None
        if rc in (-signal.SIGSEGV, -signal.SIGABRT):
            text = self.traced(op, {"target": stack})
            library = self.excuse(text)
            op.said = text
        elif rc == 127 and "cannot allocate memory for thread-local data: ABORT" in op.said:
            library = "the loader"
        self.check(op, rc, f"{op.name}, {which}", crashed=library)
        return rc != 0, library

    def halves(self, op):
        op.prepare()
        self.orders(half=1)
        rc = op.attempt([], self.shim_env())
        self.orders()
        self.check(op, rc, f"{op.name}, short writes and reads")
        return {}, [f"{op.name}: short writes and reads: {rc}\n{op.said}"] if rc else []

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
        chosen = self.choose(self.service_points(op), extra)
        results, faults = self.each([(op, c, n, "signal=SIGKILL") for c, n in chosen], self.service_disturb)
        self.kinds.update(c for c, _ in chosen)
        killed = sum(r is not None for r in results)
        return {"killed": killed}, faults if killed else faults + ["nothing was killed"]

    def service_starve(self, op, extra):
        points = [(c, n, e) for c, n in self.service_points(op) for e in ERRORS.get(c, [])]
        seen, self.kinds = self.kinds, set(ERRORS)
        chosen, self.kinds = self.choose(points, extra), seen
        if self.long:
            self.random.shuffle(chosen)
        results, faults = self.each([(op, c, n, "error=" + e) for c, n, e in chosen], self.service_disturb, self.turn())
        return {"errors": (len(results), len(points) // self.parts), "of them ended recryptd": sum(r is not None for r in results)}, faults

    def service_fresh(self, op):
        """In the long form each finds a recryptd that has just started: what is allocated but once is allocated then."""
        op.prepare()
        if self.long:
            self.w.service_stop()
            self.w.service_start()

    def service_hungry(self, op, orders, which, met):
        self.service_fresh(op)
        self.orders(**orders)
        rc = op.attempt([], {})
        self.hit(met)
        where = f"recryptd during {op.name}, {which}"
        dead, library = self.w.died(), None
        if dead is not None:
            library = self.excuse(self.w.service_log(80)) if dead < 0 else None
            if dead < 0 and not library:
                raise Failed(f"{where}: recryptd ended by signal {-dead}\n{self.w.service_log(80)}")
            self.w.service_start()
        self.check(op, rc, where)
        return dead is not None, library

    # ---- all of it ----
    def run(self):
        w, more = self.w, 2
        try:
            w.setup()
            w.service_start()
            agents = [Deliver(w), Lmtp(w)]
            tools = [Personal(w), Newgroup(w), Add(w), Remove(w), Rekey(w), Decrypt(w), Replace(w), Open(w)]
            start, asked = Start(w), tools[2:5]
            timed = [f"{op.name}: {what}" for op in agents + tools + [start] for what in (STARVED, HUNGRY)]
            timed += [f"recryptd: {what} during {op.name}" for op in asked for what in (STARVED, HUNGRY)]
            self.turns = sum(map(self.wanted, timed))
            for op in agents + tools + [start]:
                self.test(f"{op.name}: killed at any system call", lambda: self.kill(op, more))
            for op in asked:
                self.test(f"recryptd killed at any system call during {op.name}", lambda: self.service_kill(op, more))
            for op in agents + [start]:
                self.test(f"{op.name}: not confined, it ends", lambda: self.unconfined(op))
            w.service_stop()
            w.service_start(sandbox=False)
            for op in agents + tools + [start]:
                op.sandbox = False
                self.test(f"{op.name}: {STARVED}", lambda: self.starve(op, more))
            for op in asked:
                self.test(f"recryptd: {STARVED} during {op.name}", lambda: self.service_starve(op, more))
            w.service_stop()
            w.service_start(sandbox=True)
            for op in agents + tools + [start]:
                op.sandbox = True
                self.test(f"{op.name}: {HUNGRY}",
                          lambda: self.hunger(op, 2 * more, op.prepare, self.shim_env(), self.hungry))
            for op in agents + tools:
                self.test(f"{op.name}: short writes and reads", lambda: self.halves(op))
            w.service_stop()
            w.service_start({**self.shim_env(), "FAULT_TRACE": "1"})
            for op in asked:
                self.test(f"recryptd: {HUNGRY} during {op.name}",
                          lambda: self.hunger(op, 2 * more, lambda: self.service_fresh(op), {}, self.service_hungry))
            w.service_stop()
            self.test("the key store is sound after all of it", lambda: ({w.sound(): 1}, []))
        finally:
            w.service_stop()
        return self.results, self.kinds


def said(counted):
    return ", ".join(f"{' of '.join(map(str, n)) if isinstance(n, tuple) else n} {what}" for what, n in counted.items())


def add(sums, counted):
    for what, n in counted.items():
        if isinstance(n, tuple):
            sums[what] = tuple(map(sum, zip(n, sums.get(what, (0,) * len(n)))))
        else:
            sums[what] = sums.get(what, 0) + n


def share(build, folder, shim, seed, long, part):
    folder = os.path.join(folder, str(part))
    os.mkdir(folder)
    try:
        return Faults(build, folder, shim, seed, long, part).run()
    except Failed as e:
        return [(f"the world, part {part + 1}", {}, [str(e)], 0)], set()


def merge(shares):
    """{test: [what was counted, faults, seconds]} of all parts."""
    whole = {}
    for results, _ in shares:
        for name, counted, faults, seconds in results:
            entry = whole.setdefault(name, [{}, [], 0])
            same = entry[0].pop(RUN, 0)
            add(entry[0], counted)
            if RUN in counted:
                entry[0][RUN] = max(same, counted[RUN])
            entry[1] += faults
            entry[2] = max(entry[2], seconds)
    return whole


def main(build, folder, shim, seed, long=""):
    seed, long, began = int(seed), bool(long), time.time()
    print(f"# seed {seed}{', long form' if long else ''}", flush=True)
    if long:
        with multiprocessing.Pool(PARTS) as pool:
            shares = pool.starmap(share, [(build, folder, shim, seed, long, part) for part in range(PARTS)])
    else:
        shares = [share(build, folder, shim, seed, long, 0)]
    tests, sums = merge(shares), {}
    for i, (name, (counted, faults, seconds)) in enumerate(tests.items(), 1):
        print(f"{'not ' if faults else ''}ok {i} - faults: {name}")
        for line in "\n".join(faults).splitlines():
            print("#   " + line)
        add(sums, counted)
    print("# ledger")
    for name, (counted, _, seconds) in tests.items():
        print(f"# {name}: {said(counted)} ({seconds:.0f} s)")
    print(f"# in all: {said(sums)}; {len(set().union(*(k for _, k in shares)))} kinds of system calls were a process's last; "
          f"{time.time() - began:.0f} s")
    print(f"1..{len(tests)}")
    return 1 if any(faults for _, faults, _ in tests.values()) else 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
