/*
 * authd/dovecot.c - a client of Dovecot's auth socket, in authd -p, so that
 * passwords can stay where they are while mail moves. Master connects; many
 * questions share a connection; when it ends their logins are told 'later'.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "authd/outside.h"
#include "authd/pool.h"
#include "lib/log.h"
#include "lib/mail/base64.h"
#include "lib/mem.h"

#define CONNECT_MS 10000
#define IN_MAX     65536 /* of a line that is not complete; theirs have 8192 */
#define OUT_MAX    (1024u * 1024)
#define OUT_ROOM   (POOL_BUSY_PAM * LINE_ROOM)
#define LINE_ROOM  4096  /* a name, a password, both in base64, and words */
#define VERSION_MAJOR 1

struct dovecot {
	struct dovecot *next;
	struct outside *o;
	char *path;
	enum { DOWN, ASKED, GREETED, READY } state;
	bool version_seen, unwanted, told;
	int fd;
	struct watch watch;
	struct buf in, out;
	uint32_t last_id, request;
};

static void on_socket(void *arg, unsigned what);

/* Everybody who waits for it is told 'later'. */
static void
dovecot_down(struct dovecot *d, const char *why)
{
	struct question *q, *next;

	if (why != NULL && !d->told)
		log_warnx("Dovecot's %s: %s", d->path, why);
	d->told = d->told || why != NULL;
	if (d->fd != -1) {
		watch_clear(&d->watch);
		close(d->fd);
		d->fd = -1;
	}
	buf_wipe(&d->in);
	buf_wipe(&d->out);
	d->state = DOWN;
	for (q = d->o->questions; q != NULL; q = next) {
		next = q->next;
		if (q->dovecot == d)
			question_answer(q, PW_TEMP);
	}
}

static void
dovecot_flush(struct dovecot *d)
{
	struct span s = buf_span(&d->out);
	ssize_t n;

	while (s.len > 0) {
		n = send(d->fd, s.p, s.len, MSG_NOSIGNAL | MSG_DONTWAIT);
		if (n == -1 && errno == EINTR)
			continue;
		if (n == -1 && errno != EAGAIN && errno != EWOULDBLOCK) {
			dovecot_down(d, strerror(errno));
			return;
		}
		if (n == -1)
			break;
		explicit_bzero((void *)(uintptr_t)s.p, (size_t)n);
		buf_drop(&d->out, (size_t)n);
		s = buf_span(&d->out);
	}
	watch_set(&d->watch, s.len > 0 ? LOOP_READ | LOOP_WRITE : LOOP_READ);
}

static void
line_drop(struct question *q)
{
	if (q->line != NULL)
		explicit_bzero(q->line, strlen(q->line));
	x_free(&q->line);
}

/* What was asked before the handshake was over. */
static void
send_waiting(struct dovecot *d)
{
	struct question *q;
	bool full = false;

	for (q = d->o->questions; q != NULL; q = q->next) {
		if (q->dovecot != d || q->line == NULL)
			continue;
		full = buf_add_str(&d->out, q->line) == -1 || full;
		line_drop(q);
	}
	if (full)
		dovecot_down(d, "it takes no questions");
	else
		dovecot_flush(d);
}

static struct question *
question_find(const struct dovecot *d, uint32_t id)
{
	struct question *q;

	for (q = d->o->questions; q != NULL; q = q->next)
		if (q->dovecot == d && q->id == id)
			return q;
	return NULL;
}

/* Returns false when the connection has ended thereby. */
static bool
take_line(struct dovecot *d, struct span line)
{
	struct dovecot_reply r;
	struct question *q;

	if (dovecot_reply_parse(line, &r) == -1 ||
	    (r.kind == DOVECOT_VERSION && r.id != VERSION_MAJOR) ||
	    (r.kind >= DOVECOT_OK && d->state != READY)) {
		dovecot_down(d, "this is no auth socket of Dovecot 2");
		return false;
	}
	if (r.kind == DOVECOT_VERSION) {
		d->version_seen = true;
	} else if (r.kind == DOVECOT_DONE && d->version_seen) {
		d->state = READY;
		d->told = false;
		send_waiting(d);
		return d->state == READY;
	} else if (r.kind >= DOVECOT_OK &&
	    (q = question_find(d, r.id)) != NULL) {
		/* PLAIN has all it needs: CONT is none of our language. */
		question_answer(q, r.kind == DOVECOT_OK ? PW_OK :
		    r.kind == DOVECOT_FAIL && !r.temp ? PW_WRONG : PW_TEMP);
	}
	return true;
}

static void
take_lines(struct dovecot *d)
{
	struct span all = buf_span(&d->in), line;
	ssize_t nl;

	while ((nl = span_find(all, '\n')) != -1) {
		line = span_make(all.p, (size_t)nl);
		if (!take_line(d, line))
			return;
		all = span_from(all, (size_t)nl + 1);
	}
	buf_drop(&d->in, d->in.len - all.len);
}

static void
on_socket(void *arg, unsigned what)
{
	struct dovecot *d = arg;
	char *p;
	ssize_t n;

	if ((what & LOOP_WRITE) != 0)
		dovecot_flush(d);
	if ((what & LOOP_READ) == 0 || d->state == DOWN)
		return;
	if ((p = buf_reserve(&d->in, 8192)) == NULL) {
		dovecot_down(d, "a line without an end");
		return;
	}
	n = recv(d->fd, p, 8192, MSG_DONTWAIT);
	if (n == -1 && (errno == EAGAIN || errno == EINTR))
		return;
	if (n <= 0) {
		dovecot_down(d, n == 0 ? "it has closed the connection" :
		    strerror(errno));
		return;
	}
	buf_grow(&d->in, (size_t)n);
	take_lines(d);
}

static void
dovecot_greet(struct dovecot *d, int fd)
{
	d->fd = fd;
	d->state = GREETED;
	d->version_seen = false;
	watch_init(&d->watch, &d->o->daemon.loop, fd, on_socket, d);
	(void)buf_reserve(&d->out, OUT_ROOM); /* passwords: see dovecot_ask */
	(void)buf_addf(&d->out, "VERSION\t%d\t1\nCPID\t%d\n", VERSION_MAJOR,
	    (int)getpid());
	dovecot_flush(d);
}

static void
dovecot_free(struct dovecot *d)
{
	struct dovecot **at;

	for (at = &d->o->dovecots; *at != NULL; at = &(*at)->next)
		if (*at == d) {
			*at = d->next;
			break;
		}
	x_free(&d->path);
	x_free(&d);
}

static int
on_connected(void *arg, struct ipc_msg *m)
{
	struct dovecot *d = arg;
	struct ipc_reader rd;
	struct span complaint;
	char text[IPC_TEXT_MAX * 4 + 1];
	bool ok;
	int fd;

	d->state = DOWN;
	if (m == NULL) {
		dovecot_down(d, "master does not answer");
		return 0;
	}
	rd = ipc_reader(m);
	ok = ipc_get_u8(&rd) != 0;
	complaint = ipc_get_span(&rd, IPC_TEXT_MAX);
	fd = ipc_take_fd(m);
	if (!ipc_at_end(&rd) || ok != (fd != -1))
		fatalx("master breaks the contract");
	if (d->unwanted) {
		if (fd != -1)
			close(fd);
		dovecot_down(d, NULL);
		dovecot_free(d);
	} else if (!ok) {
		log_escape(complaint, text, sizeof(text));
		dovecot_down(d, text);
	} else {
		dovecot_greet(d, fd);
	}
	return 0;
}

static void
dovecot_connect(struct dovecot *d)
{
	struct channel *master = &d->o->daemon.master;
	uint32_t request = channel_request(master, CONNECT_MS, on_connected,
	    d);
	struct ipc_writer w = ipc_begin(master, IPC_UNIX_ASK, request, 0);

	ipc_put_str(&w, d->path);
	(void)ipc_end(&w);
	d->state = ASKED;
}

static struct dovecot *
dovecot_of(struct outside *o, const char *path)
{
	struct dovecot *d;

	for (d = o->dovecots; d != NULL; d = d->next)
		if (!d->unwanted && strcmp(d->path, path) == 0)
			return d;
	d = xcalloc(1, sizeof(*d));
	d->o = o;
	d->path = xstrdup(path);
	d->fd = -1;
	buf_init(&d->in, IN_MAX);
	buf_init(&d->out, OUT_MAX);
	d->next = o->dovecots;
	o->dovecots = d;
	return d;
}

void
dovecot_keep(struct outside *o, const struct conf *conf)
{
	struct dovecot *d, *next;
	size_t i;

	for (d = o->dovecots; d != NULL; d = next) {
		next = d->next;
		for (i = 0; i < conf->nusers; i++)
			if (conf->users[i].dovecot != NULL &&
			    strcmp(conf->users[i].dovecot, d->path) == 0)
				break;
		if (i < conf->nusers)
			continue;
		if (d->state == ASKED) {
			d->unwanted = true; /* until master's answer */
			continue;
		}
		dovecot_down(d, NULL);
		dovecot_free(d);
	}
}

/* As Dovecot knows its own services; submission is what Postfix calls it. */
static const char *
service_word(uint8_t service)
{
	return service == LISTEN_POP3 ? "pop3" : service == LISTEN_IMAP ?
	    "imap" : "smtp";
}

void
dovecot_ask(struct question *q, const char *path, uint8_t service,
    const char *user, const char *password)
{
	struct dovecot *d = dovecot_of(q->o, path);
	struct buf plain = BUF_INIT(LINE_ROOM), line = BUF_INIT(LINE_ROOM);
	char text[BASE64_TEXT(LINE_ROOM / 2) + 1];
	bool ok;

	q->dovecot = d;
	q->id = ++d->last_id;
	/* all at once: growing leaves copies behind */
	(void)buf_reserve(&plain, LINE_ROOM);
	(void)buf_reserve(&line, LINE_ROOM);
	ok = buf_add_char(&plain, '\0') == 0 &&
	    buf_add_str(&plain, user) == 0 &&
	    buf_add_char(&plain, '\0') == 0 &&
	    buf_add_str(&plain, password) == 0 &&
	    base64_encode(buf_span(&plain), text, sizeof(text)) != -1 &&
	    buf_addf(&line, "AUTH\t%u\tPLAIN\tservice=%s\tsecured\tnologin%s"
	    "%s\tresp=%s\n", (unsigned)q->id, service_word(service),
	    q->host[0] == '\0' ? "" : "\trip=", q->host, text) == 0;
	if (ok)
		q->line = xstrdup(buf_str(&line));
	explicit_bzero(text, sizeof(text));
	buf_wipe(&plain);
	buf_wipe(&line);
	if (!ok) /* longer than anything that Dovecot would take */
		question_answer(q, PW_WRONG);
	else if (d->state == READY)
		send_waiting(d);
	else if (d->state == DOWN)
		dovecot_connect(d);
}

void
dovecot_late(struct question *q)
{
	if (q->dovecot->state != READY)
		dovecot_down(q->dovecot, "it does not finish its greeting");
	else
		question_answer(q, PW_TEMP);
}

void
dovecot_forget(struct question *q)
{
	line_drop(q);
	q->dovecot = NULL;
}
