#!/usr/bin/python3
"""manual.py options PROGRAM MANUAL       the options that --help names are those of the manual
manual.py commands RECRYPT MANUAL         the same for each command of recrypt
manual.py settings SOURCE MANUAL SAMPLE...  the settings the program knows are those of the manual; a sample has no others
manual.py guide GUIDE BUILD SRC POSTCONF  each command, option, setting and file that the guide names is there
Prints what differs; exit status 1 then."""
import os
import re
import subprocess
import sys

bad = []


def check(ok, text):
    if not ok:
        bad.append(text)


def differ(what, a, name_a, b, name_b):
    for x in sorted(a - b):
        check(False, f"{what}: {x} is in {name_a} and not in {name_b}")
    for x in sorted(b - a):
        check(False, f"{what}: {x} is in {name_b} and not in {name_a}")


def help_of(*command):
    r = subprocess.run([*command, "--help"], capture_output=True, text=True)
    check(r.returncode == 0 and r.stdout, f"{' '.join(command)} --help: exit status {r.returncode}")
    return r.stdout


def options_in(text):
    """-x and --long of a text; -fnv are three."""
    text = re.sub(r"'recrypt [^'\n]*'", "", text)  # another program's
    long = set(re.findall(r"(?<![\w-])--[a-z][a-z-]*", text))
    short = set()
    for word in re.findall(r"(?<![\w-])-([a-zA-Z]+)(?![\w-])", text):
        short |= {"-" + c for c in word}
    return long | short


def options(program, manual):
    asked = options_in(help_of(program))
    told = set()
    for line in open(manual):
        if line.startswith(".It Fl "):
            told |= {"-" + w for w in re.findall(r"\bFl (\S+)", line)}
    differ(os.path.basename(manual), asked, "--help", told, "the manual")
    for o in sorted(asked - {"--help", "--version"}):
        # Without its argument, or with too much: anything but "unrecognized".
        r = subprocess.run([program, o, "--help"], capture_output=True, text=True)
        check(not re.search(r"unrecognized|invalid option|unknown option", r.stderr), f"{program} {o}: {r.stderr.strip()}")


def commands(recrypt, manual):
    told, name, shared = {}, None, set()
    for line in open(manual):
        if line.startswith(".It Cm "):
            name = re.match(r"\.It Cm ((?:[a-z]+ ?)+)", line)[1].strip()
            told[name] = set()
        elif line.startswith("The options:"):
            name = None
        elif name:
            told[name] |= {"--" + w for w in re.findall(r"Fl Fl (\S+)", line)}
        elif line.startswith(".It Fl Fl "):
            shared.add("--" + line.split()[3])
    listed = set(re.findall(r"^  ([a-z]+(?: [a-z]+)?)  ", help_of(recrypt) + "\n", re.M))
    differ("commands", listed, "--help", set(told), "the manual")
    everything = set()
    for c in sorted(listed):
        asked = set(re.findall(r"^ +(--[a-z-]+)", help_of(recrypt, *c.split()), re.M))
        differ(c, asked - {"--help"}, "--help", told.get(c, set()), "the manual")
        everything |= asked
    differ("options", everything | {"--version"}, "--help", shared, "the manual's list")


def settings_in(source):
    return set(re.findall(r'CFG_[A-Z_]+\("([a-z_]+)"', open(source).read()))


def settings(source, manual, *samples):
    known, told, inside = settings_in(source), set(), False
    for line in open(manual):
        if line.startswith(".Sh "):
            inside = line.split()[1] in ("CONFIGURATION", "OPTIONS") or manual.endswith(".5")
        if inside and re.match(r"\.It (Cm|Ic) ", line):
            told |= set(re.findall(r"\b([a-z_]+)\b", re.sub(r"Qo.*Qc.*", "", line.split(" ", 2)[2])))
    differ(os.path.basename(manual), known, "the program", told, "the manual")
    for s in samples:
        for line in open(s):
            m = re.match(r"#?([a-z_]+) *=|#?([a-z_]+) \"[^\"]*\" *\{", line)
            if m:
                check((m[1] or m[2]) in known, f"{s}: {m[1] or m[2]} is no setting")


def guide(path, build, src, postconf):
    text = open(path).read()
    programs = {"recryptd": "recryptd", "recrypt-milter": "recrypt-milter", "recrypt-lda": "recrypt-lda", "recrypt-imapfilter": "recrypt-imapfilter",
                "recrypt-keystore": "recrypt-keystore", "recrypt": "recrypt/recrypt"}
    fenced = [line for block in re.findall(r"^```\n(.*?)^```", text, re.M | re.S) for line in block.splitlines()]
    inline = re.findall(r"`([^`\n]+)`", re.sub(r"^```\n.*?^```", "", text, flags=re.M | re.S))
    seen = 0
    for line in fenced + inline:
        words = line.split("#")[0].split()
        if not words or words[0] not in programs:
            continue
        program = [os.path.join(build, programs[words[0]])]
        if words[0] == "recrypt" and len(words) > 1 and not words[1].startswith("-"):
            program += words[1:3] if words[1] == "device" else words[1:2]
        known = options_in(help_of(*program))
        for o in options_in(" ".join(w for w in words[1:] if w.startswith("-"))):
            check(o in known, f"{line}: {words[0]} has no {o}")
        if words[0] == "recrypt-keystore":
            check(words[1:] == [] or re.search(rf"recrypt-keystore {words[1]}\b", help_of(program[0])), f"{line}: no such command")
        seen += 1
    check(seen > {"admin.md": 15, "README.md": 5}.get(os.path.basename(path), 0), f"only {seen} commands found in {path}")
    for link in re.findall(r"\]\(([^)#:]+)\)", text):
        check(os.path.exists(os.path.join(os.path.dirname(path), link)), f"{path}: no {link}")
    # Files of the tree, and units.
    for name in set(re.findall(r"(?<![/\w])(?:contrib|doc|test)/[\w./*-]*\w", text)):
        check("*" in name or os.path.exists(os.path.join(src, name)), f"{path}: no {name}")
    for unit in set(re.findall(r"systemctl (?:enable --now|reload|status|start|stop) ((?:recrypt[\w.-]*\s*)+)", text)):
        for u in unit.split():
            u = u.rstrip(".`")
            u = u if u.endswith((".service", ".socket")) else u + ".service"
            check(os.path.exists(os.path.join(src, "contrib/systemd", u)), f"{path}: no unit {u}")
    # Settings: ours, Postfix's, or Sendmail's.
    known = set(open(postconf).read().split())
    for d in ("service", "milter", "lda", "imapfilter"):
        known |= settings_in(os.path.join(src, d, "settings.c"))
    known |= set(re.findall(r"\w+", open(os.path.join(src, "contrib/sendmail/sendmail.mc")).read()))
    for name in set(re.findall(r"`([a-z]\w*_\w+)(?: *= *[^`]*)?`", text)):
        check(name in known or name.startswith("recrypt_"), f"{path}: {name} is no setting")


globals()[sys.argv[1]](*sys.argv[2:])
print("\n".join(bad))
sys.exit(1 if bad else 0)
