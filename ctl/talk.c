/*
 * ctl/talk.c - the admin's command on control.sock: it greets master, asks, and
 * hands over what comes back. Others than master are reached over a channel
 * that master makes and passes on.
 */
#include <errno.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "config.h"
#include "ctl/ctl.h"
#include "lib/clock.h"
#include "lib/log.h"

/* Rebuilding a large spool takes minutes, listing it too: no limit that a
 * person would not set himself with ctrl-C. */
#define ANSWER_MS ((int64_t)24 * 3600 * 1000)

/* A question under way. */
struct question {
	record_fn *fn;
	void *arg;
	int status;
	bool done, quiet;
};

static const struct ipc_handler nothing[] = { IPC_HANDLERS_END };

static int
connect_control(const char *path)
{
	struct sockaddr_un un = { .sun_family = AF_UNIX };
	int fd, error;

	if (span_copy(span_str(path), un.sun_path, sizeof(un.sun_path)) ==
	    -1) {
		errno = ENAMETOOLONG;
		return -1;
	}
	if ((fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0)) == -1)
		return -1;
	if (connect(fd, (struct sockaddr *)&un, sizeof(un)) == 0)
		return fd;
	error = errno;
	close(fd);
	errno = error;
	return -1;
}

static int
not_there(const struct ctl *c, const char *path, bool quiet)
{
	bool away = errno == ENOENT || errno == ECONNREFUSED ||
	    errno == ENOTDIR;
	int status = away ? EX_UNAVAILABLE :
	    errno == EACCES || errno == EPERM ? EX_NOPERM : EX_OSERR;

	if (quiet)
		return status;
	if (away)
		complain("barid is not running (%s %s); start it with: "
		    "barid%s%s start", errno == ENOENT ? "no" :
		    "nobody listens on", path,
		    c->test_dir == NULL ? "" : " --test ",
		    c->test_dir == NULL ? "" : c->test_dir);
	else
		complain("%s: %s%s", path, strerror(errno),
		    status == EX_NOPERM ? "; this is for root" : "");
	return status;
}

int
talk_open(struct talk *t, const struct ctl *ctl, bool quiet)
{
	char path[1200];
	struct ipc_writer w;
	int fd;

	*t = (struct talk){ .ctl = ctl };
	snprintf(path, sizeof(path), "%s/control.sock", ctl->run);
	if ((fd = connect_control(path)) == -1)
		return not_there(ctl, path, quiet);
	loop_init(&t->loop);
	channel_init(&t->master, &t->loop, ROLE_CTL, ROLE_MASTER, nothing, t);
	channel_open(&t->master, fd);
	w = ipc_begin(&t->master, IPC_HELLO, 0, 0);
	ipc_put_u16(&w, IPC_VERSION);
	ipc_put_u8(&w, ROLE_CTL);
	ipc_put_u16(&w, 0);
	ipc_put_str(&w, VERSION);
	ipc_end(&w);
	t->open = true;
	return 0;
}

void
talk_close(struct talk *t)
{
	if (!t->open)
		return;
	if (t->peer.loop != NULL)
		channel_close(&t->peer);
	channel_close(&t->master);
	loop_clear(&t->loop);
	t->open = false;
}

bool
talk_wait_end(struct talk *t, int64_t ms)
{
	int64_t until = clock_boot_ms() + ms;

	while (channel_is_open(&t->master) && clock_boot_ms() < until)
		loop_run_once(&t->loop, 200);
	return !channel_is_open(&t->master);
}

static int
on_answer(void *arg, struct ipc_msg *m)
{
	struct question *q = arg;
	struct fields f;
	struct ipc_reader rd;
	struct span text;
	int n;

	if (m == NULL) {
		complain("the program that was asked has ended");
		q->status = EX_UNAVAILABLE;
		q->done = true;
		return 0;
	}
	if (m->type == IPC_CTL_RECORD) {
		if ((n = ctl_fields(m, f.list, CTL_FIELDS_MAX)) == -1)
			return -1;
		f.n = (size_t)n;
		if (q->fn != NULL)
			q->fn(q->arg, &f);
		return 0;
	}
	rd = ipc_reader(m);
	q->status = ipc_get_u8(&rd);
	text = ipc_get_span(&rd, IPC_TEXT_MAX);
	if (!ipc_at_end(&rd))
		return -1;
	q->done = true;
	if (text.len > 0 && !(q->quiet && q->status != 0)) {
		fputs(q->status == 0 ? "" : "barid: ", stderr);
		put_lines(stderr, text);
		if (text.p[text.len - 1] != '\n')
			fputc('\n', stderr);
	}
	return 0;
}

static int
on_opened(void *arg, struct ipc_msg *m)
{
	struct talk *t = arg;
	struct ipc_reader rd;

	if (m == NULL)
		return 0;
	rd = ipc_reader(m);
	if (ipc_get_u8(&rd) != 0 && m->fd != -1)
		channel_open(&t->peer, ipc_take_fd(m));
	return 0;
}

/* The channel to ask on, or NULL after a complaint. */
static struct channel *
talk_to(struct talk *t, enum role role)
{
	int64_t until = clock_boot_ms() + CTL_REPLY_MS;
	struct ipc_writer w;

	if (role == ROLE_MASTER)
		return &t->master;
	if (t->peer.loop == NULL || t->peer.peer != role) {
		if (t->peer.loop != NULL)
			channel_close(&t->peer);
		channel_init(&t->peer, &t->loop, ROLE_CTL, role, nothing, t);
	}
	if (channel_is_open(&t->peer))
		return &t->peer;
	w = ipc_begin(&t->master, IPC_CTL_OPEN, channel_request(&t->master,
	    CTL_REPLY_MS, on_opened, t), 0);
	ipc_put_u8(&w, (uint8_t)role);
	ipc_end(&w);
	while (!channel_is_open(&t->peer) && channel_is_open(&t->master) &&
	    clock_boot_ms() < until)
		loop_run_once(&t->loop, 50);
	if (channel_is_open(&t->peer))
		return &t->peer;
	complain("%s is not there at the moment: see barid status",
	    role_name(role));
	return NULL;
}

int
talk_ask(struct talk *t, enum role role, const struct span *words, size_t n,
    record_fn *fn, void *arg)
{
	struct question q = { .fn = fn, .arg = arg, .quiet = t->quiet };
	struct channel *ch = talk_to(t, role);
	struct ipc_writer w;
	uint32_t request;
	size_t i;

	if (ch == NULL)
		return EX_UNAVAILABLE;
	request = channel_request(ch, ANSWER_MS, on_answer, &q);
	w = ipc_begin(ch, IPC_CTL, request, 0);
	ipc_put_u16(&w, (uint16_t)n);
	for (i = 0; i < n; i++)
		ipc_put_span(&w, words[i]);
	if (ipc_end(&w) == -1 && channel_is_open(ch)) {
		channel_forget(ch, request);
		complain("the question is too long");
		return EX_USAGE;
	}
	/* Whoever reads us may have seen enough: barid queue | head. */
	while (!q.done && !ferror(stdout))
		loop_run_once(&t->loop, 1000);
	if (q.done)
		return q.status;
	channel_forget(ch, request);
	return EX_IOERR;
}

const struct ctl_field *
field(const struct fields *f, const char *key)
{
	size_t i;

	for (i = 0; i < f->n; i++)
		if (span_eqstr(f->list[i].key, key))
			return &f->list[i];
	return NULL;
}

struct span
field_text(const struct fields *f, const char *key)
{
	const struct ctl_field *x = field(f, key);

	return x == NULL || x->kind != CTL_TEXT ? span_make("", 0) : x->text;
}

uint64_t
field_number(const struct fields *f, const char *key)
{
	const struct ctl_field *x = field(f, key);

	return x == NULL ? 0 : x->number;
}
