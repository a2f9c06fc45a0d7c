#!/usr/bin/env python3
"""rounds.py - what bench.sh measures with.

  mail OCTETS          a message of about that size on standard output
  whole FILE           the two-part encrypted message FILE as one application/jose+json part
  measure T BUILD [PART]
                       in the world that bench.sh has set up in T: each line "name value unit ratio", what is behind "#"
                       explains, and at the end a verdict on each target

All variants of a measurement run in each round, in an order that alternates; value is the median of the rounds, ratio the
median of the ratios within one round."""
import base64
import email.policy
import json
import os
import random
import smtplib
import statistics
import subprocess
import sys
import time

ROUNDS = 9
verdicts = []


def report(name, values, unit, peer, digits=1):
    """values: {variant: [one for each round]}; the first is ours, peer names the one to compare with."""
    ours = next(iter(values))
    ratios = [a / b for a, b in zip(values[ours], values[peer])]
    quartiles = statistics.quantiles(ratios, n=4)
    ratio = statistics.median(ratios)
    print(f"{name} {statistics.median(values[ours]):.{digits}f} {unit} {ratio:.3f}")
    print("#   " + ", ".join(f"{k} {statistics.median(v):.{digits}f}" for k, v in values.items()) +
          f"; {len(ratios)} rounds, ratio's quartiles {quartiles[0]:.3f} {quartiles[2]:.3f}", flush=True)
    return ratio


def verdict(name, text, met):
    verdicts.append(f"{name}: {text}: {'met' if met else 'NOT MET'}")


def rounds(variants, n=ROUNDS):
    """{name: callable} -> {name: [value]}. One run of each beforehand does not count."""
    values = {name: [] for name in variants}
    names = list(variants)
    for name in names:
        variants[name]()
    for i in range(n):
        turn = names[i % len(names):] + names[:i % len(names)]
        for name in turn if i // len(names) % 2 == 0 else reversed(turn):
            values[name].append(variants[name]())
    return values


def run(*command, **more):
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL, **more)


# ---- Postfix ----

class World:
    def __init__(self, folder, build):
        self.t, self.build = folder, build
        self.domain = f"{folder}/example.com"
        self.queue = [f"{self.domain}/postfix/queue/{q}" for q in ("maildrop", "incoming", "active", "deferred")]

    def port(self, name):
        return os.environ[name]

    def drained(self):
        """Waits until Postfix has delivered everything."""
        limit = time.monotonic() + 60
        empty = 0
        while empty < 2:  # a file may move on between two looks
            empty = 0 if any(os.listdir(q) for q in self.queue[:3]) else empty + 1
            if time.monotonic() > limit:
                raise RuntimeError("Postfix's queue does not get empty")
            if not empty:
                time.sleep(0.0005)

    def check_deferred(self):
        if any(files for _, _, files in os.walk(self.queue[3])):
            raise RuntimeError("Postfix deferred messages")


def send(port, recipient, text):
    host, number = port.split(":")
    with smtplib.SMTP(host, int(number), timeout=120) as s:
        s.sendmail("sender@example.net", [recipient], text)


def milter(w):
    with open(f"{w.t}/plain.eml", "rb") as f, open(f"{w.t}/plain-lf.eml", "wb") as out:
        out.write(f.read().replace(b"\r\n", b"\n"))  # smtp-source adds the CR

    def sending(port, to):
        def one():
            start, n = time.monotonic(), 1000
            run("smtp-source", "-d", "-s", "10", "-m", str(n), "-f", "sender@example.net", "-t", to, "-F",
                f"{w.t}/plain-lf.eml", w.port(port))
            w.drained()
            return n / (time.monotonic() - start)
        return one
    for name, to in (("milter_ordinary", "someone@example.net"), ("milter_ordinary_discard", "someone@discard.example")):
        v = rounds({"recrypt-milter": sending("OURS", to), "none": sending("PLAIN", to), "no-op milter": sending("NOOP", to)})
        ratio = report(name, v, "messages/s", "none", 0)
        noop = statistics.median(a / b for a, b in zip(v["recrypt-milter"], v["no-op milter"]))
        print(f"#   beside the no-op milter: {noop:.3f}", flush=True)
        if name == "milter_ordinary":
            verdict(name, f"{ratio:.3f} of no milter, wanted 0.85", ratio >= 0.85)
        verdict(name, f"{noop:.3f} of a no-op milter, wanted above 1", noop > 1)
    w.check_deferred()


# ---- lists ----

def lists(w):
    members = 50

    def gpg(*how):
        def one():
            start = time.monotonic()
            for i in range(1, members + 1):
                run("gpg", "--batch", "--quiet", "--trust-model", "always", "-u", "list@example.com", "-r", f"m{i}@example.net",
                    "-o", "-", *how, f"{w.t}/plain.eml")
            return (time.monotonic() - start) * 1000 / members
        return one

    def through(name, times, count):
        with open(f"{w.t}/{name}.eml", "rb") as f:
            text = f.read()

        def one():
            spent = 0
            for _ in range(times):
                start = time.monotonic()
                send(w.port("OURS"), f"{name}@example.com", text)
                w.drained()
                spent += time.monotonic() - start
            return spent * 1000 / count / times
        return one
    v = rounds({"inline": through("list", 5, members), "copies": through("copies", 1, members + 1), "gpg": gpg("-s", "-e"),
                "gpg unsigned": gpg("-e")})
    w.check_deferred()
    for name, key, limit in (("list_inline_50", "inline", 0.05), ("list_copies_50", "copies", 0.3)):
        ratio = report(name, {k: v[k] for k in (key, "gpg", "gpg unsigned")}, "ms/recipient", "gpg", 3)
        unsigned = statistics.median(a / b for a, b in zip(v[key], v["gpg unsigned"]))
        print(f"#   beside gpg that does not sign: {unsigned:.3f}", flush=True)
        verdict(name, f"{ratio:.3f} of gpg once per member, wanted at most {limit}", ratio <= limit)


# ---- delivery ----

def lda(w):
    ours = f"{w.domain}/mail"
    sockets = {"recrypt-lda": f"{w.domain}/lda/lmtp.sock", "dovecot": f"{w.t}/dovecot-plain/run/lmtp",
               "dovecot mail_crypt": f"{w.t}/dovecot-crypt/run/lmtp"}
    stores = {"recrypt-lda": ours, "dovecot": f"{w.t}/dovecot-plain/mail", "dovecot mail_crypt": f"{w.t}/dovecot-crypt/mail"}

    def clean(store):
        """Takes the messages away and leaves the mailboxes."""
        n = 0
        for folder, _, files in os.walk(store):
            if os.path.basename(folder) == "new":
                n += len(files)
                for f in files:
                    os.unlink(f"{folder}/{f}")
        return n

    def delivering(name, again):
        def one():
            n = 300
            start = time.monotonic()
            run(f"{w.build}/test/bench/lmtp-load", sockets[name], "10", str(n), str(int(again)), "c%d@example.com",
                f"{w.t}/expanded.eml")
            spent = time.monotonic() - start
            if clean(stores[name]) != n:
                raise RuntimeError(f"{name} did not deliver all messages")
            return n / spent
        return one
    expand(w, f"{w.t}/local.eml", f"{w.t}/expanded.eml")
    for name, again in (("lda_maildir", True), ("lda_maildir_connect", False)):
        v = rounds({k: delivering(k, again) for k in sockets})
        ratio = report(name, v, "deliveries/s", "dovecot", 0)
        crypt = statistics.median(a / b for a, b in zip(v["recrypt-lda"], v["dovecot mail_crypt"]))
        print(f"#   beside Dovecot with mail_crypt: {crypt:.3f}", flush=True)
        verdict(name, f"{ratio:.3f} of Dovecot, wanted 0.8", ratio >= 0.8)
        verdict(name, f"{crypt:.3f} of Dovecot with mail_crypt, wanted above 1", crypt > 1)


def expand(w, sealed, out):
    """The message as it leaves the milter: with the list's 64 grants, made up here; recrypt-lda replaces them all."""
    with open(sealed, "rb") as f:
        m = email.message_from_bytes(f.read(), policy=email.policy.SMTP)
    part = m.get_payload()[0]
    jwe = json.loads(part.get_payload(decode=True))
    b64 = lambda n: base64.urlsafe_b64encode(random.randbytes(n)).rstrip(b"=").decode()
    tag, value = 16, 32
    jwe["recipients"][0].setdefault("header", {})["grants"] = [{"t": b64(tag), "u": b64(value)} for _ in range(64)]
    if part["Content-Transfer-Encoding"] == "base64":
        part.set_payload(base64.encodebytes(json.dumps(jwe).encode()).decode())
    else:
        part.set_payload(json.dumps(jwe, separators=(",\r\n", ":")) + "\r\n")
    with open(out, "wb") as f:
        f.write(m.as_bytes())


# ---- memory ----

def memory(w):
    for name, file in (("milter_memory", "two-part.eml"), ("milter_memory_whole", "whole.eml")):
        size = os.path.getsize(f"{w.t}/{file}")
        peaks = [peak(w, file) for _ in range(3)]
        worst = max(peaks)
        print(f"{name} {worst / 1e6:.1f} MB {worst / size:.3f}")
        print(f"#   a message of {size / 1e6:.1f} MB; idle {idle(w) / 1e6:.1f} MB; peaks " +
              " ".join(f"{p / 1e6:.1f}" for p in peaks), flush=True)
        verdict(name, f"{worst / size:.3f} times the message, wanted at most 2.5", worst <= 2.5 * size)


def start_milter(w):
    path = f"{w.domain}/milter/memory.sock"
    if os.path.exists(path):
        os.unlink(path)
    with open(os.environ["MILTER_CONF"]) as f, open(f"{w.t}/memory.conf", "w") as out:
        out.writelines(f'socket = "unix:{path}"\n' if line.startswith("socket =") else line for line in f)
    p = subprocess.Popen([f"{w.build}/recrypt-milter", "-f", "-c", f"{w.t}/memory.conf"], stdout=subprocess.DEVNULL,
                         stderr=subprocess.DEVNULL)
    while not os.path.exists(path):
        time.sleep(0.01)
    return p


def resident(pid):
    with open(f"/proc/{pid}/status") as f:
        return next(int(line.split()[1]) * 1024 for line in f if line.startswith("VmHWM"))


def idle(w):
    p = start_milter(w)
    try:
        return resident(p.pid)
    finally:
        p.terminate()
        p.wait()


def peak(w, file):
    """Peak resident memory of a fresh recrypt-milter that one message went through."""
    p = start_milter(w)
    try:
        with open(f"{w.t}/{file}", "rb") as f:
            send(w.port("MEMORY"), "list@example.com", f.read())
        w.drained()
        return resident(p.pid)
    finally:
        p.terminate()
        p.wait()


# ---- parts ----

def recrypt(w):
    out = subprocess.run([f"{w.build}/test/bench/bench-grants"], check=True, capture_output=True, text=True).stdout
    print(out, end="", flush=True)
    ratio = float(out.split()[3])
    verdict("recrypt_x25519", f"{ratio:.3f} of EVP_PKEY_derive, wanted 0.85", ratio >= 0.85)


def mail(octets):
    text = random.Random(1)
    words = "list member key message service grant secret delivery archive server queue answer".split()
    head = ("From: Alice <alice@example.com>\r\nTo: list@example.com\r\nSubject: A benchmark\r\n"
            "Date: Thu, 01 Jan 2026 00:00:00 +0000\r\nMessage-ID: <1@example.net>\r\nMIME-Version: 1.0\r\n"
            "Content-Type: text/plain; charset=us-ascii\r\n\r\n")
    lines = [" ".join(text.choice(words) for _ in range(9)) + "\r\n" for _ in range(500)]
    sys.stdout.write(head)
    size = len(head)
    while size < octets:
        line = text.choice(lines)
        sys.stdout.write(line)
        size += len(line)


def whole(path):
    with open(path, "rb") as f:
        m = email.message_from_bytes(f.read())
    first, second = m.get_payload()
    jwe = json.loads(first.get_payload(decode=True))
    jwe["ciphertext"] = base64.urlsafe_b64encode(second.get_payload(decode=True)).rstrip(b"=").decode()
    out = sys.stdout.buffer
    for name, value in m.items():
        if not name.lower().startswith("content-"):
            out.write(f"{name}: {value}\r\n".encode())
    out.write(b"Content-Type: application/jose+json\r\nContent-Transfer-Encoding: base64\r\n\r\n")
    out.write(base64.encodebytes(json.dumps(jwe).encode()).replace(b"\n", b"\r\n"))


def measure(folder, build, only=None):
    w = World(folder, build)
    for name, part in {"recrypt": recrypt, "milter": milter, "list": lists, "lda": lda, "memory": memory}.items():
        if only in (None, name):
            part(w)
    print("# targets")
    for v in verdicts:
        print("# " + v)


if __name__ == "__main__":
    args = sys.argv[2:]
    if sys.argv[1] == "mail":
        sys.stdout.reconfigure(newline="")
        mail(int(args[0]))
    elif sys.argv[1] == "whole":
        whole(args[0])
    else:
        measure(*args)
