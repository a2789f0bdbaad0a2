/*
 * lib/ipc/daemon.c - the life that all programs under master share: hello, what
 * master hands out, the drop, the loop, the end. Protocol is elsewhere.
 */
#include "lib/ipc/daemon.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <unistd.h>

#include "config.h"
#include "lib/ipc/event.h"
#include "lib/log.h"
#include "lib/mem.h"

/* A configuration of 100,000 lines is a mistake; a big one has a few thousand. */
#define CONF_TEXT_MAX (16u * 1024 * 1024)
#define STATUS_MAX    64
#define CTL_MAX       8 /* admins' commands served at once */
#define DNS_PORTS_MAX 32 /* of forwarders; further ones are asked over UDP */

static int on_welcome(void *, struct ipc_msg *);
static int on_conf(void *, struct ipc_msg *);
static int on_identity(void *, struct ipc_msg *);
static int on_peer(void *, struct ipc_msg *);
static int on_listener(void *, struct ipc_msg *);
static int on_file(void *, struct ipc_msg *);
static int on_start(void *, struct ipc_msg *);
static int on_drain(void *, struct ipc_msg *);
static int on_stop(void *, struct ipc_msg *);
static int on_status_ask(void *, struct ipc_msg *);

static const struct ipc_handler common[] = {
	{ IPC_WELCOME,    on_welcome },
	{ IPC_CONF,       on_conf },
	{ IPC_IDENTITY,   on_identity },
	{ IPC_PEER,       on_peer },
	{ IPC_LISTENER,   on_listener },
	{ IPC_FILE,       on_file },
	{ IPC_START,      on_start },
	{ IPC_DRAIN,      on_drain },
	{ IPC_STOP,       on_stop },
	{ IPC_STATUS_ASK, on_status_ask },
};

/* Ours that this role may hear at all, then those of the program itself. */
static struct ipc_handler *
master_handlers(const struct daemon_spec *spec)
{
	const struct ipc_handler *h;
	struct ipc_handler *all;
	size_t n = 0, i;

	for (h = spec->master_handlers; h != NULL && h->type != IPC_NONE; h++)
		n++;
	all = xcalloc(nitems(common) + n + 1, sizeof(*all));
	for (i = n = 0; i < nitems(common); i++)
		if (ipc_rule(common[i].type)->to & ROLE_BIT(spec->role))
			all[n++] = common[i];
	for (h = spec->master_handlers; h != NULL && h->type != IPC_NONE; h++)
		all[n++] = *h;
	return all;
}

static const struct daemon_peer *
peer_spec(const struct daemon *d, enum role role)
{
	const struct daemon_peer *p;

	for (p = d->spec->peers; p != NULL && p->role != ROLE_NONE; p++)
		if (p->role == role)
			return p;
	return NULL;
}

static void
on_peer_lost(void *arg, struct channel *ch)
{
	struct daemon *d = ch->owner;
	const struct daemon_peer *p = peer_spec(d, ch->peer);

	(void)arg;
	if (p->on_down != NULL && !d->stopping)
		p->on_down(d->arg, ch);
}

static struct channel *
peer_find(const struct daemon *d, enum role role, unsigned instance)
{
	size_t i;

	for (i = 0; i < d->npeers; i++)
		if (d->peers[i]->peer == role &&
		    d->peers[i]->instance == instance)
			return d->peers[i];
	return NULL;
}

struct channel *
daemon_peer(struct daemon *d, enum role role, unsigned instance)
{
	const struct daemon_peer *spec = peer_spec(d, role);
	struct channel *ch = peer_find(d, role, instance);

	if (ch != NULL)
		return ch;
	if (spec == NULL || d->npeers == DAEMON_PEERS_MAX)
		fatalx("no channel to %s", role_name(role));
	ch = xmalloc(sizeof(*ch));
	channel_init(ch, &d->loop, d->spec->role, role, spec->handlers,
	    d->arg);
	ch->instance = (uint16_t)instance;
	ch->on_lost = on_peer_lost;
	ch->owner = d;
	d->peers[d->npeers++] = ch;
	return ch;
}

unsigned
daemon_peer_count(const struct daemon *d, enum role role)
{
	unsigned n = 0;
	size_t i;

	for (i = 0; i < d->npeers; i++)
		if (d->peers[i]->peer == role)
			n++;
	return n;
}

/* What arrived before the start waits for it: the program is not ready yet. */
struct waiting_peer {
	struct waiting_peer *next;
	enum role role;
	unsigned instance;
	int fd;
};

static void
peer_up(struct daemon *d, enum role role, unsigned instance, int fd)
{
	const struct daemon_peer *spec = peer_spec(d, role);
	struct channel *ch = daemon_peer(d, role, instance);

	/* A new end replaces the old one, also one whose end was seen and not
	 * told yet. */
	if (ch->fd != -1 && spec->on_down != NULL) {
		channel_close(ch);
		spec->on_down(d->arg, ch);
	}
	channel_open(ch, fd);
	if (role == ROLE_LOGD)
		event_attach(ch);
	if (spec->on_up != NULL)
		spec->on_up(d->arg, ch);
}

/* An admin's command takes whichever place is free, or finds none. */
static unsigned
ctl_instance(const struct daemon *d)
{
	const struct channel *ch;
	unsigned i;

	for (i = 0; i < CTL_MAX; i++)
		if ((ch = peer_find(d, ROLE_CTL, i)) == NULL ||
		    !channel_is_open(ch))
			break;
	return i;
}

static int
on_peer(void *arg, struct ipc_msg *m)
{
	struct daemon *d = arg;
	struct ipc_reader rd = ipc_reader(m);
	enum role role = (enum role)ipc_get_u8(&rd);
	unsigned instance = ipc_get_u16(&rd);
	struct waiting_peer *w;

	if (!ipc_at_end(&rd) || m->fd == -1 || peer_spec(d, role) == NULL)
		return -1;
	if (role == ROLE_CTL && (instance = ctl_instance(d)) == CTL_MAX)
		return 0; /* closed: the command sees the end at once */
	if (d->started) {
		peer_up(d, role, instance, ipc_take_fd(m));
		return 0;
	}
	w = xmalloc(sizeof(*w));
	*w = (struct waiting_peer){ d->waiting, role, instance,
		ipc_take_fd(m) };
	d->waiting = w;
	return 0;
}

static int
on_welcome(void *arg, struct ipc_msg *m)
{
	struct daemon *d = arg;
	struct ipc_reader rd = ipc_reader(m);
	uint16_t version = ipc_get_u16(&rd);
	struct span package;

	ipc_get_u8(&rd);
	d->instance = ipc_get_u16(&rd);
	package = ipc_get_span(&rd, 64);
	if (!ipc_at_end(&rd))
		return -1;
	if (version != IPC_VERSION || !span_eqstr(package, VERSION))
		fatalx("master is version %.*s and this is %s: "
		    "restart barid", SPAN_ARG(package), VERSION);
	return 0;
}

static int
on_identity(void *arg, struct ipc_msg *m)
{
	struct daemon *d = arg;
	struct ipc_reader rd = ipc_reader(m);
	struct span root;

	d->id.uid = ipc_get_u32(&rd);
	d->id.gid = ipc_get_u32(&rd);
	d->id.none = ipc_get_u8(&rd) != 0;
	root = ipc_get_span(&rd, sizeof(d->id.root) - 1);
	d->test = ipc_get_u8(&rd) != 0;
	d->id.sandbox.log = ipc_get_u8(&rd) != 0;
	d->id.sandbox.landlock_max = ipc_get_u8(&rd);
	if (!ipc_at_end(&rd) ||
	    span_copy(root, d->id.root, sizeof(d->id.root)) == -1)
		return -1;
	return 0;
}

static int
on_conf(void *arg, struct ipc_msg *m)
{
	struct daemon *d = arg;
	struct ipc_reader rd = ipc_reader(m);
	bool last = ipc_get_u8(&rd) != 0;
	struct span text = ipc_get_span(&rd, IPC_BODY_MAX);
	struct conf_errors errors = { 0 };

	if (!ipc_at_end(&rd) || buf_add_span(&d->conf_text, text) == -1)
		return -1;
	d->conf_coming = true;
	if (!last)
		return 0;
	conf_free(d->next_conf);
	d->next_conf = conf_parse(buf_span(&d->conf_text), "from master",
	    d->test, &errors);
	d->complaint[0] = '\0';
	if (d->next_conf == NULL)
		snprintf(d->complaint, sizeof(d->complaint), "%u:%u: %s",
		    errors.n > 0 ? errors.list[0].line : 0,
		    errors.n > 0 ? errors.list[0].column : 0,
		    errors.n > 0 ? errors.list[0].text : "unreadable");
	conf_errors_clear(&errors);
	buf_clear(&d->conf_text);
	return 0;
}

static int
on_listener(void *arg, struct ipc_msg *m)
{
	struct daemon *d = arg;
	struct ipc_reader rd = ipc_reader(m);
	unsigned index = ipc_get_u16(&rd);
	enum conf_kind kind = (enum conf_kind)ipc_get_u8(&rd);

	if (!ipc_at_end(&rd) || m->fd == -1 || d->spec->listener == NULL)
		return -1;
	d->spec->listener(d->arg, index, kind, ipc_take_fd(m));
	return 0;
}

/* What a configuration names waits for that to be in force. */
struct waiting_file {
	struct waiting_file *next;
	char *name;
	int fd;
};

static void
file_keep(struct daemon *d, const char *name, int fd)
{
	struct waiting_file **at = &d->files, *f = xmalloc(sizeof(*f));

	while (*at != NULL)
		at = &(*at)->next;
	*f = (struct waiting_file){ NULL, xstrdup(name), fd };
	*at = f;
}

static struct waiting_file *
file_next(struct daemon *d)
{
	struct waiting_file *f = d->files;

	if (f != NULL)
		d->files = f->next;
	return f;
}

static void
file_free(struct waiting_file *f)
{
	x_free(&f->name);
	x_free(&f);
}

static void
files_give(struct daemon *d)
{
	struct waiting_file *f;

	while ((f = file_next(d)) != NULL) {
		d->spec->file(d->arg, f->name, f->fd);
		file_free(f);
	}
}

static void
files_drop(struct daemon *d)
{
	struct waiting_file *f;

	while ((f = file_next(d)) != NULL) {
		close(f->fd);
		file_free(f);
	}
}

static int
on_file(void *arg, struct ipc_msg *m)
{
	struct daemon *d = arg;
	struct ipc_reader rd = ipc_reader(m);
	struct span name = ipc_get_span(&rd, IPC_PATH_MAX);
	char path[IPC_PATH_MAX + 1];

	if (!ipc_at_end(&rd) || m->fd == -1 || d->spec->file == NULL ||
	    span_copy(name, path, sizeof(path)) == -1)
		return -1;
	if (!d->started || d->conf_coming)
		file_keep(d, path, ipc_take_fd(m));
	else
		d->spec->file(d->arg, path, ipc_take_fd(m));
	return 0;
}

static void
conf_done(struct daemon *d)
{
	struct ipc_writer w = ipc_begin(&d->master, IPC_CONF_DONE, 0, 0);

	ipc_put_u8(&w, d->complaint[0] == '\0');
	ipc_put_str(&w, d->complaint);
	ipc_end(&w);
}

/* All that wait, or only logd: what happens at the start is told to it. */
static void
waiting_up(struct daemon *d, bool logd_alone)
{
	struct waiting_peer **at = &d->waiting, *w;

	while ((w = *at) != NULL) {
		if (logd_alone && w->role != ROLE_LOGD) {
			at = &w->next;
			continue;
		}
		*at = w->next;
		peer_up(d, w->role, w->instance, w->fd);
		x_free(&w);
	}
}

/* The ports of name servers, as the configuration has them now: with others
 * the resolver begins anew. */
static size_t
dns_ports(const struct conf_dns *dns, uint16_t ports[DNS_PORTS_MAX])
{
	size_t i, n = 0;

	if (dns->records == NULL)
		ports[n++] = 53;
	for (i = 0; i < dns->forward.n && n < DNS_PORTS_MAX; i++) {
		struct span word = span_str(dns->forward.words[i]);
		ssize_t colon = span_rfind(word, ':');
		uint64_t port;

		if (colon != -1 && span_u64(span_from(word,
		    (size_t)colon + 1), UINT16_MAX, &port) == 0)
			ports[n++] = (uint16_t)port;
	}
	return n;
}

/*
 * For good, and before the first thread is made. A program that needs the right
 * to gain new rights (PAM's helpers) must enter while it is still root.
 */
static void
rights_drop(struct daemon *d)
{
	enum role role = d->spec->role;
	uint16_t ports[DNS_PORTS_MAX];
	const struct sandbox_where where = {
		.root = d->id.none ? d->id.root : "/",
		.ports = ports, .nports = dns_ports(&d->conf->dns, ports),
	};
	bool early = !role_row(role)->no_new_privs;

	sandbox_prepare(&d->sandbox, role, &d->id.sandbox);
	if (early && !d->id.none)
		sandbox_enter(&d->sandbox, &where);
	privsep_drop(role, &d->id);
	if (!early)
		sandbox_enter(&d->sandbox, &where);
	sandbox_clear(&d->sandbox);
}

static void
first_start(struct daemon *d)
{
	d->conf = d->next_conf;
	d->next_conf = NULL;
	if (d->spec->prepare != NULL && d->spec->prepare(d->arg) == -1)
		fatalx("cannot start: %s", d->complaint);
	rights_drop(d);
	d->started = true;
	waiting_up(d, true);
	if (d->spec->start != NULL)
		d->spec->start(d->arg);
	files_give(d);
	waiting_up(d, false);
}

static void
again_start(struct daemon *d)
{
	struct conf *old = d->conf;

	if (d->next_conf == NULL)
		return;
	d->conf = d->next_conf;
	d->next_conf = NULL;
	if (d->spec->reload == NULL || d->spec->reload(d->arg, old) == 0) {
		conf_free(old);
		return;
	}
	conf_free(d->conf);
	d->conf = old;
}

static int
on_start(void *arg, struct ipc_msg *m)
{
	struct daemon *d = arg;

	(void)m;
	if (!d->started && d->next_conf == NULL)
		fatalx("no configuration from master: %s", d->complaint);
	d->conf_coming = false;
	if (!d->started) {
		first_start(d);
	} else {
		again_start(d);
		files_give(d);
	}
	conf_done(d);
	return 0;
}

static int
on_drain(void *arg, struct ipc_msg *m)
{
	struct daemon *d = arg;

	(void)m;
	d->draining = true;
	if (d->spec->drain != NULL)
		d->spec->drain(d->arg);
	else
		daemon_exit(d);
	return 0;
}

static void
daemon_stop(struct daemon *d)
{
	if (d->stopping)
		return;
	d->stopping = true;
	if (d->started && d->spec->stop != NULL)
		d->spec->stop(d->arg);
	else
		daemon_exit(d);
}

static int
on_stop(void *arg, struct ipc_msg *m)
{
	(void)m;
	daemon_stop(arg);
	return 0;
}

static int
on_status_ask(void *arg, struct ipc_msg *m)
{
	struct daemon *d = arg;
	struct daemon_status list[STATUS_MAX];
	struct ipc_writer w = ipc_reply_begin(&d->master, m, IPC_STATUS);
	size_t n = 0, i;

	if (d->started && d->spec->status != NULL)
		n = d->spec->status(d->arg, list, STATUS_MAX);
	ipc_put_u16(&w, (uint16_t)n);
	for (i = 0; i < n; i++) {
		ipc_put_str(&w, list[i].key);
		ipc_put_u64(&w, list[i].value);
	}
	ipc_end(&w);
	return 0;
}

static void
on_master_lost(void *arg, struct channel *ch)
{
	(void)ch;
	daemon_stop(arg); /* no master, no purpose */
}

void
daemon_exit(struct daemon *d)
{
	size_t i;

	for (i = 0; i < d->npeers; i++)
		channel_flush(d->peers[i]);
	channel_flush(&d->master);
	loop_stop(&d->loop);
}

int
daemon_root_open(const struct daemon *d)
{
	return open(d->id.none ? d->id.root : "/",
	    O_RDONLY | O_DIRECTORY | O_CLOEXEC);
}

/* Nothing is left behind that a leak checker would have to be told of. */
static void
daemon_clear(struct daemon *d)
{
	size_t i;

	event_attach(NULL);
	for (i = 0; i < d->npeers; i++) {
		channel_abandon(d->peers[i]);
		x_free(&d->peers[i]);
	}
	channel_abandon(&d->master);
	x_free(&d->handlers);
	files_drop(d);
	conf_free(d->conf);
	conf_free(d->next_conf);
	buf_clear(&d->conf_text);
	loop_clear(&d->loop);
}

int
daemon_main(const struct daemon_spec *spec, struct daemon *d, void *arg)
{
	struct ipc_writer w;

	log_init(role_name(spec->role));
	signal(SIGTERM, SIG_IGN); /* master says when */
	signal(SIGINT, SIG_IGN);
	signal(SIGHUP, SIG_IGN);
	signal(SIGPIPE, SIG_IGN);
	if (fcntl(DAEMON_MASTER_FD, F_GETFD) == -1)
		fatalx("this program is started by barid's master, "
		    "not by hand: see barid(8)");
	*d = (struct daemon){ .spec = spec, .arg = arg };
	buf_init(&d->conf_text, CONF_TEXT_MAX);
	loop_init(&d->loop);
	d->handlers = master_handlers(spec);
	channel_init(&d->master, &d->loop, spec->role, ROLE_MASTER,
	    d->handlers, d);
	d->master.on_lost = on_master_lost;
	channel_open(&d->master, DAEMON_MASTER_FD);
	w = ipc_begin(&d->master, IPC_HELLO, 0, 0);
	ipc_put_u16(&w, IPC_VERSION);
	ipc_put_u8(&w, (uint8_t)spec->role);
	ipc_put_u16(&w, 0);
	ipc_put_str(&w, VERSION);
	ipc_end(&w);
	loop_run(&d->loop);
	daemon_clear(d);
	return 0;
}
