"""A recryptd, three persons and a list in one folder, without mail server."""
import os, random, shutil, signal, socket, subprocess, time

LIST = "list@example.com"
TEXT = b"From: alice@example.com\r\nTo: list@example.com\r\nSubject: the plan\r\n\r\n" + b"Nobody but members reads this line.\r\n" * 60


class Failed(Exception):
    pass


def run(argv, stdin=b"", env=None, out=None, seconds=30):
    """(status, output, errors); a status below zero is a signal's number."""
    try:
        p = subprocess.run(argv, input=stdin, stdout=out or subprocess.PIPE, stderr=subprocess.PIPE, env=env, timeout=seconds)
    except subprocess.TimeoutExpired:
        raise Failed(f"hangs: {' '.join(argv)}") from None
    return p.returncode, p.stdout, p.stderr.decode(errors="replace")


def free_port():
    """Below those that the kernel gives to whoever connects: who asks whether somebody listens there could meet himself."""
    for port in random.sample(range(20000, 32768), 200):
        with socket.socket() as s:
            try:
                s.bind(("127.0.0.1", port))
                return port
            except OSError:
                continue
    raise Failed("no free port")


class World:
    def __init__(self, build, folder):
        self.build, self.folder = build, folder
        self.service, self.last = None, ({}, True)
        self.root = os.geteuid() == 0
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}/.well-known/meshrecrypt"
        self.mail = self.path("mail")
        os.makedirs(self.mail, exist_ok=True)
        if self.root:
            shutil.chown(self.mail, "mail")
        self.serial = 0

    def path(self, *names):
        return os.path.join(self.folder, *names)

    def write(self, name, text, mode=0o644):
        with open(self.path(name), "w" if isinstance(text, str) else "wb") as f:
            f.write(text)
        os.chmod(self.path(name), mode)
        return self.path(name)

    # ---- recryptd ----
    def service_start(self, env=None, sandbox=None):
        """As the last time unless told otherwise."""
        env = self.last[0] if env is None else env
        sandbox = self.last[1] if sandbox is None else sandbox
        self.last = env, sandbox
        self.service = self.service_launch([], env, sandbox)
        if not self.serves(self.service, 10):
            raise Failed("recryptd does not start\n" + self.service_log())

    def service_launch(self, before, env, sandbox):
        conf = self.write("recryptd.conf", f'domains = {{"example.com"}}\nadministrators = {{"alice@example.com"}}\n'
                          f'url = "{self.url}"\nlisten_web = "127.0.0.1:{self.port}"\nlisten_local = "{self.path("recryptd.sock")}"\n'
                          f'state_directory = "{self.path("state")}"\nregistration = "open"\nsandbox = {"yes" if sandbox else "no"}\n'
                          + ('user = "daemon"\ndelivery_users = {"mail"}\n' if self.root else ""))
        with open(self.path("recryptd.log"), "ab") as log:
            return subprocess.Popen([*before, self.build + "/recryptd", "-f", "-c", conf], stdin=subprocess.DEVNULL, stdout=log,
                                    stderr=log, env={**os.environ, **env})

    def answers(self):
        try:
            with socket.create_connection(("127.0.0.1", self.port), 5) as s:
                s.sendall(b"GET / HTTP/1.0\r\n\r\n")
                return s.recv(1) == b"H"
        except OSError:
            return False

    def serves(self, process, seconds):
        """False when it has ended; Failed when it does neither in time."""
        end = time.time() + seconds
        while process.poll() is None:
            if self.answers():
                return True
            if time.time() > end:
                raise Failed("recryptd neither serves nor ends\n" + self.service_log())
            time.sleep(0.01)
        return False

    def revive(self):
        if not self.service or self.service.poll() is not None:
            self.service_start()

    def service_stop(self):
        if self.service and self.service.poll() is None:
            self.service.send_signal(signal.SIGTERM)
            try:
                self.service.wait(20)
            except subprocess.TimeoutExpired:
                self.service.kill()
                self.service.wait()
                raise Failed("recryptd does not end") from None
        self.service = None

    def service_log(self, lines=8):
        with open(self.path("recryptd.log"), errors="replace") as f:
            return "".join(f.readlines()[-lines:])

    def died(self):
        """recryptd's status when it has ended, or is about to: it serves no more."""
        if self.answers():
            return self.service.poll()
        try:
            return self.service.wait(10)
        except subprocess.TimeoutExpired:
            raise Failed("recryptd neither serves nor ends") from None

    def attach(self, options):
        """strace on recryptd; returns when it is in place."""
        t = subprocess.Popen(["strace", "-p", str(self.service.pid)] + options, stderr=subprocess.PIPE)
        line = t.stderr.readline()
        if b"attached" not in line:
            raise Failed("strace: " + line.decode())
        return t

    @staticmethod
    def detach(t):
        if t.poll() is None:
            t.send_signal(signal.SIGINT)
        t.communicate()

    def sound(self):
        rc, out, err = run([self.build + "/recryptd", "-c", self.path("recryptd.conf"), "--check"])
        if rc:
            raise Failed(out.decode() + err)
        return out.decode().strip().rsplit(": ", 1)[-1]

    # ---- the tool ----
    def home(self, name):
        path = self.path("home-" + name)
        shutil.rmtree(path, ignore_errors=True)
        os.mkdir(path, 0o700)
        with open(path + "/recrypt.conf", "w") as f:
            f.write(f'service "example.com" {{ url = "{self.url}" }}\n')
        return path

    def copy(self, home, name):
        path = self.path("home-" + name)
        shutil.rmtree(path, ignore_errors=True)
        shutil.copytree(home, path)
        return path

    def tool(self, home, *words, before=(), env=None, stdin=b"", out=None):
        return run([*before, self.build + "/recrypt/recrypt", *words], stdin, {**os.environ, **(env or {}), "RECRYPT_HOME": home}, out)

    def must(self, home, *words, stdin=b"", allow=(0,)):
        rc, out, err = self.tool(home, *words, stdin=stdin)
        if rc not in allow:
            raise Failed(f"recrypt {' '.join(words)}: exit status {rc}: {err}")
        return rc, out

    def setup(self):
        self.service_start()
        self.alice, self.bob, self.carol = self.home("alice"), self.home("bob"), self.home("carol")
        for home, who in (self.alice, "alice"), (self.bob, "bob"), (self.carol, "carol"):
            self.must(home, "personal", who + "@example.com")
        self.must(self.alice, "newgroup", LIST)
        self.must(self.alice, "add", LIST, "bob@example.com")
        self.sealed = self.must(self.alice, "seal", "--to", LIST, "--from", "alice@example.com", stdin=TEXT)[1]
        self.file = self.path("plan.txt")
        with open(self.file, "wb") as f:
            f.write(TEXT * 40)
        self.must(self.alice, "encrypt", "--force", LIST, self.file)
        self.service_stop()
        self.delivered = {}  # her copy of it, by who delivered it and to whom

    def renew(self):
        """Begins anew: what many changes pile up, a list's old keys above all, would make each further one slower."""
        self.service_stop()
        self.sound()
        shutil.rmtree(self.path("state"))
        self.setup()
        self.service_start()

    # ---- the delivery agent ----
    def lda(self, options, stdin, before=(), env=None, sandbox=True):
        conf = self.write("lda.conf", f'recryptd = "unix:{self.path("recryptd.sock")}"\nmail_root = "{self.mail}"\ntimeout = 5s\n'
                          f'sandbox = {"yes" if sandbox else "no"}\n' + ("user = mail\n" if self.root else "log = stderr\n"))
        return run([*before, self.build + "/recrypt-lda", "-c", conf, *options], stdin, {**os.environ, **(env or {})})

    def box(self, who, sub):
        folder = os.path.join(self.mail, "example.com", who, "Maildir", sub)
        return [os.path.join(folder, f) for f in os.listdir(folder)] if os.path.isdir(folder) else []
