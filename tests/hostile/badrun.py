#!/usr/bin/env python3
"""Replays hostile dialogues (*.bad) against a mail server and checks the replies.

    badrun.py --host 127.0.0.1 --smtp 2525 --submission 2587 --submissions 2465 \\
              --pop3 2110 --pop3s 2995 --imap 2143 --imaps 2993 \\
              --user alice --password secret --domain example.test  FILE.bad ...

Prints each failure and, last, 'N passed, N failed'. Exit status 0 when nothing failed. Cases whose
port was not given are skipped. Standard library only. See README for what the server under test
must be configured like, and for the file format.
"""
import argparse, base64, fcntl, fnmatch, os, re, socket, ssl, sys, time, traceback

PORTS = ('smtp', 'submission', 'submissions', 'pop3', 'pop3s', 'imap', 'imaps', 'lmtp')
TLS_PORTS = ('submissions', 'pop3s', 'imaps')

class Fail(Exception):
    pass

# ---------------------------------------------------------------- case files
class Case:
    def __init__(self, name, title, path, line):
        self.name, self.title, self.path, self.line = name, title, path, line
        self.on, self.tags, self.max, self.ref, self.steps = 'smtp', [], 30.0, '', []

def load(path):
    cases, cur = [], None
    for n, raw in enumerate(open(path, encoding='ascii'), 1):
        l = raw.rstrip('\n')
        if not l.strip() or l.startswith('#'):
            continue
        if l.startswith('case '):
            f = l.split(None, 2)
            cur = Case(f[1], f[2] if len(f) > 2 else '', path, n)
            cases.append(cur)
        elif cur is None:
            raise SystemExit('%s:%d: no case yet' % (path, n))
        else:
            l = l[2:] if l.startswith('  ') else l
            k, _, v = l.partition(' ')
            if k == 'on:':
                cur.on = v.strip()
            elif k == 'tags:':
                cur.tags = v.split()
            elif k == 'max:':
                cur.max = float(v)
            elif k == 'ref:':
                cur.ref = v
            else:
                cur.steps.append((n, k, v))
    return cases

# ---------------------------------------------------------------- text with escapes and variables
def unescape(s, vars_):
    """the bytes of one step: ${var}, ${x N text}, ${b64 text}, then \\r \\n \\t \\0 \\\\ \\xHH"""
    def esc(t):
        out, i = bytearray(), 0
        while i < len(t):
            c = t[i]
            if c == '\\' and i + 1 < len(t):
                d = t[i + 1]
                if d == 'x':
                    out.append(int(t[i + 2:i + 4], 16)); i += 4; continue
                out += {'r': b'\r', 'n': b'\n', 't': b'\t', '0': b'\0'}.get(d, d.encode('latin-1'))
                i += 2; continue
            out += c.encode('latin-1'); i += 1
        return bytes(out)
    def expand(t):
        out, i = b'', 0
        while True:
            j = t.find('${', i)
            if j < 0:
                return out + esc(t[i:])
            out += esc(t[i:j])
            depth, k = 1, j + 2
            while depth:
                if t.startswith('${', k):
                    depth += 1; k += 2
                elif t[k] == '}':
                    depth -= 1; k += 1
                else:
                    k += 1
            w = t[j + 2:k - 1]
            if w.startswith('x '):
                _, num, what = w.split(' ', 2)
                out += expand(what) * int(num)
            elif w.startswith('b64 '):
                out += base64.b64encode(expand(w[4:]))
            else:
                out += vars_[w].encode('latin-1')
            i = k
    return expand(s)

def pattern(s, vars_):
    s = re.sub(r'\$\{(\w+)\}', lambda m: re.escape(vars_[m.group(1)]), s)
    return re.compile(s.encode('latin-1'), re.S)

# ---------------------------------------------------------------- connection
class Conn:
    def __init__(self, run, on, timeout):
        self.proto = {'submission': 'smtp', 'submissions': 'smtp', 'lmtp': 'smtp', 'pop3s': 'pop3',
                      'imaps': 'imap'}.get(on, on)
        self.timeout, self.eof, self.buf, self.clear = timeout, False, b'', None
        self.s = socket.create_connection((run.a.host, run.ports[on]), timeout)
        self.s.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        if on in TLS_PORTS:
            self.starttls()
    def starttls(self):
        if self.buf:
            raise Fail('plaintext data after the reply to STARTTLS: %r' % self.buf[:200])
        ctx = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        ctx.check_hostname, ctx.verify_mode = False, ssl.CERT_NONE
        self.clear = self.s.dup()               # for going on in clear text after TLS ('U')
        try:
            self.s = ctx.wrap_socket(self.s)
        except (OSError, ssl.SSLError) as e:
            raise Fail('TLS handshake: %s' % e)
    def stop_tls(self):
        """close_notify, then clear text on the same TCP connection"""
        self.s.settimeout(0.5)
        try:
            self.s.unwrap()
        except (OSError, ssl.SSLError, ValueError):
            pass
        self.s, self.buf, self.eof = self.clear, b'', False
    def fill(self, timeout):
        """one read; False at EOF, None on timeout"""
        if self.eof:
            return False
        self.s.settimeout(max(timeout, 0.01))
        try:
            d = self.s.recv(65536)
        except (socket.timeout, ssl.SSLWantReadError):
            return None
        except (OSError, ssl.SSLError):
            d = b''
        if not d:
            self.eof = True
            return False
        self.buf += d
        return True
    def line(self, end, limit=1 << 22):
        while b'\n' not in self.buf:
            r = self.fill(end - time.monotonic())
            if r is False:
                raise EOFError
            if r is None or len(self.buf) > limit:
                raise Fail('no reply in time, so far %r' % self.buf[:200])
        l, _, self.buf = self.buf.partition(b'\n')
        return l + b'\n'
    def exactly(self, n, end):
        while len(self.buf) < n:
            r = self.fill(end - time.monotonic())
            if r is False:
                raise EOFError
            if r is None:
                raise Fail('literal cut short')
        d, self.buf = self.buf[:n], self.buf[n:]
        return d
    def reply(self, pat=None):
        """SMTP: one whole reply. POP3: one line. IMAP: up to the line that matches 'pat' or ends a
        command; returns (text of the last line, all text)"""
        end, all_, bye = time.monotonic() + self.timeout, b'', None
        while True:
            try:
                l = self.line(end)
            except (EOFError, Fail):
                if bye is None:
                    raise
                return bye, all_
            if self.proto == 'imap':
                while True:
                    m = re.search(rb'\{(\d+)\}\r?\n$', l)
                    if not m:
                        break
                    l += self.exactly(int(m.group(1)), end) + self.line(end)
            all_ += l
            t = l.rstrip(b'\r\n')
            if self.proto == 'smtp':
                if not re.match(rb'\d\d\d[ -]', t) and not re.match(rb'\d\d\d$', t):
                    raise Fail('not an SMTP reply line: %r' % t[:200])
                if t[3:4] == b'-':
                    continue
                return all_.rstrip(b'\r\n'), all_
            if self.proto == 'pop3':
                return t, all_
            if pat is not None and pat.search(t):
                return t, all_
            if t.startswith(b'* BYE'):
                bye, end = t, min(end, time.monotonic() + 2)
            elif not t.startswith(b'* '):
                return t, all_
    def multiline(self):
        end, all_ = time.monotonic() + self.timeout, self.line(time.monotonic() + self.timeout)
        if not all_.startswith(b'+OK'):
            return all_
        while True:
            l = self.line(end)
            if l == b'.\r\n':
                return all_
            all_ += l[1:] if l.startswith(b'.') else l
    def send(self, d, ignore=False):
        self.s.settimeout(self.timeout)
        try:
            self.s.sendall(d)
        except (OSError, ssl.SSLError) as e:
            if not ignore:
                raise Fail('send: %s' % e)
            return False
        return True
    def drain(self, quiet=1.0):
        while True:
            r = self.fill(quiet)
            if not r:
                d, self.buf = self.buf, b''
                return d
            if len(self.buf) > 1 << 26:
                raise Fail('endless output')
    def close(self):
        for s in (self.s, self.clear):
            try:
                if s:
                    s.close()
            except OSError:
                pass

# ---------------------------------------------------------------- the mailbox of the user
class Mailbox:
    """reads new messages of --user, over IMAP or POP3 (or straight from an mbox file)"""
    def __init__(self, run):
        self.run, self.seen = run, {}
    def poll(self):
        a = self.run.a
        if a.mbox:
            d = b''
            if os.path.exists(a.mbox):
                with open(a.mbox, 'rb') as f:   # never half of a letter
                    fcntl.lockf(f, fcntl.LOCK_SH)
                    d = f.read()
            self.seen = {i: m for i, m in enumerate(re.split(rb'(?m)^(?=From )', d)) if m}
        elif 'imap' in self.run.ports or 'imaps' in self.run.ports:
            on = 'imaps' if 'imaps' in self.run.ports else 'imap'
            c = Conn(self.run, on, 30)
            try:
                c.reply(re.compile(rb'^\* (OK|PREAUTH)'))
                if on == 'imap':
                    c.send(b's STARTTLS\r\n'); c.reply(); c.starttls()
                c.send(('l LOGIN "%s" "%s"\r\n' % (a.user, a.password)).encode())
                r = c.reply()[0]
                if b'OK' not in r:
                    raise Fail('mailbox check: %r' % r[:200])
                c.send(b'x EXAMINE INBOX\r\n'); _, t = c.reply()
                m = re.search(rb'\* (\d+) EXISTS', t)
                if not m or not int(m.group(1)):
                    return
                hi = max(self.seen, default=0)
                c.send(b'f UID FETCH %d:* (UID BODY.PEEK[])\r\n' % (hi + 1))
                self.fetch(c)
                c.send(b'q LOGOUT\r\n')
            finally:
                c.close()
        else:
            on = 'pop3s' if 'pop3s' in self.run.ports else 'pop3'
            c = Conn(self.run, on, 30)
            try:
                c.reply()
                if on == 'pop3' and not a.clear:
                    c.send(b'STLS\r\n'); c.reply(); c.starttls()
                c.send(('USER %s\r\n' % a.user).encode()); c.reply()
                c.send(('PASS %s\r\n' % a.password).encode())
                if not c.reply()[0].startswith(b'+OK'):
                    raise Fail('mailbox check: login')
                c.send(b'UIDL\r\n')
                for l in c.multiline().split(b'\r\n')[1:]:
                    f = l.split()
                    if len(f) == 2 and f[1] not in self.seen:
                        c.send(b'RETR %s\r\n' % f[0])
                        self.seen[f[1]] = c.multiline()
                c.send(b'QUIT\r\n'); c.reply()
            finally:
                c.close()
    def fetch(self, c):
        end = time.monotonic() + 60
        while True:
            l = c.line(end)
            body = b''
            while True:
                m = re.search(rb'\{(\d+)\}\r?\n$', l)
                if not m:
                    break
                body = c.exactly(int(m.group(1)), end)
                l += c.line(end)
            u = re.search(rb'UID (\d+)', l)
            if l.startswith(b'* ') and u:
                self.seen[int(u.group(1))] = body
            elif l.startswith(b'f '):
                return
    def find(self, tok, want, secs):
        end = time.monotonic() + secs
        while True:
            for retry in (1, 1, 0):             # a server may limit logins for a moment
                try:
                    self.poll()
                    break
                except (Fail, EOFError):
                    if not retry:
                        raise
                    time.sleep(2)
            hits = [m for m in self.seen.values() if tok in m]
            if (len(hits) >= want and want) or time.monotonic() > end:
                return hits
            time.sleep(0.3)

# ---------------------------------------------------------------- the runner
class Run:
    def __init__(self, a):
        self.a = a
        self.ports = {p: getattr(a, p) for p in PORTS if getattr(a, p)}
        self.mb = Mailbox(self)
        self.logpos = os.path.getsize(a.log) if a.log and os.path.exists(a.log) else 0
        self.serial = 0
        self.base = '%x%x' % (int(time.time()) & 0xffffff, os.getpid())
    def vars(self):
        a = self.a
        self.serial += 1
        return dict(user=a.user, password=a.password, domain=a.domain, rcpt='%s@%s' % (a.user, a.domain),
                    user2=a.user2 or a.user, rcpt2='%s@%s' % (a.user2 or a.user, a.domain),
                    sender='sender@%s' % a.remote, remote=a.remote, host=a.host, name=a.name or a.domain,
                    tok='tok%s%04d' % (self.base, self.serial), size=str(a.size))
    def login(self, c, on, v):
        if c.proto == 'smtp':
            self.smtp_hello(c)
            if on == 'submission':
                c.send(b'STARTTLS\r\n'); self.want(c, b'^220'); c.starttls()
                c.send(b'EHLO c.example\r\n'); self.want(c, b'^250')
            c.send(unescape('AUTH PLAIN ${b64 \\0${user}\\0${password}}\\r\\n', v)); self.want(c, b'^235')
        elif c.proto == 'pop3':
            self.want(c, b'^\\+OK')
            if on == 'pop3' and not self.a.clear:
                c.send(b'STLS\r\n'); self.want(c, b'^\\+OK'); c.starttls()
            c.send(unescape('USER ${user}\\r\\n', v)); self.want(c, b'^\\+OK')
            c.send(unescape('PASS ${password}\\r\\n', v)); self.want(c, b'^\\+OK')
        else:
            self.want(c, b'^\\* OK')
            if on == 'imap':
                c.send(b'lt STARTTLS\r\n'); self.want(c, b'^lt OK'); c.starttls()
            c.send(unescape('ll LOGIN "${user}" "${password}"\\r\\n', v)); self.want(c, b'^ll OK')
    def want(self, c, pat):
        try:
            t, all_ = c.reply(re.compile(pat))
        except EOFError:
            raise Fail('closed, wanted %r' % pat)
        if not re.search(pat, t, re.S):
            raise Fail('got %r, wanted %r' % (t[:200], pat))
        return all_
    def smtp_hello(self, c):
        self.want(c, b'^220')
        c.send(b'EHLO c.example\r\n')
        return self.want(c, b'^250')

    def authtime(self, on, num, slack):
        """a wrong password and an unknown user must take the same time and get the same words"""
        took, said = {}, {}
        for i in range(int(num)):
            for who in (self.a.user, 'nobody%d' % i):
                c = Conn(self, on, 30)
                try:
                    if c.proto == 'smtp':
                        self.smtp_hello(c)
                        if on == 'submission':
                            c.send(b'STARTTLS\r\n'); self.want(c, b'^220'); c.starttls()
                            c.send(b'EHLO c.example\r\n'); self.want(c, b'^250')
                        cmd = b'AUTH PLAIN ' + base64.b64encode(b'\0' + who.encode() + b'\0wrong') + b'\r\n'
                    elif c.proto == 'pop3':
                        self.want(c, b'^\\+OK')
                        if on == 'pop3' and not self.a.clear:
                            c.send(b'STLS\r\n'); self.want(c, b'^\\+OK'); c.starttls()
                        c.send(b'USER ' + who.encode() + b'\r\n'); self.want(c, b'^\\+OK')
                        cmd = b'PASS wrong\r\n'
                    else:
                        self.want(c, b'^\\* OK')
                        if on == 'imap':
                            c.send(b't STARTTLS\r\n'); self.want(c, b'^t OK'); c.starttls()
                        cmd = b'a LOGIN ' + who.encode() + b' wrong\r\n'
                    t = time.monotonic()
                    c.send(cmd)
                    said.setdefault(who == self.a.user, set()).add(c.reply()[0])
                    took.setdefault(who == self.a.user, []).append(time.monotonic() - t)
                finally:
                    c.close()
        med = {k: sorted(v)[len(v) // 2] for k, v in took.items()}
        if abs(med[True] - med[False]) > float(slack):
            raise Fail('known user %.3f s, unknown user %.3f s' % (med[True], med[False]))
        if said[True] != said[False]:
            raise Fail('different words: %r' % said)

    def case(self, k):
        v = self.vars()
        a = self.a
        t0 = time.monotonic()
        c = None
        last = b''
        try:
            for n, op, arg in k.steps:
                if time.monotonic() - t0 > k.max:
                    raise Fail('line %d: case took longer than %g s' % (n, k.max))
                try:
                    if c is None and op not in ('M', 'W', 'new', 'conns'):
                        c = Conn(self, k.on, min(a.timeout, k.max))
                    if op in ('S', 'S?', 'SM'):
                        p = pattern(arg, v)
                        try:
                            if op == 'SM':
                                t = last = c.multiline()
                            else:
                                t, last = c.reply(p)
                        except EOFError:
                            if op == 'S?':
                                continue
                            raise Fail('connection closed, wanted /%s/' % arg)
                        if not p.search(t):
                            raise Fail('got %r, wanted /%s/' % (t[:300], arg))
                    elif op == 'C':
                        c.send(unescape(arg, v) + b'\r\n')
                    elif op == 'R':
                        c.send(unescape(arg, v), ignore=True)
                    elif op == 'F':
                        num, _, what = arg.partition(' ')
                        d = unescape(what, v)
                        per = max(1, 65536 // max(1, len(d)))
                        left = int(num)
                        while left > 0 and c.send(d * min(per, left), ignore=True):
                            left -= per
                    elif op == 'N':
                        if c.buf or c.fill(float(arg)) is not None and not c.eof:
                            raise Fail('unexpected data %r' % c.buf[:300])
                        if c.eof:
                            raise Fail('connection closed, wanted silence')
                    elif op == 'X':
                        end = time.monotonic() + a.timeout
                        while not c.eof:
                            if c.fill(end - time.monotonic()) is None:
                                raise Fail('connection still open')
                    elif op == 'Z':
                        last = c.drain(float(arg or 1))
                    elif op in ('A', 'D'):
                        if not pattern(arg, v).search(last):
                            raise Fail('no /%s/ in %r' % (arg, last[:600]))
                    elif op in ('A!', 'D!'):
                        m = pattern(arg, v).search(last)
                        if m:
                            raise Fail('/%s/ in %r' % (arg, last[max(0, m.start() - 100):m.end() + 100]))
                    elif op == 'T':
                        c.starttls()
                    elif op == 'T?':            # a refused handshake is a good end of the case
                        try:
                            c.starttls()
                        except Fail as e:
                            if 'plaintext' in str(e):
                                raise
                            break
                    elif op == 'cap':           # not offered: nothing to test
                        if not pattern(arg, v).search(last):
                            break
                    elif op == 'authtime':
                        self.authtime(k.on, *arg.split())
                    elif op == 'U':
                        c.stop_tls()
                    elif op == 'W':
                        time.sleep(float(arg))
                    elif op == 'Q':
                        c.close()
                    elif op == 'H':
                        try:
                            c.s.shutdown(socket.SHUT_WR)
                        except OSError:
                            pass
                    elif op == 'new':
                        if c:
                            c.close()
                        c = Conn(self, (arg or k.on).strip(), min(a.timeout, k.max))
                    elif op == 'conns':
                        hold = []
                        try:
                            for _ in range(int(arg)):
                                hold.append(socket.create_connection((a.host, self.ports[k.on]), a.timeout))
                        except OSError:
                            pass
                        for s in hold:
                            s.close()
                    elif op == 'hello':
                        last = self.smtp_hello(c)
                    elif op == 'login':
                        self.login(c, k.on, v)
                    elif op == 'mail':
                        c.send(unescape('MAIL FROM:<${sender}>\\r\\n', v)); self.want(c, b'^250')
                        c.send(unescape('RCPT TO:<${rcpt}>\\r\\n', v)); self.want(c, b'^250')
                    elif op == 'data':
                        c.send(b'DATA\r\n'); self.want(c, b'^354')
                        c.send(unescape('From: <${sender}>\\r\\nSubject: ${tok}\\r\\n\\r\\n', v))
                    elif op == 'inbox':         # put N small messages with the token into the mailbox
                        m = Conn(self, 'smtp', a.timeout)
                        self.smtp_hello(m)
                        for _ in range(int(arg or 1)):
                            for cmd, ok in (('MAIL FROM:<${sender}>', b'^250'), ('RCPT TO:<${rcpt}>', b'^250'),
                                            ('DATA', b'^354'),
                                            ('From: a@b.example\\r\\nSubject: ${tok}\\r\\n\\r\\nhello ${tok}\\r\\n.', b'^250')):
                                m.send(unescape(cmd, v) + b'\r\n'); self.want(m, ok)
                        m.close()
                        if len(self.mb.find(v['tok'].encode(), int(arg or 1), a.deliver)) < int(arg or 1):
                            raise Fail('prepared message did not arrive')
                    elif op == 'M':
                        if a.no_mailbox:
                            continue
                        num, _, rest = arg.partition(' ')
                        lo, _, hi = num.partition('-')
                        lo, hi = int(lo), int(hi or lo)
                        hits = self.mb.find(v['tok'].encode(), lo, a.deliver if lo else a.absent)
                        if not lo <= len(hits) <= hi:
                            raise Fail('%d messages in the mailbox, wanted %s' % (len(hits), num))
                        if rest:
                            neg = rest.startswith('!')
                            p = pattern(rest.lstrip('!').strip(), v)
                            for h in hits:
                                m = p.search(h)
                                if bool(m) == neg:
                                    raise Fail('mailbox: %s /%s/ in %r' % ('found' if neg else 'no', rest,
                                               h[max(0, m.start() - 80):m.end() + 80] if m else h[:600]))
                    else:
                        raise SystemExit('%s:%d: what is %r?' % (k.path, n, op))
                except Fail as e:
                    raise Fail('line %d: %s' % (n, e))
                except EOFError:
                    raise Fail('line %d: connection closed' % n)
            if time.monotonic() - t0 > k.max:
                raise Fail('took %.1f s, limit %g s' % (time.monotonic() - t0, k.max))
        finally:
            if c:
                c.close()
        try:                                    # still alive? greets within 10 s
            p = Conn(self, k.on, 10)
            p.reply(re.compile(b'.'))
            p.close()
        except (OSError, EOFError, Fail) as e:
            raise Fail('afterwards the server does not greet: %s' % e)
        if a.log and os.path.exists(a.log):
            with open(a.log, 'rb') as f:
                f.seek(self.logpos)
                new = f.read()
                self.logpos = f.tell()
            m = re.search(a.log_bad.encode(), new)
            if m:
                s = new.rfind(b'\n', 0, m.start()) + 1
                raise Fail('log: %r' % new[s:new.find(b'\n', m.end())][:300])

def main():
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument('files', nargs='*')
    p.add_argument('--host', default='127.0.0.1')
    for n in PORTS:
        p.add_argument('--' + n, type=int)
    p.add_argument('--user', default='user'); p.add_argument('--password', default='password')
    p.add_argument('--user2', help='a second local user'); p.add_argument('--domain', default='example.test')
    p.add_argument('--name', help="the server's own host name, if it is not the domain")
    p.add_argument('--remote', default='remote.example', help='a domain that is not local')
    p.add_argument('--size', type=int, default=10240000, help="the server's message size limit")
    p.add_argument('--mbox', help='read the mailbox from this file instead of over IMAP or POP3')
    p.add_argument('--no-mailbox', action='store_true', help='skip the mailbox checks')
    p.add_argument('--log', help="the server's log file, watched for signs of a crash")
    p.add_argument('--log-bad', default=r'(?i)signal \d+|segfault|SIGSEGV|SIGABRT|core dumped|panic|assert|Sanitizer|overflow detected|double free')
    p.add_argument('--timeout', type=float, default=10); p.add_argument('--deliver', type=float, default=15)
    p.add_argument('--absent', type=float, default=2, help='how long to look for what must not arrive')
    p.add_argument('--only', help='shell pattern of case names'); p.add_argument('--tag'); p.add_argument('--skip-tag')
    p.add_argument('--clear', action='store_true', help='POP3 logins in clear: no STLS before them')
    p.add_argument('--list', action='store_true'); p.add_argument('-v', action='store_true')
    a = p.parse_args()
    here = os.path.dirname(os.path.abspath(__file__))
    files = a.files or sorted(os.path.join(here, f) for f in os.listdir(here) if f.endswith('.bad'))
    cases = [k for f in files for k in load(f)]
    names = [k.name for k in cases]
    for n in set(names):
        if names.count(n) > 1:
            raise SystemExit('two cases are called ' + n)
    cases = [k for k in cases if (not a.only or fnmatch.fnmatch(k.name, a.only)) and
             (not a.tag or a.tag in k.tags) and (not a.skip_tag or a.skip_tag not in k.tags)]
    if a.list:
        for k in cases:
            print('%-28s %-12s %-18s %s' % (k.name, k.on, ' '.join(k.tags), k.title))
        print('%d cases' % len(cases))
        return
    run = Run(a)
    good = bad = skipped = 0
    for k in cases:
        if k.on not in run.ports:
            skipped += 1
            continue
        t = time.monotonic()
        try:
            run.case(k)
            good += 1
            if a.v:
                print('ok   %-28s %.1fs' % (k.name, time.monotonic() - t), flush=True)
        except Fail as e:
            bad += 1
            print('FAIL %s [%s] %s (%s:%d): %s' % (k.name, ' '.join(k.tags), k.title, os.path.basename(k.path), k.line, e), flush=True)
        except OSError as e:
            bad += 1
            print('FAIL %s (%s:%d): %s' % (k.name, os.path.basename(k.path), k.line, e), flush=True)
        except Exception:
            bad += 1
            print('FAIL %s (%s:%d): runner error\n%s' % (k.name, os.path.basename(k.path), k.line, traceback.format_exc()), flush=True)
    if skipped:
        print('%d skipped (no port given)' % skipped)
    print('%d passed, %d failed' % (good, bad))
    sys.exit(bool(bad))

if __name__ == '__main__':
    main()
