"""What is disturbed: each prepares, is tried once, and then settled: what must hold is checked, and the work done to its end."""
import base64, json, os, re, shutil, signal, subprocess

from world import LIST, TEXT, Failed

STRAY = re.compile(r"\.[A-Za-z0-9]{6}$|\.new$|\.[0-9a-f]{12}$")


def files(folder):
    return sorted(os.path.relpath(os.path.join(d, f), folder) for d, _, names in os.walk(folder) for f in names)


def no_strays(home):
    left = [f for f in files(home) if STRAY.search(f)]
    if left:
        raise Failed("left behind: " + ", ".join(left))


def keys(folder):
    return [f for f in files(folder) if f.endswith(".jwk")]


def sure(condition, text):
    if not condition:
        raise Failed(text)


class Op:
    sandbox = True
    said = ""

    def __init__(self, world):
        self.w, self.turn = world, 0

    def prepare(self):
        self.turn += 1

    def acceptable(self, rc):
        return 64 <= rc <= 78

    def use(self, home, *words, before, env, stdin=b"", out=None):
        rc, output, self.said = self.w.tool(home, *words, before=before, env=env, stdin=stdin, out=out)
        return rc


# ---- recrypt-lda ----
class Deliver(Op):
    """By pipe: an encrypted message for a member, with her grant."""
    name, marker = "recrypt-lda", "lda.conf"

    def prepare(self):
        super().prepare()
        shutil.rmtree(os.path.join(self.w.mail, "example.com"), ignore_errors=True)
        self.message = b"Received: by mx.example.com; fixed\r\n" + self.w.sealed

    def options(self):
        return ["-f", "alice@example.com", "-d", "bob@example.com", "-i", f"Q{self.turn}"]

    def attempt(self, before, env):
        rc, _, self.said = self.w.lda(self.options(), self.message, before, env, self.sandbox)
        return rc

    def acceptable(self, rc):
        return rc == 75

    def whole(self, who, low, high):
        there = self.w.box(who, "new")
        sure(low <= len(there) <= high, f"{len(there)} messages in {who}'s mailbox, wanted {low} to {high}")
        for f in there:
            with open(f, "rb") as m:
                data = m.read()
            sure(data == self.w.delivered.setdefault((self.name, who), data), f"{who}'s message is not whole: {len(data)} octets")

    def settle(self, rc):
        self.whole("bob", 1 if rc == 0 else 0, 1)
        again, _, err = self.w.lda(self.options(), self.message)
        sure(again == 0, f"the second try: {again} {err}")
        self.whole("bob", 1, 1)
        sure(not self.w.box("bob", "tmp"), "a file stays in tmp")


class Lmtp(Deliver):
    """A session with two recipients; the sender sends again to those who were not acknowledged."""
    name = "recrypt-lda --lmtp-stdio"
    people = ("bob", "frank")

    def session(self, people):
        data = re.sub(rb"(?m)^\.", b"..", self.message)
        return b"LHLO mx.example.com\r\nMAIL FROM:<alice@example.com>\r\n" + b"".join(
            b"RCPT TO:<%s@example.com>\r\n" % p.encode() for p in people) + b"DATA\r\n" + data + b".\r\nQUIT\r\n"

    def talk(self, people, *rest):
        rc, out, self.said = self.w.lda(["--lmtp-stdio"], self.session(people), *rest)
        # Greeting, LHLO, MAIL, one for each RCPT, DATA; then one for each recipient that was taken, in their order.
        answers = re.findall(r"^\d{3} .*", out.decode(), re.M)
        for a in answers:
            sure(not a.startswith("5"), "refused for good: " + a)
        taken = [p for p, a in zip(people, answers[3:]) if a.startswith("250 ")]
        at = 3 + len(people)
        ends = answers[at + 1:] if answers[at:at + 1] and answers[at].startswith("354 ") else []
        self.acknowledged = [p for p, a in zip(taken, ends) if a.startswith("250 ")]
        return rc

    def attempt(self, before, env):
        rc = self.talk(self.people, before, env, self.sandbox)
        self.said = self.said or "4.x"
        if rc == 0 and len(self.acknowledged) < 2:
            rc = 75
        return rc

    def settle(self, rc):
        for p in self.people:
            self.whole(p, 1 if p in self.acknowledged else 0, 1)
        rest = [p for p in self.people if p not in self.acknowledged]
        if rest:
            self.talk(rest)
            sure(self.acknowledged == rest, f"the second try: {self.acknowledged} of {rest}: {self.said}")
        for p in self.people:
            self.whole(p, 1, 1)
            sure(not self.w.box(p, "tmp"), "a file stays in tmp")


# ---- recrypt: keys and lists ----
class Personal(Op):
    name, marker = "recrypt personal", "recrypt.conf"

    def prepare(self):
        super().prepare()
        self.home, self.address = self.w.home("new"), f"p{os.urandom(4).hex()}@example.com"

    def attempt(self, before, env):
        return self.use(self.home, "personal", self.address, before=before, env=env)

    def settle(self, rc):
        if rc == 0:
            self.w.must(self.w.copy(self.w.bob, "other"), "key", self.address)
        printed = self.w.must(self.home, "personal", self.address)[1].split()[0]
        known = self.w.must(self.w.copy(self.w.bob, "other"), "key", self.address)[1].split()[0]
        sure(printed == known, f"the service has {known}, the home {printed}")
        sure(len(keys(self.home)) == 2, "private keys: " + " ".join(keys(self.home)))
        no_strays(self.home)


class Newgroup(Op):
    name, marker = "recrypt newgroup", "recrypt.conf"

    def prepare(self):
        super().prepare()
        self.home, self.address = self.w.copy(self.w.alice, "new"), f"l{os.urandom(4).hex()}@example.com"

    def attempt(self, before, env):
        return self.use(self.home, "newgroup", self.address, before=before, env=env)

    def settle(self, rc):
        self.w.must(self.home, "newgroup", self.address, allow=(73,) if rc == 0 else (0, 73))
        self.w.must(self.home, "members", self.address)
        there = keys(os.path.join(self.home, "lists", self.address))
        sure(len(there) == 1, "private keys: " + " ".join(there))
        no_strays(self.home)


class Members(Op):
    marker = "recrypt.conf"

    def listed(self):
        return b"carol@example.com" in self.w.must(self.w.alice, "members", LIST)[1]

    def reads(self, home):
        rc, out, err = self.w.tool(self.w.copy(home, "reader"), "open", stdin=self.w.sealed)
        sure(rc != 0 or TEXT in out or out == TEXT, "what opened is not what was sealed")
        return rc == 0

    def both_read(self, carol):
        sure(self.reads(self.w.bob), "bob cannot read")
        sure(self.reads(self.w.carol) == carol, f"carol {'cannot' if carol else 'can'} read")
        no_strays(self.w.alice)


class Add(Members):
    name = "recrypt add"

    def prepare(self):
        super().prepare()
        if self.listed():
            self.w.must(self.w.alice, "remove", LIST, "carol@example.com")

    def attempt(self, before, env):
        return self.use(self.w.alice, "add", LIST, "carol@example.com", before=before, env=env)

    def settle(self, rc):
        sure(rc or self.listed(), "acknowledged, yet she is no member")
        self.w.must(self.w.alice, "add", LIST, "carol@example.com", allow=(73,) if rc == 0 else (0, 73))
        sure(self.listed(), "she is no member in the end")
        self.both_read(True)


class Remove(Members):
    name = "recrypt remove"

    def prepare(self):
        super().prepare()
        if not self.listed():
            self.w.must(self.w.alice, "add", LIST, "carol@example.com")

    def attempt(self, before, env):
        return self.use(self.w.alice, "remove", LIST, "carol@example.com", before=before, env=env)

    def settle(self, rc):
        sure(rc or not self.listed(), "acknowledged, yet she is a member")
        self.w.must(self.w.alice, "remove", LIST, "carol@example.com", allow=(66,) if rc == 0 else (0, 66))
        sure(not self.listed(), "she is a member in the end")
        self.both_read(False)


class Rekey(Members):
    name = "recrypt rekey"

    def folder(self):
        return os.path.join(self.w.alice, "lists", LIST)

    def epoch(self):
        with open(os.path.join(self.folder(), "profile.jws")) as f:
            part = f.read().split(".")[1]
        return json.loads(base64.urlsafe_b64decode(part + "=" * (-len(part) % 4)))["epoch"]

    def prepare(self):
        super().prepare()
        if self.epoch() > 20:
            self.w.renew()
        self.w.must(self.w.alice, "members", LIST)
        self.before = self.epoch()

    def attempt(self, before, env):
        return self.use(self.w.alice, "rekey", LIST, before=before, env=env)

    def settle(self, rc):
        if rc:
            self.w.must(self.w.alice, "rekey", LIST)
        self.w.must(self.w.alice, "members", LIST)
        sure(self.epoch() in (self.before + 1, self.before + (2 if rc else 1)), f"epoch {self.epoch()} after {self.before}")
        sure(len(keys(self.folder())) == self.epoch(), f"{len(keys(self.folder()))} private keys for {self.epoch()} epochs")
        sure(self.reads(self.w.bob), "bob cannot read")
        no_strays(self.w.alice)


# ---- recryptd ----
class Start(Members):
    """After a kill: it recovers, serves once and ends as it is told to. The change before the kill was acknowledged, and stays."""
    name, marker = "recryptd, from a kill to its end", "recryptd.conf"

    def prepare(self):
        super().prepare()
        self.want = not self.listed()
        self.w.must(self.w.alice, "add" if self.want else "remove", LIST, "carol@example.com")
        self.w.service.kill()
        self.w.service.wait()

    def attempt(self, before, env):
        with open(self.w.path("recryptd.log"), "ab") as log:
            begin = log.tell()
        p = self.w.service_launch(before, env, self.sandbox)
        try:
            if self.w.serves(p, 10):
                self.signal(p, before, signal.SIGTERM)
            p.wait(20)
        except (Failed, subprocess.TimeoutExpired) as e:
            self.signal(p, before, signal.SIGKILL)
            p.wait()
            raise Failed(f"it does not end: {e}") from None
        finally:
            with open(self.w.path("recryptd.log"), "rb") as log:
                log.seek(begin)
                self.said = log.read().decode(errors="replace")
        return p.returncode

    @staticmethod
    def signal(process, before, number):
        """To it, not to who traces it."""
        pids = [process.pid]
        if before:
            with open(f"/proc/{process.pid}/task/{process.pid}/children") as f:
                pids = [int(pid) for pid in f.read().split()]
        for pid in pids:
            os.kill(pid, number)

    def settle(self, rc):
        self.w.service_start()
        sure(self.listed() == self.want, "a change that was acknowledged is gone")


# ---- recrypt: files and messages ----
class Decrypt(Op):
    name, marker = "recrypt decrypt", "recrypt.conf"
    old, force, done_already = None, (), (0, 73)

    def prepare(self):
        super().prepare()
        self.folder = self.w.path("files")
        shutil.rmtree(self.folder, ignore_errors=True)
        os.mkdir(self.folder)
        self.home = self.w.copy(self.w.bob, "new")
        shutil.copy(self.w.file + ".jcd", self.folder)
        if self.old:
            self.content(self.old)

    def content(self, put=None):
        with open(os.path.join(self.folder, "plan.txt"), "wb" if put else "rb") as f:
            return f.write(put) if put else f.read()

    def words(self):
        return ["decrypt", *self.force, os.path.join(self.folder, "plan.txt.jcd")]

    def attempt(self, before, env):
        return self.use(self.home, *self.words(), before=before, env=env)

    def settle(self, rc):
        there = files(self.folder)
        if rc == 0 or "plan.txt" in there:
            sure(self.content() in ((TEXT * 40,) if rc == 0 else (TEXT * 40, self.old)), "a plaintext file that is not whole")
        self.w.must(self.home, *self.words(), allow=self.done_already)
        sure(self.content() == TEXT * 40, "not decrypted in the end")
        sure(files(self.folder) == ["plan.txt", "plan.txt.jcd"], "stray files: " + " ".join(files(self.folder)))
        no_strays(self.home)


class Replace(Decrypt):
    name = "recrypt decrypt --force"
    old, force, done_already = b"an older text\n", ("--force",), (0,)


class Open(Op):
    name, marker = "recrypt open > file", "recrypt.conf"

    def prepare(self):
        super().prepare()
        self.home = self.w.copy(self.w.bob, "new")

    def attempt(self, before, env):
        self.path = self.w.path("opened")
        with open(self.path, "wb") as f:
            return self.use(self.home, "open", before=before, env=env, stdin=self.w.sealed, out=f)

    def settle(self, rc):
        with open(self.path, "rb") as f:
            got = f.read()
        sure(got == TEXT if rc == 0 else TEXT.startswith(got), f"{len(got)} octets, not what was sealed")
        sure(self.w.must(self.home, "open", stdin=self.w.sealed)[1] == TEXT, "it does not open in the end")
        no_strays(self.home)
