#!/usr/bin/env python3
"""A host that takes mail, as politely or as rudely as a test wants it.

As a library:

    with Sink(behave={"reject": "nobody@"}) as sink:   # a free port of 127.0.0.1
        ... sink.port ...
        letters = sink.wait(3, timeout=10)             # list of Letter

As a program (ends with SIGTERM; prints "ready ADDR PORT" when it listens):

    sink.py [--address 127.0.0.1] [--port 0] [--unix PATH] [--out DIR]
            [BEHAVIOUR[=VALUE] ...]

With --out each letter becomes DIR/N.eml beside DIR/N.json (helo, from, params,
peer, rcpts, session); N counts from 1, written only when the receipt is due.

Behaviours (a value in brackets has a default):

    lmtp            LHLO, and after the dot one reply for each recipient
    greeting=TEXT   instead of 220; "421 4.3.2 full" closes as well
    no-ehlo         EHLO is answered by 502
    no-pipelining, no-8bitmime, no-smtputf8, dsn, size=N    what EHLO says
    mail=TEXT rcpt=TEXT data=TEXT dot=TEXT                  that reply instead
    reject=REGEX    550 5.1.1 to recipients it matches
    defer=REGEX     450 4.2.1 likewise
    max-rcpts=N     452 4.5.3 beyond N of one transaction
    reject-dot=REGEX  LMTP: 452 4.2.2 after the dot for these
    drop=WHERE      closes: connect, ehlo, mail, rcpt, data, text (in the middle
                    of it), dot (letter kept, no receipt), dot-lost (not kept)
    silent=WHERE    never answers from there on, the same words
    extra=WHERE     one more line behind that reply: greeting, ehlo, data
    long-line       EHLO is answered by one line of 100 KiB
    endless         EHLO is answered by lines without end
    garbage         the greeting is no SMTP
    early=N         554 5.3.4 after N octets of text, which goes on being read
    delay=SECONDS   before each reply
    times=N         all this in the first N sessions only, then well-behaved
                    (but for lmtp, cert and client-ca)

    cert=FILE       offers STARTTLS with this certificate and key (PEM); letters
                    know: tls (version or None), sni, client (of his certificate)
    client-ca=FILE  and asks clients for theirs
    strip           does not offer it, whatever cert says
    tls-refuse=TEXT that reply to STARTTLS
    tls-1.2         nothing newer
    tls-garbage     220, and then no TLS
    tls-extra       one more line behind 220, in clear
"""
import argparse
import json
import os
import re
import signal
import socket
import ssl
import sys
import threading
import time

LINE_MAX = 1 << 20
SESSION_S = 600


class Letter:
    def __init__(self, session, peer, helo, sender, params):
        self.session, self.peer, self.helo = session, peer, helo
        self.sender, self.params = sender, params
        self.rcpts = []         # (address, parameters)
        self.data = b""         # dots taken off, CRLF
        self.tls = self.sni = self.client = None

    def as_dict(self):
        return {"session": self.session, "peer": self.peer,
                "helo": self.helo,
                "from": self.sender, "params": self.params,
                "tls": self.tls, "sni": self.sni, "client": self.client,
                "rcpts": [list(r) for r in self.rcpts]}


class Gone(Exception):
    pass


def path_of(text):
    """'<a@b> X=Y' -> ('a@b', 'X=Y')"""
    m = re.match(r"\s*<([^>]*)>\s*(.*)$", text)
    return (m[1], m[2]) if m else (text.strip(), "")


class Session:
    def __init__(self, sink, sock, number):
        self.sink, self.sock, self.number = sink, sock, number
        times = int(sink.behave.get("times", 0))
        rude = not times or number <= times
        self.b = sink.behave if rude else \
            {k: v for k, v in sink.behave.items()
             if k in ("lmtp", "cert", "client-ca")}
        self.lmtp = "lmtp" in self.b
        self.buf = b""
        self.helo = self.letter = None
        self.greeted = False
        self.tls = self.sni = self.client = None
        self.peer = "" if sock.family == socket.AF_UNIX else \
            sock.getpeername()[0]

    def line(self):
        while b"\n" not in self.buf:
            if len(self.buf) > LINE_MAX:
                raise Gone
            piece = self.sock.recv(65536)
            if not piece:
                raise Gone
            self.buf += piece
        line, self.buf = self.buf.split(b"\n", 1)
        if not line.endswith(b"\r"):
            self.sink.faults.append(f"bare LF: {line[:60]!r}")
        return line.rstrip(b"\r")

    def say(self, text):
        if self.b.get("delay"):
            time.sleep(float(self.b["delay"]))
        self.sock.sendall(text.encode("utf-8", "surrogateescape") + b"\r\n")

    def at(self, where):
        """The places where a session may come to its end."""
        if self.b.get("drop") == where:
            raise Gone
        if self.b.get("silent") == where:
            while self.sock.recv(65536):
                pass
            raise Gone

    def extra(self, where):
        return "\r\n250 2.0.0 nobody asked" \
            if self.b.get("extra") == where else ""

    def run(self):
        self.at("connect")
        if "garbage" in self.b:
            self.say("HTTP/1.1 400 Bad Request\r\nServer: sink\r\n")
            raise Gone
        greeting = self.b.get("greeting", "220 sink.test ESMTP")
        self.say(greeting + self.extra("greeting"))
        if greeting.startswith("421"):
            raise Gone
        while True:
            line = self.line().decode("utf-8", "surrogateescape")
            self.sink.commands.append((self.number, line))
            verb, _, arg = line.partition(" ")
            if self.tls:
                self.sink.encrypted.add(self.number)
            handler = getattr(self, "cmd_" + verb.lower(), None)
            if handler is None:
                self.say("500 5.5.1 what?")
            else:
                handler(arg)

    def cmd_ehlo(self, arg):
        self.at("ehlo")
        if "no-ehlo" in self.b:
            self.say("502 5.5.1 no EHLO here")
            return
        if "long-line" in self.b:
            self.say("250-" + "x" * 100000 + "\r\n250 end")
            return
        while "endless" in self.b:
            self.say("250-and so on")
        words = ["sink.test"]
        if "no-pipelining" not in self.b:
            words.append("PIPELINING")
        if "no-8bitmime" not in self.b:
            words.append("8BITMIME")
        if "no-smtputf8" not in self.b:
            words.append("SMTPUTF8")
        if "dsn" in self.b:
            words.append("DSN")
        if self.offers_tls():
            words.append("STARTTLS")
        words.append("SIZE " + str(self.b.get("size", "")))
        words.append("ENHANCEDSTATUSCODES")
        self.hello(arg)
        self.say("".join(f"250-{w.strip()}\r\n" for w in words[:-1]) +
                 "250 " + words[-1] + self.extra("ehlo"))

    cmd_lhlo = cmd_ehlo

    def offers_tls(self):
        return "cert" in self.b and not self.tls and "strip" not in self.b

    def cmd_starttls(self, arg):
        self.at("starttls")
        if not self.offers_tls() or arg:
            self.say("503 5.5.1 not offered")
            return
        if "tls-refuse" in self.b:
            self.say(self.b["tls-refuse"])
            return
        self.say("220 2.0.0 go on" + ("\r\n250 2.0.0 nobody asked"
                                      if "tls-extra" in self.b else ""))
        self.at("handshake")
        if "tls-garbage" in self.b:
            self.sock.recv(65536)   # the handshake has begun
            self.say("this is no TLS")
            raise Gone
        if self.buf:
            self.sink.faults.append(f"said before TLS: {self.buf[:60]!r}")
        self.handshake()
        self.greeted, self.letter = False, None

    def handshake(self):
        ctx = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        if "tls-1.2" in self.b:
            ctx.maximum_version = ssl.TLSVersion.TLSv1_2
        ctx.load_cert_chain(self.b["cert"])
        ctx.sni_callback = lambda sock, name, c: setattr(self, "sni", name)
        if "client-ca" in self.b:
            ctx.verify_mode = ssl.CERT_OPTIONAL
            ctx.load_verify_locations(self.b["client-ca"])
        clear = self.sock
        try:
            self.sock = ctx.wrap_socket(clear, server_side=True)
        except (ssl.SSLError, OSError) as e:
            self.sink.faults.append(f"handshake: {e}")
            raise Gone
        finally:
            with self.sink.changed:
                self.sink.open.discard(clear)
                self.sink.open.add(self.sock)
        self.tls = self.sock.version()
        cert = self.sock.getpeercert() if "client-ca" in self.b else None
        if cert:
            self.client = dict(x[0] for x in cert["subject"])["commonName"]

    def cmd_helo(self, arg):
        self.hello(arg)
        self.say("250 sink.test")

    def hello(self, arg):
        self.helo, self.greeted, self.letter = arg, True, None

    def cmd_mail(self, arg):
        self.at("mail")
        if "mail" in self.b:
            self.say(self.b["mail"])
        elif not self.greeted or self.letter is not None:
            self.say("503 5.5.1 out of order")
        else:
            sender, params = path_of(arg.partition(":")[2])
            self.letter = Letter(self.number, self.peer, self.helo, sender,
                                 params)
            self.letter.tls, self.letter.sni = self.tls, self.sni
            self.letter.client = self.client
            self.say("250 2.1.0 ok")

    def cmd_rcpt(self, arg):
        self.at("rcpt")
        if self.letter is None:
            self.say("503 5.5.1 out of order")
            return
        rcpt, params = path_of(arg.partition(":")[2])
        if "rcpt" in self.b:
            self.say(self.b["rcpt"])
        elif self.matches("reject", rcpt):
            self.say(f"550 5.1.1 <{rcpt}>: nobody of that name")
        elif self.matches("defer", rcpt):
            self.say(f"450 4.2.1 <{rcpt}>: not now")
        elif len(self.letter.rcpts) >= int(self.b.get("max-rcpts", 1 << 30)):
            self.say("452 4.5.3 too many recipients")
        else:
            self.letter.rcpts.append((rcpt, params))
            self.say("250 2.1.5 ok")

    def matches(self, key, rcpt):
        return key in self.b and re.search(self.b[key], rcpt)

    def cmd_data(self, arg):
        self.at("data")
        if "data" in self.b:
            self.say(self.b["data"])
            return
        if self.letter is None or not self.letter.rcpts:
            self.say("503 5.5.1 nobody to take it")
            return
        self.say("354 go on" + self.extra("data"))
        self.text()
        self.receipt()

    def text(self):
        lines, octets, early = [], 0, self.b.get("early")
        while True:
            line = self.line()
            if line == b".":
                break
            if line.startswith(b"."):
                line = line[1:]
            lines.append(line + b"\r\n")
            octets += len(line) + 2
            self.at("text")
            if early is not None and octets > int(early):
                self.say("554 5.3.4 too much")
                early = None
        self.letter.data = b"".join(lines)

    def receipt(self):
        letter, self.letter = self.letter, None
        self.at("dot-lost")
        if "dot" in self.b:
            for _ in letter.rcpts if self.lmtp else [0]:
                self.say(self.b["dot"])
            return
        if not self.lmtp:
            self.sink.keep(letter)
            self.at("dot")
            self.say(f"250 2.0.0 kept as {len(self.sink.letters)}")
            return
        taken = [r for r in letter.rcpts
                 if not self.matches("reject-dot", r[0])]
        answers = ["250 2.1.5 kept" if r in taken else "452 4.2.2 full"
                   for r in letter.rcpts]
        letter.rcpts = taken
        if taken:
            self.sink.keep(letter)
        self.at("dot")
        for answer in answers:
            self.say(answer)

    def cmd_rset(self, arg):
        self.letter = None
        self.say("250 2.0.0 ok")

    def cmd_noop(self, arg):
        self.say("250 2.0.0 ok")

    def cmd_quit(self, arg):
        self.say("221 2.0.0 bye")
        raise Gone


class Sink:
    """letters, commands [(session, line)], faults [text], sessions: a count,
    encrypted: the numbers of those in which commands came under TLS."""

    def __init__(self, address="127.0.0.1", port=0, unix=None, out=None,
                 behave=None):
        self.behave = dict(behave or {})
        self.letters, self.commands, self.faults = [], [], []
        self.sessions, self.encrypted = 0, set()
        self.out = out
        self.changed = threading.Condition()
        self.open = set()
        if unix:
            if os.path.exists(unix):
                os.unlink(unix)
            self.server = socket.socket(socket.AF_UNIX)
            self.server.bind(unix)
            os.chmod(unix, 0o666)
            self.address, self.port = unix, 0
        else:
            family = socket.AF_INET6 if ":" in address else socket.AF_INET
            self.server = socket.socket(family)
            self.server.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            self.server.bind((address, port))
            self.address, self.port = self.server.getsockname()[:2]
        self.server.listen(200)
        threading.Thread(target=self.accept, daemon=True).start()

    def accept(self):
        while True:
            try:
                sock, _ = self.server.accept()
            except OSError:
                return
            if sock.family != socket.AF_UNIX:
                sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            with self.changed:
                self.sessions += 1
                session = Session(self, sock, self.sessions)
                self.open.add(sock)
            threading.Thread(target=self.serve, args=(session,),
                             daemon=True).start()

    def serve(self, session):
        session.sock.settimeout(SESSION_S)
        try:
            session.run()
        except (Gone, OSError):
            pass
        with self.changed:
            self.open.discard(session.sock)
        try:
            session.sock.shutdown(socket.SHUT_RDWR)
        except OSError:
            pass
        session.sock.close()

    def keep(self, letter):
        with self.changed:
            self.letters.append(letter)
            n = len(self.letters)
            if self.out:
                with open(f"{self.out}/{n}.eml", "wb") as f:
                    f.write(letter.data)
                with open(f"{self.out}/.{n}.json", "w") as f:
                    json.dump(letter.as_dict(), f)
                os.rename(f"{self.out}/.{n}.json", f"{self.out}/{n}.json")
            self.changed.notify_all()

    def wait(self, n, timeout=10):
        """The letters, as soon as there are n; fewer when the time is up."""
        end = time.monotonic() + timeout
        with self.changed:
            while len(self.letters) < n and time.monotonic() < end:
                self.changed.wait(end - time.monotonic())
            return list(self.letters)

    def close(self):
        try:
            self.server.shutdown(socket.SHUT_RDWR)
        except OSError:
            pass
        self.server.close()
        self.hang_up()

    def hang_up(self):
        """Ends the sessions that there are, idle ones too."""
        with self.changed:
            for sock in self.open:
                try:
                    sock.shutdown(socket.SHUT_RDWR)
                except OSError:
                    pass

    def __enter__(self):
        return self

    def __exit__(self, *exc):
        self.close()


def main():
    p = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    p.add_argument("--address", default="127.0.0.1")
    p.add_argument("--port", type=int, default=0)
    p.add_argument("--unix")
    p.add_argument("--out")
    p.add_argument("behaviour", nargs="*")
    a = p.parse_args()
    behave = {}
    for word in a.behaviour:
        key, _, value = word.partition("=")
        behave[key] = value
    if a.out:
        os.makedirs(a.out, exist_ok=True)
    sink = Sink(a.address, a.port, a.unix, a.out, behave)
    print("ready", sink.address, sink.port, flush=True)
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    while True:
        time.sleep(3600)


if __name__ == "__main__":
    main()
