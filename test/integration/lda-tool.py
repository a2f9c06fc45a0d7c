#!/usr/bin/python3
"""Helpers of lda.sh.

silent SOCKET           takes a question and answers nothing; SOCKET.asked is there then
serve SOCKET            a stand-in for recryptd's local socket, where a test needs answers that a real one cannot be brought to give
encrypted EOL FILE      a message to list@example.com in the two-part form, with eight grants
ordinary EOL SIZE FILE  an ordinary message
grants FILE             of the first JWE recipient: how many, and the statement
lmtp ADDRESS FROM FILE RECIPIENT...   one LMTP transaction; prints the answers after the message
raw ADDRESS             sends standard input as it is, prints every answer
sink PORT-FILE FILE [ANSWER]   an SMTP and LMTP server that takes one message, octet for octet, into FILE
activate SOCKET COMMAND...   starts the command with the listening socket as systemd hands one over
manager SOCKET FILE     a service manager that writes what it is told into FILE
rest A B                true when B ends with A's octets (line ends aside when either has CRLF)
"""
import base64, json, os, re, select, socket, struct, sys

LIST = "list@example.com"
KID = LIST + ".mm--mb2gk-6duf5-ygyyl-jny5e-rwshz-ssqqz"


def b64(data):
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def key():
    return {"kty": "OKP", "crv": "X25519", "x": b64(bytes([9]) + bytes(31))}


def connect(address):
    if address.startswith("/"):
        s = socket.socket(socket.AF_UNIX)
        s.connect(address)
    else:
        host, port = address.rsplit(":", 1)
        s = socket.create_connection((host, int(port)))
    s.settimeout(20)
    return s


def answer(name, body):
    ok = {"Status": 201, "StatusDescription": "ok"}
    no = {"Status": 404, "StatusDescription": "no grant"}
    if name == "Resolve":
        a = body["Address"]
        if a == LIST:
            return dict(ok, Kind="list", Account=LIST, Owner="alice@example.com", KeyID=KID, Plaintext="reject", Archive=True, MaxSize=0)
        if a == "list+fanout-" + "b" * 22 + "@example.com":
            return dict(ok, Kind="fanout", Account=LIST)
        if a.startswith("list+archive-"):
            return dict(ok, Kind="archive", Account=LIST) if a.startswith("list+archive-good") else dict(ok, Kind="reserved")
        if a in ("list+bounce@example.com", "list+owner@example.com", "list+request@example.com"):
            return dict(ok, Kind="owner", Account=LIST, Owner="paula@example.com" if "request" in a else "alice@example.com")
        if a in ("bob@example.com", "alice@example.com"):
            return dict(ok, Kind="person", Account=a, KeyID=a + ".mm--mb2gk-6duf5-ygyyl-jny5e-rwshz-ssqqz", Plaintext="pass")
        if a == "paula@example.com":
            return dict(ok, Kind="person", Account=a, KeyID=a + ".mm--mb2gk-6duf5-ygyyl-jny5e-rwshz-ssqqz", Plaintext="reject")
        return dict(ok, Kind="none")
    if name == "Grant":
        if body["Account"] in ("bob@example.com", "rita@example.net") and body["GroupKeyID"] == KID:
            return dict(ok, Grant={"t": b64(b"B" * 16), "u": b64(b"U" * 32), "dk": body["Account"].split("@")[0] + "s.own.statement"})
        return no
    if name == "Key":
        return dict(ok, Key=key(), KeyID=KID, Account=LIST, State="current") if body["Key"] == KID else no
    return {"Status": 400, "StatusDescription": "unknown"}


def take(s, n):
    data = b""
    while len(data) < n:
        more = s.recv(n - len(data))
        if not more:
            return None
        data += more
    return data


def listen(path):
    """The path is there only when somebody listens."""
    listener = socket.socket(socket.AF_UNIX)
    listener.bind(path + ".new")
    os.chmod(path + ".new", 0o666)
    listener.listen(64)
    os.rename(path + ".new", path)
    return listener


def serve(path):
    listener = listen(path)
    while True:
        s, _ = listener.accept()
        if os.fork():
            s.close()
            continue
        while (head := take(s, 4)) is not None:
            (name, body), = json.loads(take(s, struct.unpack(">I", head)[0])).items()
            name = name[: -len("Request")]
            out = json.dumps({name + "Response": answer(name, body)}).encode()
            s.sendall(struct.pack(">I", len(out)) + out)
        os._exit(0)


def silent(path):
    s, _ = listen(path).accept()
    take(s, 4)
    open(path + ".asked", "w").close()
    take(s, 1 << 20)


def write(path, eol, text):
    with open(path, "wb") as f:
        f.write(text.replace(b"\n", b"\r\n") if eol == "crlf" else text)


def encrypted(eol, path):
    epk = {"kty": "OKP", "crv": "X25519", "x": b64(os.urandom(31) + b"\x10")}
    protected = {"alg": "ECDH-ES+A256KW", "enc": "A256GCM", "epk": epk, "kid": KID, "apv": b64(KID.encode())}
    grants = [{"t": b64(os.urandom(16)), "u": b64(os.urandom(32))} for _ in range(8)]
    part1 = {"protected": b64(json.dumps(protected).encode()),
             "recipients": [{"encrypted_key": b64(os.urandom(40)), "header": {"grants": grants}}],
             "iv": b64(os.urandom(12)), "tag": b64(os.urandom(16))}
    body = base64.encodebytes(os.urandom(3000)).decode()
    write(path, eol, f"""Received: by mx.example.com; {b64(os.urandom(6))}
From: dave@example.net
To: {LIST}
Subject: [...]
MIME-Version: 1.0
Content-Type: multipart/encrypted; protocol="application/jose+json"; boundary="frontier"

--frontier
Content-Type: application/jose+json

{json.dumps(part1, indent=1)}
--frontier
Content-Type: application/octet-stream
Content-Transfer-Encoding: base64

{body}
--frontier--
""".encode())


def ordinary(eol, size, path):
    lines = b"".join(b".%d caf\xc3\xa9 " % i + b"x" * (i % 70) + b"\n" for i in range(int(size) // 50))
    write(path, eol, b"Received: by mx.example.com; " + b64(os.urandom(6)).encode() + b"\nFrom: dave@example.net\nSubject: plain\n\n.\n..\n" + lines)


def grants(path):
    text = open(path, "rb").read().decode()
    part1 = json.loads(re.search(r"application/jose\+json\r?\n\r?\n(.*?)\r?\n--", text, re.S).group(1))
    g = part1["recipients"][0].get("header", {}).get("grants", [])
    print(len(g), *[x.get("dk", "-") for x in g])


def lines(f):
    """One SMTP answer."""
    got = []
    while True:
        line = f.readline().decode()
        if not line:
            raise SystemExit("connection closed")
        got.append(line.rstrip())
        if line[3:4] != "-":
            return got


def lmtp(address, sender, path, *recipients):
    s = connect(address)
    f = s.makefile("rb")
    lines(f)
    text = open(path, "rb").read().replace(b"\r\n", b"\n").replace(b"\n", b"\r\n")
    text = re.sub(rb"(?m)^\.", b"..", text)
    for command in ["LHLO test", f"MAIL FROM:<{sender}>"] + [f"RCPT TO:<{r}>" for r in recipients] + ["DATA"]:
        s.sendall(command.encode() + b"\r\n")
        got = lines(f)
        if got[-1][0] not in "23":
            print(got[-1])
            return
    s.sendall(text + b".\r\n")
    for _ in recipients:
        print(lines(f)[-1])
    s.sendall(b"QUIT\r\n")


def raw(address):
    s = connect(address)
    watched = [s, sys.stdin.fileno()]
    while s in watched:
        for r in select.select(watched, [], [])[0]:
            data = s.recv(65536) if r is s else os.read(r, 65536)
            if r is s:
                print(data.decode(), end="", flush=True)
            elif data:
                s.sendall(data)
            else:
                s.shutdown(socket.SHUT_WR)
            if not data:
                watched.remove(r)


def sink(port_file, path, reply="250 2.0.0 taken"):
    listener = socket.socket()
    listener.bind(("127.0.0.1", 0))
    listener.listen(8)
    with open(port_file + ".new", "w") as f:
        f.write(str(listener.getsockname()[1]))
    os.rename(port_file + ".new", port_file)
    s, _ = listener.accept()
    f = s.makefile("rb")
    s.sendall(b"220 sink\r\n")
    commands = []
    while line := f.readline():
        commands.append(line)
        verb = line[:4].upper()
        if verb == b"QUIT":
            s.sendall(b"221 bye\r\n")
            break
        if verb in (b"LHLO", b"EHLO"):
            s.sendall(b"250-sink\r\n250 8BITMIME\r\n")
        elif verb == b"DATA":
            s.sendall(b"354 go\r\n")
            data = b""
            while not data.endswith(b"\r\n.\r\n"):
                data += f.readline()
            with open(path, "wb") as out:
                out.write(data)
            if reply == "drop":
                s.close()
                break
            s.sendall(reply.encode() + b"\r\n")
        elif verb == b"RCPT" and reply == "550rcpt":
            s.sendall(b"550 5.1.1 who is bob\r\n")
        else:
            s.sendall(b"250 ok\r\n")
    with open(path + ".commands", "wb") as out:
        out.write(b"".join(commands))


def activate(path, *command):
    listener = listen(path)
    os.dup2(listener.fileno(), 3)
    os.set_inheritable(3, True)
    os.environ.update(LISTEN_FDS="1", LISTEN_PID=str(os.getpid()))
    os.execvp(command[0], command)


def manager(path, out):
    heard = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
    heard.bind(path)
    os.chmod(path, 0o666)
    with open(out, "wb", 0) as f:
        while True:
            f.write(heard.recv(4096) + b"\n")


def rest(a, b):
    a, b = (open(p, "rb").read() for p in (a, b))
    if b"\r\n" in a or b"\r\n" in b:
        a, b = (x.replace(b"\r\n", b"\n") for x in (a, b))
    sys.exit(0 if b.endswith(a) else 1)


if __name__ == "__main__":
    globals()[sys.argv[1]](*sys.argv[2:])
