"""What suite tests in Python share: one private instance, SMTP and POP3."""
import os
import poplib
import shlex
import signal
import smtplib
import socket
import ssl
import subprocess
import sys
import time

SRC = os.environ.get("SRCDIR") or os.path.dirname(os.path.dirname(
    os.path.dirname(os.path.dirname(os.path.abspath(__file__)))))
FOLDER = os.environ.get("TEST_DIR", "/tmp")
# After its time a test is told to end: with blocks stop what they started.
signal.signal(signal.SIGTERM, lambda *_: sys.exit("its time is over"))


def fail(*words):
    print("FAILED:", *words)
    sys.exit(1)


def check(held, *words):
    if not held:
        fail(*words)


def until(what, seconds, fn):
    """What fn gives as soon as that is true; fails after so many seconds."""
    end = time.monotonic() + seconds
    while True:
        got = fn()
        if got:
            return got
        if time.monotonic() > end:
            fail(what, "not within", seconds, "s")
        time.sleep(0.05)


class Instance:
    """One of tests/instance, stopped at the end of a with block."""

    def __init__(self, *options, name="i", conf=None):
        self.dir = os.path.join(FOLDER, name)
        self.options = list(options)
        if conf is not None:
            with open(self.dir + ".extra", "w") as f:
                f.write(conf)
            self.options += ["--conf", self.dir + ".extra"]

    def tool(self, verb, *words, status=0):
        p = subprocess.run([SRC + "/tests/instance", verb, self.dir, *words],
                           capture_output=True, text=True)
        if p.returncode == 77 and status != 77:
            print(p.stderr.strip())
            sys.exit(77)
        check(p.returncode == status, "instance", verb, *words, "exited with",
              p.returncode, p.stdout, p.stderr)
        return p.stdout

    def start(self):
        self.tool("start", *self.options)
        self.read_env()

    def read_env(self):
        self.env = dict(w.split("=", 1)
                        for w in shlex.split(self.tool("env")))

    def __enter__(self):
        self.start()
        return self

    def __exit__(self, kind, value, trace):
        if kind is not None:
            print(self.log_tail())
        self.tool("stop" if kind is None else "kill")

    def log_tail(self):
        try:
            with open(self.env["LOG"]) as f:
                return "".join(f.readlines()[-30:])
        except OSError as e:
            return str(e)

    def port(self, name):
        return int(self.env[name + "_PORT"])

    def path(self, name):
        return os.path.join(self.dir, name)

    def smtp(self):
        return smtplib.SMTP(self.env["HOST"], self.port("SMTP"), "t.test", 20)

    def tls(self):
        """Believes who this instance says it is, by its CA_FILE alone."""
        return ssl.create_default_context(cafile=self.env["CA_FILE"])

    def submissions(self):
        return smtplib.SMTP_SSL(self.env["HOST"], self.port("SUBMISSIONS"),
                                "t.test", timeout=20, context=self.tls())

    def pop3(self, user=None, password=None, timeout=20):
        """POP3 after STLS, logged in as user where one is named."""
        p = poplib.POP3(self.env["HOST"], self.port("POP3"), timeout)
        p.stls(self.tls())
        if user:
            p.user(user)
            p.pass_(password or "secret-" + user)
        return p

    def pop3s(self, timeout=20):
        """A socket that speaks TLS with POP3's other port."""
        return self.tls().wrap_socket(socket.create_connection(
            (self.env["HOST"], self.port("POP3S")), timeout),
            server_hostname=self.env["HOST"])

    def rcpt(self, address, sender="a@far.test"):
        """The code and text that a recipient gets."""
        with self.smtp() as s:
            s.ehlo()
            s.mail(sender)
            code, text = s.rcpt(address)
        return code, text.decode()

    def send(self, to, subject, sender="a@far.test"):
        with self.smtp() as s:
            s.sendmail(sender, to, f"From: {sender}\r\nSubject: {subject}\r\n"
                       "\r\nA line.\r\n")

    def box(self, user):
        try:
            with open(os.path.join(self.env["MAIL"], user),
                      errors="replace") as f:
                return f.read()
        except FileNotFoundError:
            return ""

    def ctl(self, *words):
        return subprocess.run([*shlex.split(self.env["CTL"]), *words],
                              capture_output=True, text=True)

    def processes(self):
        """pid and name of what master started, by the title of each."""
        master = self.env["MASTER_PID"]
        found = {}
        for pid in filter(str.isdigit, os.listdir("/proc")):
            try:
                with open(f"/proc/{pid}/stat") as f:
                    words = f.read().rsplit(") ", 1)[1].split()
                with open(f"/proc/{pid}/cmdline") as f:
                    title = f.read().replace("\0", " ").strip()
            except OSError:
                continue
            if words[1] == master and words[0] != "Z":
                found[int(pid)] = title
        return found
