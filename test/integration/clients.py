#!/usr/bin/python3
"""clients.py STEP... -- COMMAND...: runs a program on a terminal of its own. A step is "see TEXT", which waits until the text was on
the screen since the last step, or "key KEYS" (with \\r, \\x1b). Prints all that was on the screen; fails when a text does not come."""
import fcntl, os, re, select, struct, sys, termios, time

import terminal

at = sys.argv.index("--")
steps, command = sys.argv[1:at], sys.argv[at + 1:]
pid, fd = terminal.fork()
if pid == 0:
    os.environ["TERM"] = "vt100"
    fcntl.ioctl(0, termios.TIOCSWINSZ, struct.pack("HHHH", 50, 200, 0, 0))
    os.execvp(command[0], command)
screen, seen, ended = b"", 0, False


def clean(data):
    return re.sub(rb"\x1b[\[(][0-9;?]*[a-zA-Z0-9]|\x1b[=>78]|\x0f|\r|\x08", b"", data).decode("utf-8", "replace")


def more(seconds):
    global screen, ended
    if not ended and select.select([fd], [], [], seconds)[0]:
        try:
            data = os.read(fd, 65536)
        except OSError:
            data = b""
        ended = not data
        screen += data


failed = None
for step in steps:
    kind, text = step.split(" ", 1)
    if kind == "key":
        while select.select([fd], [], [], 0.3)[0] and not ended:
            more(0)
        seen = len(screen)
        os.write(fd, text.encode().decode("unicode_escape").encode())
        continue
    until = time.time() + 10
    while text not in clean(screen[seen:]) and time.time() < until and not ended:
        more(0.1)
    if text not in clean(screen[seen:]):
        failed = text
        break
if not failed:
    until = time.time() + 5
    while not ended and time.time() < until:
        more(0.1)
try:
    os.kill(pid, 9)
except OSError:
    pass
print(clean(screen))
if failed:
    sys.exit("did not see: " + failed)
