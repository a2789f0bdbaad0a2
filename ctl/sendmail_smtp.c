/*
 * ctl/sendmail_smtp.c - one letter, or a whole dialogue, over submit.sock.
 * Plain blocking SMTP: the other end is smtpd on this host, which proves by
 * the kernel who we are.
 */
#include <err.h>
#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sysexits.h>
#include <time.h>
#include <unistd.h>

#include "config.h"
#include "ctl/sendmail.h"
#include "lib/clock.h"
#include "lib/mail/addr.h"
#include "lib/mail/dot.h"
#include "lib/mail/params.h"
#include "lib/mail/utf8.h"
#include "lib/mem.h"

#define PAUSE_MS  250   /* between two tries */
#define REPLY_S   600   /* for one reply */
#define BLOCK     32768 /* octets of text at a time */
#define LINE_MAX_OCTETS 1024
#define REPLY_MAX 65536

/* Beyond sysexits: the suite is away or says that it soon will be. */
#define ST_AGAIN (-1)

struct dialogue {
	int fd;
	struct buf in;
	unsigned code;                /* of the last reply */
	char text[LINE_MAX_OCTETS];   /* its last line */
	char account[ADDR_TEXT];      /* XACCOUNT of EHLO */
};

static int
submit_connect(const struct sendmail *m)
{
	struct sockaddr_un un = { .sun_family = AF_UNIX };
	struct timeval tv = { REPLY_S, 0 };
	int fd, n;

	n = m->test_dir != NULL ?
	    snprintf(un.sun_path, sizeof(un.sun_path), "%s/run/submit.sock",
		m->test_dir) :
	    snprintf(un.sun_path, sizeof(un.sun_path), "%s/submit.sock",
		PATH_RUN);
	if (n >= (int)sizeof(un.sun_path)) {
		errno = ENAMETOOLONG;
		return -1;
	}
	if ((fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0)) == -1)
		return -1;
	if (connect(fd, (struct sockaddr *)&un, sizeof(un)) == -1) {
		int error = errno;

		close(fd);
		errno = error;
		return -1;
	}
	setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &tv, sizeof(tv));
	setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &tv, sizeof(tv));
	return fd;
}

/* -- replies --------------------------------------------------------------- */

/* One line without CRLF into d->text; 0, or -1: the connection is over. */
static int
line_read(struct dialogue *d)
{
	struct span s;
	ssize_t lf, n;
	char *to;

	while ((lf = span_find(buf_span(&d->in), '\n')) == -1) {
		if ((to = buf_reserve(&d->in, 4096)) == NULL ||
		    (n = read(d->fd, to, 4096)) <= 0)
			return -1;
		buf_grow(&d->in, (size_t)n);
	}
	s = span_trim(span_make(buf_span(&d->in).p, (size_t)lf));
	if (s.len > 0 && s.p[s.len - 1] == '\r')
		s.len--;
	if (s.len >= sizeof(d->text))
		s.len = sizeof(d->text) - 1;
	memcpy(d->text, s.p, s.len);
	d->text[s.len] = '\0';
	buf_drop(&d->in, (size_t)lf + 1);
	return 0;
}

/* A whole reply; d->code is 0 when there is none. */
static unsigned
reply_read(struct dialogue *d)
{
	uint64_t code;

	d->code = 0;
	do {
		if (line_read(d) == -1 || strlen(d->text) < 3 ||
		    span_u64(span_make(d->text, 3), 599, &code) == -1)
			return 0;
		if (span_prefix(span_str(d->text + 3), "-XACCOUNT "))
			snprintf(d->account, sizeof(d->account), "%s",
			    d->text + strlen("250-XACCOUNT "));
	} while (d->text[3] == '-');
	return d->code = (unsigned)code;
}

static int
say(struct dialogue *d, const struct buf *b)
{
	return buf_write_all(b, d->fd);
}

static unsigned
ask(struct dialogue *d, const char *line)
{
	struct buf b = BUF_INIT(LINE_MAX_OCTETS * 4);

	d->code = 0;
	if (buf_addf(&b, "%s\r\n", line) == 0 && say(d, &b) == 0)
		reply_read(d);
	buf_clear(&b);
	return d->code;
}

/* What a reply means for the exit: ST_AGAIN while the suite comes and goes. */
static int
reply_status(const struct dialogue *d, int permanent)
{
	if (d->code == 0 || d->code == 421 ||
	    (d->code == 451 && strstr(d->text, " 4.3.") != NULL))
		return ST_AGAIN;
	if (d->code >= 200 && d->code < 400)
		return EX_OK;
	warnx("%s", d->text);
	return d->code < 500 ? EX_TEMPFAIL : permanent;
}

/* -- the envelope ---------------------------------------------------------- */

/* "user" here is user@ the domain that the suite gave us. */
static char *
qualify(const struct sendmail *m, const char *address)
{
	const char *at = strrchr(m->address, '@');

	if (address[0] == '\0' || strchr(address, '@') != NULL || at == NULL)
		return xstrdup(address);
	return xasprintf("%s%s", address, at);
}

static bool
needs_utf8(const struct sendmail *m)
{
	size_t i;

	if (!utf8_is_ascii(span_str(m->from)))
		return true;
	for (i = 0; i < m->nrcpts; i++)
		if (!utf8_is_ascii(span_str(m->rcpts[i])))
			return true;
	return false;
}

/* Once we know who we are: addresses become whole, and so does the letter. */
static int
prepare(struct sendmail *m, const struct dialogue *d)
{
	struct span from;
	struct addr a;
	char *whole;
	size_t i;

	if (m->address != NULL)
		return EX_OK;
	m->address = xstrdup(d->account);
	from = m->from == NULL ? span_str(m->address) :
	    span_trim(span_str(m->from));
	if (from.len >= 2 && from.p[0] == '<' && from.p[from.len - 1] == '>')
		from = span_make(from.p + 1, from.len - 2);
	whole = span_dup(from);
	m->from = qualify(m, whole);
	free(whole);
	/* whoever calls us may have it from a stranger: no line may end in it */
	if (addr_parse_text(span_str(m->from), &a) == -1) {
		warnx("-f: that is no address");
		return EX_USAGE;
	}
	for (i = 0; i < m->nrcpts; i++) {
		whole = qualify(m, m->rcpts[i]);
		free(m->rcpts[i]);
		m->rcpts[i] = whole;
	}
	letter_prepare(m);
	return EX_OK;
}

static int
send_mail(struct sendmail *m, struct dialogue *d)
{
	struct buf line = BUF_INIT(LINE_MAX_OCTETS * 2);

	buf_addf(&line, "MAIL FROM:<%s>", m->from);
	if (!utf8_is_ascii(buf_span(&m->ready)))
		buf_add_str(&line, " BODY=8BITMIME");
	if (needs_utf8(m))
		buf_add_str(&line, " SMTPUTF8");
	if (m->ret != NULL)
		buf_addf(&line, " RET=%s", m->ret);
	if (m->envid != NULL) {
		buf_add_str(&line, " ENVID=");
		xtext_encode(&line, span_str(m->envid));
	}
	ask(d, buf_str(&line));
	buf_clear(&line);
	return reply_status(d, EX_DATAERR);
}

/* All recipients; *taken is how many can have it, *refused the status to exit
 * with when some cannot. ST_AGAIN: nothing has been sent yet. */
static int
send_rcpts(struct sendmail *m, struct dialogue *d, size_t *taken, int *refused)
{
	char line[LINE_MAX_OCTETS];
	size_t i;
	int status;

	for (i = 0; i < m->nrcpts; i++) {
		snprintf(line, sizeof(line), "RCPT TO:<%s>%s%s", m->rcpts[i],
		    m->notify != NULL ? " NOTIFY=" : "",
		    m->notify != NULL ? m->notify : "");
		ask(d, line);
		if ((status = reply_status(d, EX_NOUSER)) == ST_AGAIN)
			return ST_AGAIN;
		if (status == EX_OK) {
			(*taken)++;
			continue;
		}
		fprintf(stderr, "sendmail: %s did not get it\n", m->rcpts[i]);
		*refused = status;
	}
	return EX_OK;
}

static int
send_text(struct sendmail *m, struct dialogue *d)
{
	struct dot_stuff state = { 0 };
	struct buf out = BUF_INIT(2 * BLOCK + 16);
	struct span rest = buf_span(&m->ready), block;
	int rv = 0;

	while (rv == 0 && rest.len > 0) {
		block = span_make(rest.p, rest.len < BLOCK ? rest.len : BLOCK);
		rest = span_from(rest, block.len);
		if (dot_stuff(&state, block, &out) == -1 ||
		    say(d, &out) == -1)
			rv = -1;
		buf_reset(&out);
	}
	if (rv == 0 && dot_stuff_end(&state, &out) == 0 && say(d, &out) == 0)
		reply_read(d);
	else
		d->code = 0;
	buf_clear(&out);
	return reply_status(d, EX_UNAVAILABLE);
}

static int
transaction(struct sendmail *m, struct dialogue *d)
{
	size_t taken = 0;
	int status, refused = EX_OK;

	if ((status = send_mail(m, d)) != EX_OK ||
	    (status = send_rcpts(m, d, &taken, &refused)) != EX_OK)
		return status;
	if (taken == 0)
		return refused;
	ask(d, "DATA");
	if ((status = reply_status(d, EX_UNAVAILABLE)) != EX_OK ||
	    (status = send_text(m, d)) != EX_OK)
		return status;
	ask(d, "QUIT");
	return refused;
}

static int
attempt(struct sendmail *m)
{
	struct dialogue d = { .in = BUF_INIT(REPLY_MAX) };
	int status;

	if ((d.fd = submit_connect(m)) == -1) {
		if (errno == EACCES || errno == ENAMETOOLONG) {
			warn("submit.sock");
			return EX_NOPERM;
		}
		return ST_AGAIN;
	}
	reply_read(&d);
	if ((status = reply_status(&d, EX_UNAVAILABLE)) == EX_OK) {
		ask(&d, "EHLO localhost");
		status = reply_status(&d, EX_UNAVAILABLE);
	}
	if (status == EX_OK && d.account[0] == '\0') {
		warnx("the suite does not say who we are");
		status = EX_PROTOCOL;
	}
	if (status == EX_OK && (status = prepare(m, &d)) == EX_OK)
		status = transaction(m, &d);
	buf_clear(&d.in);
	close(d.fd);
	return status;
}

static void
rest_ms(long ms)
{
	struct timespec ts = { ms / 1000, ms % 1000 * 1000000 };

	nanosleep(&ts, NULL);
}

int
submit_letter(struct sendmail *m)
{
	bool told = false;
	int status;

	while ((status = attempt(m)) == ST_AGAIN) {
		if (clock_boot_ms() >= m->deadline_ms) {
			warnx("barid does not run or cannot take mail now");
			return EX_TEMPFAIL;
		}
		if (!told && isatty(STDERR_FILENO)) {
			warnx("barid does not take mail now; trying for two "
			    "minutes");
			told = true;
		}
		rest_ms(PAUSE_MS);
	}
	return status;
}

/* -- -bs ------------------------------------------------------------------- */

/* Programs write lines with LF alone; the wire wants CRLF. */
static int
copy_in(int fd, bool *cr)
{
	char in[4096];
	struct buf out = BUF_INIT(2 * sizeof(in));
	ssize_t n = read(STDIN_FILENO, in, sizeof(in)), i;
	int rv = 0;

	for (i = 0; i < n; i++) {
		if (in[i] == '\n' && !*cr)
			buf_add_char(&out, '\r');
		buf_add_char(&out, in[i]);
		*cr = in[i] == '\r';
	}
	if (n <= 0)
		shutdown(fd, SHUT_WR);
	else
		rv = buf_write_all(&out, fd);
	buf_clear(&out);
	return n <= 0 || rv == -1 ? -1 : 0;
}

static int
copy_out(int fd)
{
	char in[4096];
	ssize_t n = read(fd, in, sizeof(in));
	struct buf out = BUF_INIT(sizeof(in));
	int rv = -1;

	if (n > 0 && buf_add(&out, in, (size_t)n) == 0)
		rv = buf_write_all(&out, STDOUT_FILENO);
	buf_clear(&out);
	return rv;
}

int
submit_dialogue(struct sendmail *m)
{
	struct pollfd p[2];
	bool cr = false;
	int fd;

	while ((fd = submit_connect(m)) == -1) {
		if (clock_boot_ms() >= m->deadline_ms || errno == EACCES) {
			warn("submit.sock");
			return EX_TEMPFAIL;
		}
		rest_ms(PAUSE_MS);
	}
	p[0] = (struct pollfd){ STDIN_FILENO, POLLIN, 0 };
	p[1] = (struct pollfd){ fd, POLLIN, 0 };
	for (;;) {
		if (poll(p, 2, -1) == -1 && errno != EINTR)
			return EX_OSERR;
		if (p[0].revents != 0 && copy_in(fd, &cr) == -1)
			p[0].fd = -1; /* its end; replies still come */
		if (p[1].revents != 0 && copy_out(fd) == -1)
			return EX_OK;
	}
}
