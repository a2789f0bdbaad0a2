/*
 * master/handout.c - what a fresh program gets, in this order: the welcome, who it
 * is, its part of the configuration, its channels, its listeners, its files.
 */
#include <errno.h>
#include <fcntl.h>
#include <sys/socket.h>
#include <unistd.h>

#include "config.h"
#include "lib/ipc/daemon.h"
#include "lib/log.h"
#include "master/master.h"

#define CONF_PIECE     60000
#define CONF_TEXT_MAX  (16u * 1024 * 1024)

static int
on_hello(void *arg, struct ipc_msg *msg)
{
	struct child *c = arg;
	struct ipc_reader rd = ipc_reader(msg);
	uint16_t version = ipc_get_u16(&rd);
	uint8_t role = ipc_get_u8(&rd);
	struct span package;
	char text[64 * 4 + 1];

	ipc_get_u16(&rd);
	package = ipc_get_span(&rd, 64);
	if (!ipc_at_end(&rd) || role != c->role)
		return -1;
	if (version != IPC_VERSION || !span_eqstr(package, VERSION)) {
		log_escape(package, text, sizeof(text));
		log_warnx("%s is version %s and master %s: restart barid",
		    role_name(c->role), text, VERSION);
		return -1;
	}
	return 0;
}

static void
tell_ready(struct master *m)
{
	struct event_out e;

	if (m->ready_told || !children_ready(m))
		return;
	m->ready_told = true;
	cells_tell(m);
	event_begin(&e, EV_START, 0, 0);
	event_str(&e, KEY_ROLE, "master");
	event_str(&e, KEY_TEXT, "barid " VERSION " is ready");
	event_send(&e);
	notify("READY=1");
}

static int
on_conf_done(void *arg, struct ipc_msg *msg)
{
	struct child *c = arg;
	struct ipc_reader rd = ipc_reader(msg);
	bool ok = ipc_get_u8(&rd) != 0;
	struct span complaint = ipc_get_span(&rd, IPC_TEXT_MAX);
	char text[IPC_TEXT_MAX + 1];

	if (!ipc_at_end(&rd))
		return -1;
	log_escape(complaint, text, sizeof(text));
	if (!ok)
		log_warnx("%s refuses its configuration: %s",
		    role_name(c->role), text);
	if (c->state == CHILD_STARTING)
		c->state = CHILD_UP;
	tell_ready(c->m);
	return 0;
}

#define COMMON { IPC_HELLO, on_hello }, { IPC_CONF_DONE, on_conf_done }

const struct ipc_handler *
master_handlers(enum role role)
{
	static const struct ipc_handler plain[] = { COMMON, IPC_HANDLERS_END };
	static const struct ipc_handler deliver[] = { COMMON,
		{ IPC_CHILD_ASK, on_child_ask }, IPC_HANDLERS_END };
	static const struct ipc_handler authd[] = { COMMON,
		{ IPC_GRANT, on_grant }, IPC_HANDLERS_END };
	static const struct ipc_handler pop3d[] = { COMMON,
		{ IPC_SESSION, on_session }, IPC_HANDLERS_END };
	static const struct ipc_handler outward[] = { COMMON,
		{ IPC_UNIX_ASK, on_unix_ask }, IPC_HANDLERS_END };
	static const struct ipc_handler queued[] = { COMMON,
		{ IPC_HUNG, on_hung }, IPC_HANDLERS_END };
	static const struct ipc_handler worker[] = { COMMON,
		{ IPC_RENEW, on_renew }, IPC_HANDLERS_END };
	static const struct ipc_handler forks[] = { COMMON,
		{ IPC_CHILD_EXIT, on_child_exit }, IPC_HANDLERS_END };

	switch (role) {
	case ROLE_QUEUED:
		return queued;
	case ROLE_DELIVER:
		return deliver;
	case ROLE_AUTHD:
		return authd;
	case ROLE_POP3D:
		return pop3d;
	case ROLE_RELAY:
	case ROLE_LOGD:
	case ROLE_AUTHP:
		return outward;
	case ROLE_AUTHW:
		return worker;
	case ROLE_DFORK:
	case ROLE_DRUN:
	case ROLE_PFORK:
		return forks;
	default:
		return plain;
	}
}

static void
send_welcome(struct child *c)
{
	struct ipc_writer w = ipc_begin(&c->ch, IPC_WELCOME, 0, 0);
	const struct identity *id = &c->m->ids[c->role];

	ipc_put_u16(&w, IPC_VERSION);
	ipc_put_u8(&w, (uint8_t)c->role);
	ipc_put_u16(&w, c->instance);
	ipc_put_str(&w, VERSION);
	ipc_end(&w);
	w = ipc_begin(&c->ch, IPC_IDENTITY, 0, 0);
	ipc_put_u32(&w, id->uid);
	ipc_put_u32(&w, id->gid);
	ipc_put_u8(&w, id->none);
	ipc_put_str(&w, id->root);
	ipc_put_u8(&w, c->m->test_dir != NULL);
	ipc_put_u8(&w, c->m->sandbox.log);
	ipc_put_u8(&w, c->m->sandbox.landlock_max);
	ipc_end(&w);
}

void
handout_conf(struct child *c)
{
	struct buf text = BUF_INIT(CONF_TEXT_MAX);
	struct span rest, piece;
	struct ipc_writer w;

	if (conf_format(c->m->conf, c->role, &text) == -1)
		fatalx("the configuration is too large");
	rest = buf_span(&text);
	do {
		piece = rest;
		if (piece.len > CONF_PIECE)
			piece.len = CONF_PIECE;
		rest = span_from(rest, piece.len);
		w = ipc_begin(&c->ch, IPC_CONF, 0, 0);
		ipc_put_u8(&w, rest.len == 0);
		ipc_put_span(&w, piece);
		ipc_end(&w);
	} while (rest.len > 0);
	buf_clear(&text);
}

static void
send_peer(struct child *to, enum role role, unsigned instance, int fd)
{
	struct ipc_writer w = ipc_begin(&to->ch, IPC_PEER, 0, 0);

	ipc_put_u8(&w, (uint8_t)role);
	ipc_put_u16(&w, (uint16_t)instance);
	ipc_put_fd(&w, fd);
	ipc_end(&w);
}

void
handout_wire(struct child *c)
{
	struct child *o;
	int sv[2];

	for (o = c->m->children; o != NULL; o = o->next) {
		if (o == c || o->pid == 0 ||
		    (role_row(c->role)->peers & ROLE_BIT(o->role)) == 0)
			continue;
		if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, sv) ==
		    -1) {
			log_warn("a channel for %s", role_name(c->role));
			continue;
		}
		send_peer(c, o->role, o->instance, sv[0]);
		send_peer(o, c->role, c->instance, sv[1]);
	}
}

static void
send_listener(struct child *c, unsigned index, enum conf_kind kind, int fd)
{
	struct ipc_writer w = ipc_begin(&c->ch, IPC_LISTENER, 0, 0);
	int copy = fcntl(fd, F_DUPFD_CLOEXEC, 0);

	if (copy == -1)
		log_warn("a listener for %s", role_name(c->role));
	ipc_put_u16(&w, (uint16_t)index);
	ipc_put_u8(&w, (uint8_t)kind);
	ipc_put_fd(&w, copy);
	ipc_end(&w);
}

/*
 * A listener has as many workers as it says. Letters of a device are counted
 * against its rate by one process, which therefore takes them all.
 */
static bool
serves(const struct child *c, const struct bound *b)
{
	const struct conf *conf = c->m->conf;

	if ((c->role == ROLE_POP3D) != (b->kind == LISTEN_POP3) ||
	    b->index >= conf->nlistens)
		return false;
	return c->place < (b->kind == LISTEN_DEVICE ? 1 :
	    conf->listens[b->index].workers);
}

void
handout_listeners(struct child *c)
{
	struct bound *b;

	for (b = c->m->bounds; b != NULL; b = b->next)
		if (serves(c, b))
			send_listener(c, b->index, b->kind, b->fd);
	if (c->role == ROLE_SMTPD && c->m->submit != -1)
		send_listener(c, SUBMIT_INDEX, LISTEN_SUBMIT, c->m->submit);
}

void
handout(struct child *c)
{
	struct ipc_writer w;

	send_welcome(c);
	handout_conf(c);
	handout_wire(c);
	if (c->role == ROLE_SMTPD || c->role == ROLE_POP3D)
		handout_listeners(c);
	files_hand(c);
	w = ipc_begin(&c->ch, IPC_START, 0, 0);
	ipc_end(&w);
}
