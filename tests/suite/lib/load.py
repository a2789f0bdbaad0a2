"""Clients that send while a suite is being hurt, and keep count: every letter
has an id, every copy that a client sends of it a number, since whoever gets no
250 must send again and may so make a second letter that no server can avoid."""
import collections
import os
import re
import socket
import threading
import time

from post import check

REPLY_S = 20        # the most that one reply may take
COPY = re.compile(rb"^X-Copy: (\S+)\r?$", re.M)


class Broken(Exception):
    """No reply, or one that asks to come again."""


class Client:
    """One SMTP session after another, a letter at a time."""

    def __init__(self, address, port, number):
        self.where = (address, port)
        self.number = number
        self.sock = None
        self.file = None

    def close(self):
        if self.sock:
            self.file.close()
            self.sock.close()
        self.sock = self.file = None

    def command(self, text, want):
        self.sock.sendall(text)
        self.reply(want)

    def reply(self, want):
        while True:
            line = self.file.readline()
            if len(line) < 4:
                raise Broken("closed")
            if line[3:4] != b"-":
                break
        if line[:1] in b"5":
            raise AssertionError(line)
        if line[:1] != want:
            raise Broken(line.decode(errors="replace").strip())

    def open(self):
        self.sock = socket.create_connection(self.where, REPLY_S)
        self.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.file = self.sock.makefile("rb")
        self.reply(b"2")
        self.command(b"EHLO load%d.test\r\n" % self.number, b"2")

    def attempt(self, rcpt, copy, size):
        """Sends one copy; OSError or Broken: there was no 250 for it."""
        if self.sock is None:
            self.open()
        self.command(b"MAIL FROM:<load@far.test>\r\n", b"2")
        self.command(b"RCPT TO:<%s>\r\n" % rcpt.encode(), b"2")
        self.command(b"DATA\r\n", b"3")
        head = (f"From: load@far.test\r\nX-Copy: {copy}\r\n"
                f"Subject: {copy}\r\n\r\n").encode()
        self.command(head + b"Some line of text, again and again.\r\n" *
                     (size // 37) + b".\r\n", b"2")


class Load:
    """clients threads send letters to `to(n)` until there are `total`, or
    until stop(). acked: the copies that got 250; tried: all that were sent;
    denied: the others, and what each was told instead."""

    def __init__(self, address, port, to, clients=8, total=None, size=2000,
                 pace_s=0.0, tag="l"):
        self.tag = tag      # so that one load is told from another
        self.address, self.port, self.to = address, port, to
        self.total, self.size, self.pace_s = total, size, pace_s
        self.lock = threading.Lock()
        self.acked, self.tried, self.refusals = {}, {}, collections.Counter()
        self.denied = {}
        self.faults = []
        self.next = 0
        self.ended = False
        self.threads = [threading.Thread(target=self.run, args=(n,),
                                         daemon=True) for n in range(clients)]

    def start(self):
        for t in self.threads:
            t.start()
        return self

    def stop(self, timeout=60):
        self.ended = True
        self.join(timeout)

    def join(self, timeout):
        end = time.monotonic() + timeout
        for t in self.threads:
            t.join(max(0, end - time.monotonic()))
        check(not any(t.is_alive() for t in self.threads),
              "clients did not end in", timeout, "s;", len(self.acked),
              "acknowledged;", dict(self.refusals))
        check(not self.faults, "refused for good:", self.faults[:3])

    def take(self):
        with self.lock:
            if self.ended or (self.total and self.next >= self.total):
                return None
            self.next += 1
            return self.next

    def run(self, number):
        client = Client(self.address, self.port, number)
        while (n := self.take()) is not None:
            try:
                self.letter(client, n)
            except AssertionError as e:
                self.faults.append(e)
                break
            if self.pace_s:
                time.sleep(self.pace_s)
        client.close()

    def letter(self, client, n):
        """Sends copies of letter n until one gets 250, or all is over."""
        rcpt, copies = self.to(n), 0
        while copies == 0 or not self.ended:
            copies += 1
            copy = f"{self.tag}{n}.{copies}"
            with self.lock:
                self.tried[copy] = rcpt
            try:
                client.attempt(rcpt, copy, self.size)
                with self.lock:
                    self.acked[copy] = rcpt
                return
            except (Broken, OSError) as e:
                with self.lock:
                    self.refusals[str(e)[:60]] += 1
                    self.denied[copy] = repr(e)
                client.close()
                time.sleep(0.05)


def copies_in(path):
    """copy -> how often it stands in this mailbox."""
    try:
        with open(path, "rb") as f:
            return collections.Counter(
                c.decode() for c in COPY.findall(f.read()))
    except FileNotFoundError:
        return collections.Counter()


def box_of(mail, rcpt):
    return os.path.join(mail, rcpt.split("@")[0])


def found_in(mail, load):
    """rcpt -> copies of this load, of all local mailboxes that it wrote to."""
    return {r: collections.Counter(
                {c: n for c, n in copies_in(box_of(mail, r)).items()
                 if re.match(load.tag + r"\d", c)})
            for r in set(load.tried.values())}


def missing(found, load):
    return [c for c, r in load.acked.items() if not found[r][c]]


def settle(mail, load, seconds):
    """Waits until all that was acknowledged is in its mailbox, then holds the
    books against one another. Returns words that tell how it went."""
    end = time.monotonic() + seconds
    while missing(found_in(mail, load), load) and time.monotonic() < end:
        time.sleep(0.2)
    found = found_in(mail, load)
    lost = missing(found, load)
    check(not lost, len(lost), "letters are lost of", len(load.acked),
          "acknowledged:", sorted(lost)[:10])
    for rcpt, copies in found.items():
        twice = [c for c, n in copies.items() if n > 1]
        check(not twice, "twice in the mailbox of", rcpt, twice[:10])
        strange = [c for c in copies if load.tried.get(c) != rcpt]
        check(not strange, "in a wrong mailbox:", rcpt, strange[:10])
    unasked = sum(1 for r, copies in found.items() for c in copies
                  if c not in load.acked)
    return (f"{len(load.acked)} acknowledged, 0 lost, 0 twice; "
            f"{unasked} delivered although their 250 was lost; "
            f"{sum(load.refusals.values())} attempts failed on the way")
