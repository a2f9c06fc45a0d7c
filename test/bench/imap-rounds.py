#!/usr/bin/env python3
"""imap-rounds.py FOLDER: recrypt-imapfilter beside straight Dovecot, in what imap.sh has set up. Ports, by name, and
processes in the environment. Prints as rounds.py does.

  imap-rounds.py mailbox MAILDIR N OCTETS    fills a Maildir
  imap-rounds.py copies MAILDIR N FILE...    the same with these messages, again and again
  imap-rounds.py backend PORT                an IMAP server for any number of sessions that are idle, in one process"""
import io
import os
import resource
import select
import socket
import statistics
import subprocess
import sys
import time

import rounds
from rounds import report, verdict

sys.path.insert(0, os.path.join(os.path.dirname(__file__), "../integration"))
from imapwire import Wire, context

USER, BOX, OURS = "u10@example.com", 2000, "recrypt-imapfilter"
relays = []


def maildir(folder):
    for d in ("cur", "new", "tmp"):
        os.makedirs(f"{folder}/{d}", exist_ok=True)


def copies(folder, n, *files):
    """A Maildir of these messages, one after the other and again, until there are n."""
    maildir(folder)
    texts = [open(f, "rb").read() for f in files]
    for i in range(int(n)):
        with open(f"{folder}/new/{1767225600 + i}.M{i}.host", "wb") as f:
            f.write(texts[i % len(texts)])


def mailbox(folder, n, octets):
    maildir(folder)
    sys.stdout = out = io.StringIO()
    rounds.mail(int(octets))
    sys.stdout = sys.__stdout__
    text = out.getvalue()
    for i in range(int(n)):
        with open(f"{folder}/new/{1767225600 + i}.M{i}.host", "w", newline="") as f:
            f.write(text.replace("<1@example.net>", f"<{i}@example.net>"))


def port(name):
    return os.environ["PORT_" + name]


def opened(name, user=USER):
    if name == "RELAY":
        relays.append(subprocess.Popen([f"{os.environ['BUILD']}/test/bench/imap-relay", port(name), port("DOVECOT")]))
    for _ in range(100):
        try:
            w = Wire(port(name), tls=context() if name.endswith("TLS") else None, timeout=120)
            break
        except ConnectionRefusedError:
            time.sleep(0.05)
    w.login(user)
    w.good(b"EXAMINE INBOX")
    return w


def gone(*connections):
    for w in connections:
        w.close()
    while relays:
        relays.pop().wait()


def drain(w, tag):
    """Reads up to the tagged answer and looks at nothing else; how much that was."""
    end, total, tail = b"\r\n" + tag + b" ", 0, b""
    buffer = bytearray(1 << 18)
    while end not in tail:
        n = w.s.recv_into(buffer)
        if not n:
            raise EOFError
        total += n
        tail = tail[-200:] + bytes(buffer[max(0, n - 400):n])
    if end + b"OK" not in tail:
        raise RuntimeError(tail)
    return total


def fetching(w):
    seen = []

    def one():
        w.n += 1
        tag = b"f%d" % w.n
        start = time.monotonic()
        w.send(tag + b" UID FETCH 1:* (UID FLAGS BODY.PEEK[])\r\n")
        seen.append(drain(w, tag))
        spent = time.monotonic() - start
        if abs(seen[-1] - seen[0]) > 20:  # the tagged answer tells how long it took
            raise RuntimeError(f"{seen[-1]} octets, before it was {seen[0]}")
        return BOX / spent
    return one


def ways(what, **names):
    """The same by several connections; what they are at the end is closed."""
    made = {name: opened(where) for name, where in names.items()}
    try:
        return rounds.rounds({name: what(w) for name, w in made.items()}, 15)
    finally:
        gone(*made.values())


def beside_relay(v):
    """What is lost to anything that stands between: no filter can be faster."""
    ratio = statistics.median(a / b for a, b in zip(v[OURS], v["bare relay"]))
    print(f"#   beside a relay that only copies: {ratio:.3f}", flush=True)


def fetch():
    v = ways(fetching, **{OURS: "FILTER", "dovecot": "DOVECOT", "bare relay": "RELAY"})
    ratio = report("imap_fetch", v, "messages/s", "dovecot", 0)
    beside_relay(v)
    verdict("imap_fetch", f"{ratio:.3f} of Dovecot, wanted 0.9", ratio >= 0.9)
    v = ways(fetching, **{OURS: "FILTER_TLS", "dovecot": "DOVECOT_TLS"})
    ratio = report("imap_fetch_tls", v, "messages/s", "dovecot", 0)
    verdict("imap_fetch_tls", f"{ratio:.3f} of Dovecot, wanted 0.8", ratio >= 0.8)


def noops(w, n=400):
    def one():
        took = []
        for _ in range(n):
            start = time.perf_counter()
            w.s.sendall(b"n NOOP\r\n")
            w.s.recv(4096)
            took.append(time.perf_counter() - start)
        return statistics.median(took) * 1e6
    return one


def placed(client, servers):
    """Where the processes run; a login process may have just ended."""
    for pid, where in [(0, client)] + [(p, servers) for p in latency_servers()]:
        try:
            for task in os.listdir(f"/proc/{pid}/task") if pid else ["0"]:
                os.sched_setaffinity(int(task), where)
        except (FileNotFoundError, ProcessLookupError):
            pass


def latency_servers():
    filters = [int(os.environ["PID_" + name]) for name in ("FILTER", "UNIX")]
    return filters + [r.pid for r in relays] + children(int(os.environ["PID_DOVECOT"]))


def latency_report(name, v, peer):
    """Ours beside the peer, and what is lost in microseconds."""
    ours = next(iter(v))
    ratio = report(name, v, "us", peer, 0)
    more = statistics.median(a - b for a, b in zip(v[ours], v[peer]))
    print(f"#   {more:.0f} us more than straight", flush=True)
    return ratio


def latency():
    """Three ways to share out two processors. The client's machine is never the server's: first it has one for itself. Then all are on
    one, which leaves nothing but what the processes cost. Then as the kernel likes: waking another virtual processor can take longer
    than everything else."""
    everywhere = os.sched_getaffinity(0)
    first, last = {min(everywhere)}, {max(everywhere)}
    plain = {OURS: "FILTER", "dovecot": "DOVECOT", "by a Unix socket": "UNIX", "bare relay": "RELAY"}
    secure = {OURS: "FILTER_TLS", "dovecot": "DOVECOT_TLS"}
    for name, ways, client, servers in (("imap_latency", plain, last, first), ("imap_latency_tls", secure, last, first),
                                        ("imap_latency_one", plain, first, first), ("imap_latency_one_tls", secure, first, first),
                                        ("imap_latency_free", plain, everywhere, everywhere),
                                        ("imap_latency_free_tls", secure, everywhere, everywhere)):
        made = {variant: opened(where) for variant, where in ways.items()}
        placed(client, servers)
        v = rounds.rounds({variant: noops(w) for variant, w in made.items()}, 31)
        gone(*made.values())
        ratio = latency_report(name, v, "dovecot")
        for other in list(v)[2:]:
            print(f"#   {other}: {statistics.median(a / b for a, b in zip(v[other], v['dovecot'])):.3f}", flush=True)
        if name == "imap_latency":
            verdict(name, f"{ratio:.3f} of Dovecot, wanted at most 1.5", ratio <= 1.5)
    placed(everywhere, everywhere)


# ---- grants ----

def grants():
    """A mailbox of BOX messages to one person, and one of as many to a list, where each takes two recryptions: the list's and the
    device's. The clock's time, beside the processor's of what recryptd does without anything around it."""
    device = os.environ["DEVICE"].encode()

    def asking(mailbox, each):
        w = Wire(port("GRANTS"), timeout=120)
        w.login("bob@example.com")
        w.good(b"EXAMINE " + mailbox)

        def one():
            start = time.monotonic()
            answers = w.good(b"UID XRECRYPT 1:* " + device)
            spent = time.monotonic() - start
            n = sum(a.count(b'"u":') for a in answers)
            if n != BOX * each:
                raise RuntimeError(f"{n} grants in {mailbox.decode()}")
            return n / spent
        return one

    def bare():
        out = subprocess.run([f"{os.environ['BUILD']}/test/bench/bench-grants", "1", "X25519"], check=True, capture_output=True, text=True).stdout
        return float(out.split()[1])
    v = rounds.rounds({OURS: asking(b"INBOX", 1), "of a list": asking(b"List", 2), "recrypt_x25519": bare})
    ratio = report("imap_grants", {OURS: v[OURS], "recrypt_x25519": v["recrypt_x25519"]}, "grants/s", "recrypt_x25519", 0)
    verdict("imap_grants", f"{ratio:.3f} of recrypt_x25519, wanted 0.25", ratio >= 0.25)
    report("imap_grants_list", {"of a list": v["of a list"], "recrypt_x25519": v["recrypt_x25519"]}, "grants/s", "recrypt_x25519", 0)


# ---- idle sessions ----

GREETING = b"* OK [CAPABILITY IMAP4rev1 LITERAL+ SASL-IR AUTH=PLAIN ID IDLE] ready\r\n"


def descriptors():
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))


def backend(number):
    """Dovecot needs a process for each session: this one needs a descriptor."""
    descriptors()
    listener, poll, open_ones, data = socket.create_server(("127.0.0.1", int(number)), backlog=4096), select.epoll(), {}, {}
    poll.register(listener, select.EPOLLIN)
    while True:
        for fd, _ in poll.poll():
            if fd == listener.fileno():
                s, _ = listener.accept()
                open_ones[s.fileno()], data[s.fileno()] = s, b""
                poll.register(s, select.EPOLLIN)
                s.sendall(GREETING)
                continue
            try:
                got = open_ones[fd].recv(4096)
            except ConnectionError:
                got = b""
            if not got:
                open_ones.pop(fd).close()
                continue
            *lines, data[fd] = (data[fd] + got).split(b"\r\n")
            for line in lines:
                tag, _, rest = line.partition(b" ")
                answer = {b"IDLE": b"+ idling\r\n", b"CAPABILITY": b"* CAPABILITY IMAP4rev1 LITERAL+ IDLE\r\n" + tag + b" OK done\r\n"}
                open_ones[fd].sendall(answer.get(rest.upper(), tag + b" OK done\r\n"))


def idlers(number, n):
    """Sessions in IDLE."""
    made = []
    for i in range(0, n, 50):
        some = [Wire(number, timeout=60) for _ in range(min(50, n - i))]
        for c in (b"l LOGIN u10@example.com secret", b"s SELECT INBOX", b"i IDLE"):
            for w in some:
                w.send(c + b"\r\n")
            for w in some:
                while not w.response().startswith((c[:1] + b" OK", b"+")):
                    pass
        made += some
    return made


def memory(pid, name):
    with open(f"/proc/{pid}/{'smaps_rollup' if name == 'Pss' else 'status'}") as f:
        return next(int(line.split()[1]) for line in f if line.startswith(name + ":"))


def children(pid):
    with open(f"/proc/{pid}/task/{pid}/children") as f:
        return [int(c) for c in f.read().split()]


def idle():
    """Kilobytes of resident memory a session; beside what one of Dovecot's processes has for its own."""
    descriptors()
    n, pid, dovecot = 5000, int(os.environ["PID_IDLE"]), int(os.environ["PID_DOVECOT"])
    before = memory(pid, "VmRSS")
    start = time.monotonic()
    made = idlers(port("IDLE"), n)
    spent = time.monotonic() - start
    each = (memory(pid, "VmRSS") - before) / n
    for w in made:
        w.close()
    made = idlers(port("DOVECOT"), 20)
    theirs = statistics.mean(memory(c, "Pss") for c in children(dovecot)
                             if open(f"/proc/{c}/comm").read() == "imap\n")
    for w in made:
        w.close()
    print(f"imap_idle {each:.1f} KB/session {each / theirs:.4f}")
    print(f"#   {n} sessions, idle {before} KB, opened in {spent:.1f} s; a process of Dovecot's {theirs:.0f} KB (proportional set)", flush=True)
    verdict("imap_idle", f"{each:.1f} KB a session, wanted at most 20", each <= 20)


PARTS = (fetch, latency, idle, grants)

if __name__ == "__main__":
    if sys.argv[1] in ("mailbox", "copies", "backend"):
        globals()[sys.argv[1]](*sys.argv[2:])
    else:
        for part in PARTS:
            part()
        print("# targets")
        for v in rounds.verdicts:
            print("# " + v)
