"""terminal.py: a pseudo-terminal, also where /dev lacks ptmx but devpts is mounted, as in a bare chroot. As a program: exit status 0
when one is to be had."""
import fcntl, os, pty, struct, termios

TIOCSPTLCK, TIOCGPTN = 0x40045431, 0x80045430  # <asm-generic/ioctls.h>; Python 3.11 does not name them


def _open():
    try:
        return pty.openpty()
    except OSError:
        master = os.open("/dev/pts/ptmx", os.O_RDWR | os.O_NOCTTY)
    fcntl.ioctl(master, TIOCSPTLCK, struct.pack("i", 0))
    number = struct.unpack("i", fcntl.ioctl(master, TIOCGPTN, bytes(4)))[0]
    return master, os.open(f"/dev/pts/{number}", os.O_RDWR | os.O_NOCTTY)


def fork():
    """As pty.fork: (0, -) in the child, whose terminal it is, and (pid, the other end) here."""
    master, slave = _open()
    pid = os.fork()
    if pid == 0:
        os.close(master)
        os.setsid()
        fcntl.ioctl(slave, termios.TIOCSCTTY, 0)
        for fd in range(3):
            os.dup2(slave, fd)
        if slave > 2:
            os.close(slave)
    else:
        os.close(slave)
    return pid, master


if __name__ == "__main__":
    _open()
