/*
 * ipc_test.c - the channel: frames whole and in pieces, requests and deadlines,
 * descriptors, and what a peer that breaks the contract is worth.
 */
#include "tests/unit/check.h"

#include <fcntl.h>
#include <sys/socket.h>
#include <unistd.h>

#include "lib/ipc/channel.h"
#include "lib/ipc/credit.h"
#include "lib/ipc/daemon.h"
#include "lib/log.h"

/* Both ends in one process: a resolver asked by a relay. */
struct pair {
	struct loop loop;
	struct channel relay, resolver;
	unsigned asked, answered, nulls, lost;
	char last[64];
};

static int
on_route_ask(void *arg, struct ipc_msg *m)
{
	struct pair *p = arg;
	struct ipc_reader rd = ipc_reader(m);
	struct span name;
	struct ipc_writer w;

	ipc_get_u8(&rd);
	ipc_get_u16(&rd);
	name = ipc_get_span(&rd, 256);
	if (!ipc_at_end(&rd))
		return -1;
	p->asked++;
	if (span_eqstr(name, "silent.example"))
		return 0;
	w = ipc_reply_begin(m->ch, m, IPC_ROUTE_ANSWER);
	ipc_put_u8(&w, DNS_OK);
	ipc_put_u8(&w, 0);
	ipc_put_span(&w, name);
	ipc_put_u16(&w, 0);
	check_int(ipc_end(&w), 0);
	return 0;
}

static int
on_answer(void *arg, struct ipc_msg *m)
{
	struct pair *p = arg;
	struct ipc_reader rd;

	if (m == NULL) {
		p->nulls++;
		return 0;
	}
	rd = ipc_reader(m);
	ipc_get_u8(&rd);
	ipc_get_u8(&rd);
	span_copy(ipc_get_span(&rd, 63), p->last, sizeof(p->last));
	p->answered++;
	return 0;
}

static void
on_lost(void *arg, struct channel *ch)
{
	(void)ch;
	((struct pair *)arg)->lost++;
}

static const struct ipc_handler relay_side[] = { IPC_HANDLERS_END };
static const struct ipc_handler resolver_side[] = {
	{ IPC_ROUTE_ASK, on_route_ask }, IPC_HANDLERS_END
};

static void
pair_open(struct pair *p, int sv[2])
{
	*p = (struct pair){ .asked = 0 };
	loop_init(&p->loop);
	channel_init(&p->relay, &p->loop, ROLE_RELAY, ROLE_RESOLVER,
	    relay_side, p);
	channel_init(&p->resolver, &p->loop, ROLE_RESOLVER, ROLE_RELAY,
	    resolver_side, p);
	p->relay.on_lost = p->resolver.on_lost = on_lost;
	check_int(socketpair(AF_UNIX, SOCK_STREAM, 0, sv), 0);
	channel_open(&p->resolver, sv[1]);
}

static void
ask(struct pair *p, const char *name, int64_t timeout_ms)
{
	uint32_t request = channel_request(&p->relay, timeout_ms, on_answer, p);
	struct ipc_writer w = ipc_begin(&p->relay, IPC_ROUTE_ASK, request, 0);

	ipc_put_u8(&w, ROUTE_F_MX);
	ipc_put_u16(&w, 25);
	ipc_put_str(&w, name);
	ipc_end(&w);
}

static void
rounds(struct pair *p, int n)
{
	while (n-- > 0)
		loop_run_once(&p->loop, 5);
}

static void
pair_close(struct pair *p)
{
	channel_close(&p->relay);
	channel_close(&p->resolver);
	loop_clear(&p->loop);
}

static void
test_requests(void)
{
	struct pair p;
	int sv[2], i;

	check_begin("a thousand requests at once, each answered once");
	pair_open(&p, sv);
	channel_open(&p.relay, sv[0]);
	for (i = 0; i < 1000; i++)
		ask(&p, "a.example", 5000);
	rounds(&p, 40);
	check_int(p.asked, 1000);
	check_int(p.answered, 1000);
	check_str(p.last, "a.example");

	check_begin("a deadline answers with NULL, a late answer is nobody's");
	ask(&p, "silent.example", 1);
	rounds(&p, 120);
	check_int(p.nulls, 1);

	check_begin("a lost channel answers all that is open");
	ask(&p, "silent.example", 60000);
	ask(&p, "silent.example", 60000);
	rounds(&p, 5);
	channel_close(&p.resolver);
	rounds(&p, 5);
	check_int(p.nulls, 3);
	check_int(p.lost, 1);

	check_begin("on a closed channel the answer is NULL, and soon");
	ask(&p, "a.example", 60000);
	check_int(p.nulls, 3);
	rounds(&p, 5);
	check_int(p.nulls, 4);
	pair_close(&p);
}

/* The asker of several: when one of them fails it gives up all others. */
struct asker {
	struct pair *p;
	uint32_t requests[8];
	unsigned called;
};

static int
on_give_up(void *arg, struct ipc_msg *m)
{
	struct asker *a = arg;
	size_t i;

	check_true(m == NULL);
	a->called++;
	for (i = 0; i < nitems(a->requests); i++)
		channel_forget(&a->p->relay, a->requests[i]);
	return 0;
}

static void
test_forget(void)
{
	struct pair p;
	struct asker a = { .p = &p };
	int sv[2];
	size_t i;

	check_begin("a failed request's callback forgets the others");
	pair_open(&p, sv);
	channel_open(&p.relay, sv[0]);
	for (i = 0; i < nitems(a.requests); i++)
		a.requests[i] = channel_request(&p.relay, 60000, on_give_up,
		    &a);
	channel_close(&p.resolver);
	rounds(&p, 5);
	check_int(a.called, 1);
	pair_close(&p);
}

static void
test_credit(void)
{
	struct pair p;
	int sv[2], i;

	check_begin("no more is asked at once than was granted, in order");
	pair_open(&p, sv);
	channel_open(&p.relay, sv[0]);
	for (i = 0; i < 2 * CREDIT_GRANTED; i++)
		ask(&p, i < CREDIT_GRANTED ? "silent.example" : "a.example",
		    60000);
	rounds(&p, 40);
	check_int(p.asked, CREDIT_GRANTED);
	check_int(p.answered, 0);

	check_begin("who gives up makes room for those who wait");
	for (i = 1; i <= 10; i++)
		channel_forget(&p.relay, (uint32_t)i);
	for (i = 0; i < 1000 && p.answered < CREDIT_GRANTED; i++)
		rounds(&p, 1);
	/* ten at a time are answered, and make room for the next ten */
	check_int(p.asked, 2 * CREDIT_GRANTED);
	check_int(p.answered, CREDIT_GRANTED);
	check_int(p.nulls, 0);

	check_begin("what waited is answered too when the channel is lost");
	for (i = 0; i < 100; i++)
		ask(&p, "silent.example", 60000);
	channel_close(&p.relay);
	check_int(p.nulls, CREDIT_GRANTED - 10 + 100);
	pair_close(&p);
}

/* A frame as a hostile peer might write it. */
static size_t
frame(char *out, uint32_t len, uint16_t type, uint16_t flags,
    const char *body, size_t n)
{
	put_u32(out, len);
	put_u16(out + 4, type);
	put_u16(out + 6, flags);
	put_u32(out + 8, 1);
	put_u32(out + 12, 0);
	memcpy(out + IPC_HEAD, body, n);
	return IPC_HEAD + n;
}

static void
test_hostile(void)
{
	static const struct {
		const char *name;
		uint32_t len;
		uint16_t type, flags;
		size_t n;
		unsigned lost;
	} cases[] = {
		{ "as agreed",          27, IPC_ROUTE_ASK,    0, 11, 0 },
		{ "length of zero",     0,  IPC_ROUTE_ASK,    0, 11, 1 },
		{ "length beyond all",  70000, IPC_ROUTE_ASK, 0, 11, 1 },
		{ "too short a body",   20, IPC_ROUTE_ASK,    0, 4,  1 },
		{ "not its business",   27, IPC_TX_BODY,      0, 11, 1 },
		{ "no such type",       27, 9999,             0, 11, 1 },
		{ "type 0",             27, IPC_NONE,         0, 11, 1 },
		{ "unknown flag",       27, IPC_ROUTE_ASK,    4, 11, 1 },
		{ "a descriptor that is none", 27, IPC_ROUTE_ASK, 1, 11, 1 },
		{ "an answer nobody asked for", 27, IPC_ROUTE_ANSWER, 0, 11, 1 },
	};
	static const char body[] = "\1\31\0\4\0\0\0nameXXXX";
	struct pair p;
	char out[64];
	int sv[2];
	size_t i, n;

	for (i = 0; i < nitems(cases); i++) {
		check_begin(cases[i].name);
		pair_open(&p, sv);
		n = frame(out, cases[i].len, cases[i].type, cases[i].flags,
		    body, cases[i].n);
		check_int(write(sv[0], out, n), (int)n);
		rounds(&p, 3);
		check_int(p.lost, cases[i].lost);
		check_int(p.asked, cases[i].lost == 0);
		close(sv[0]);
		pair_close(&p);
	}
}

static void
test_pieces(void)
{
	static const char body[] = "\1\31\0\4\0\0\0nameXXXX";
	struct pair p;
	char out[64];
	int sv[2];
	size_t i, n;

	check_begin("a frame octet by octet is one frame");
	pair_open(&p, sv);
	n = frame(out, 27, IPC_ROUTE_ASK, 0, body, 11);
	for (i = 0; i < n; i++) {
		check_int(write(sv[0], out + i, 1), 1);
		rounds(&p, 1);
	}
	check_int(p.asked, 1);
	check_int(p.lost, 0);

	check_begin("a body that lies about its string closes the channel");
	out[IPC_HEAD + 3] = 40;
	check_int(write(sv[0], out, n), (int)n);
	rounds(&p, 3);
	check_int(p.lost, 1);
	close(sv[0]);
	pair_close(&p);
}

struct fds {
	struct loop loop;
	struct channel master, deliver;
	char text[16];
	unsigned n;
};

static int
on_nothing(void *arg, struct ipc_msg *m)
{
	(void)arg;
	(void)m;
	return 0;
}

static int
on_lock_peer(void *arg, struct ipc_msg *m)
{
	struct fds *f = arg;
	int fd = ipc_take_fd(m);

	check_true(fd != -1);
	memset(f->text, 0, sizeof(f->text));
	check_true(read(fd, f->text, sizeof(f->text) - 1) > 0);
	check_true((fcntl(fd, F_GETFD) & FD_CLOEXEC) != 0);
	close(fd);
	f->n++;
	return 0;
}

static void
test_descriptors(void)
{
	static const struct ipc_handler deliver_side[] = {
		{ IPC_WELCOME, on_nothing }, { IPC_CONF, on_nothing },
		{ IPC_IDENTITY, on_nothing }, { IPC_PEER, on_nothing },
		{ IPC_START, on_nothing }, { IPC_DRAIN, on_nothing },
		{ IPC_STOP, on_nothing }, { IPC_STATUS_ASK, on_nothing },
		{ IPC_LOCK_PEER, on_lock_peer }, IPC_HANDLERS_END
	};
	static const struct ipc_handler master_side[] = {
		{ IPC_HELLO, on_nothing }, { IPC_CONF_DONE, on_nothing },
		{ IPC_CHILD_ASK, on_nothing }, IPC_HANDLERS_END
	};
	struct fds f = { .n = 0 };
	int sv[2], pipes[2], i;

	check_begin("each descriptor comes with its own message");
	loop_init(&f.loop);
	channel_init(&f.master, &f.loop, ROLE_MASTER, ROLE_DELIVER,
	    master_side, &f);
	channel_init(&f.deliver, &f.loop, ROLE_DELIVER, ROLE_MASTER,
	    deliver_side, &f);
	check_int(socketpair(AF_UNIX, SOCK_STREAM, 0, sv), 0);
	channel_open(&f.master, sv[0]);
	channel_open(&f.deliver, sv[1]);
	for (i = 0; i < 20; i++) {
		struct ipc_writer w = ipc_begin(&f.master, IPC_START, 0, 0);

		check_int(ipc_end(&w), 0);
		check_int(pipe(pipes), 0);
		check_int(dprintf(pipes[1], "letter %d", i), i < 10 ? 8 : 9);
		close(pipes[1]);
		w = ipc_begin(&f.master, IPC_LOCK_PEER, 0, 0);
		ipc_put_str(&w, "user1");
		ipc_put_fd(&w, pipes[0]);
		check_int(ipc_end(&w), 0);
	}
	for (i = 0; i < 60; i++)
		loop_run_once(&f.loop, 2);
	check_int(f.n, 20);
	check_str(f.text, "letter 19");
	channel_close(&f.master);
	channel_close(&f.deliver);
	loop_clear(&f.loop);
}

static void
test_contract(void)
{
	unsigned t;

	check_begin("every message has a sender, a receiver and a bound");
	for (t = IPC_NONE + 1; t < IPC_TYPE_MAX; t++) {
		const struct ipc_rule *r = ipc_rule(t);

		check_true(r != NULL && r->from != 0 && r->to != 0);
		check_true(r->min <= r->max && r->max <= IPC_BODY_MAX);
		check_true(!r->more || r->reply);
	}
	check_begin("who may not say it");
	check_true(ipc_admit(IPC_TX_ABORT, ROLE_SMTPD, ROLE_QUEUED, 0, false));
	check_true(!ipc_admit(IPC_TX_ABORT, ROLE_RELAY, ROLE_QUEUED, 0, false));
	check_true(!ipc_admit(IPC_TX_ABORT, ROLE_SMTPD, ROLE_AUTHD, 0, false));
	check_true(!ipc_admit(IPC_TX_ABORT, ROLE_SMTPD, ROLE_QUEUED, 1, false));
	check_true(!ipc_admit(IPC_TX_ABORT, ROLE_SMTPD, ROLE_QUEUED, 0, true));
	check_true(!ipc_admit(IPC_GRANT, ROLE_POP3D, ROLE_MASTER, 64, false));
	check_true(!ipc_admit(IPC_SESSION, ROLE_SMTPD, ROLE_MASTER, 20, true));
}

int
main(void)
{
	log_stderr_level(LOG_L_ERROR + 1);
	test_contract();
	test_requests();
	test_credit();
	test_forget();
	test_hostile();
	test_pieces();
	test_descriptors();
	return check_end();
}
