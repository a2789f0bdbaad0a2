/*
 * tests/unit/keyd_peers_test.c - what passes on the channels of keyd: keys of
 * tickets at the start and at each change, sign sockets, words about
 * certificates; and what no program of ours would say.
 */
#include <fcntl.h>
#include <sys/socket.h>
#include <unistd.h>

#include "keyd/keyd.h"
#include "lib/log.h"
#include "tests/unit/check.h"
#include "tests/unit/fake_peer.h"

#define TICKETS_MAX 3

/* One program on the other side. */
struct far {
	struct channel ch;
	unsigned tickets, ready;       /* messages of each kind */
	size_t n;
	struct ticket_key keys[TICKETS_MAX];
	bool lost;
};

static struct {
	struct keyd k;
	struct channel near[3];
	struct far far[3];             /* two of smtpd, one of pop3d */
} t;

static void
take(struct span s, uint8_t *to, size_t len)
{
	check_int((intmax_t)s.len, (intmax_t)len);
	memcpy(to, s.p, len);
}

static int
on_tickets(void *arg, struct ipc_msg *m)
{
	struct far *f = arg;
	struct ipc_reader rd = ipc_reader(m);
	size_t i;

	f->tickets++;
	f->n = ipc_get_u8(&rd);
	if (!check_true(f->n <= TICKETS_MAX))
		return -1;
	for (i = 0; i < f->n; i++) {
		take(ipc_get_span(&rd, 16), f->keys[i].name, 16);
		take(ipc_get_span(&rd, 32), f->keys[i].aes, 32);
		take(ipc_get_span(&rd, 32), f->keys[i].hmac, 32);
	}
	check_true(ipc_at_end(&rd));
	return 0;
}

static int
on_ready(void *arg, struct ipc_msg *m)
{
	struct far *f = arg;

	(void)m;
	f->ready++;
	return 0;
}

static void
on_lost(void *arg, struct channel *ch)
{
	struct far *f = arg;

	(void)ch;
	f->lost = true;
}

static const struct ipc_handler near_handlers[] = {
	{ IPC_SIGN_SOCKET, on_sign_socket },
	{ IPC_KEY_USED, on_key_used },
	IPC_HANDLERS_END
};

static const struct ipc_handler far_handlers[] = {
	{ IPC_TICKETS, on_tickets },
	{ IPC_SIGN_READY, on_ready },
	IPC_HANDLERS_END
};

static void
turn(void)
{
	int i;

	for (i = 0; i < 20; i++)
		loop_run_once(&t.k.daemon.loop, 1);
}

static void
begin(const char *name)
{
	static const enum role roles[] = { ROLE_SMTPD, ROLE_SMTPD,
		ROLE_POP3D };
	struct loop *loop = &t.k.daemon.loop;
	int sv[2];
	size_t i;

	check_begin(name);
	memset(&t, 0, sizeof(t));
	loop_init(loop);
	peers_start(&t.k);
	for (i = 0; i < nitems(roles); i++) {
		peer_pair(sv);
		channel_init(&t.near[i], loop, ROLE_KEYD, roles[i],
		    near_handlers, &t.k);
		t.near[i].on_lost = on_asker_down;
		channel_init(&t.far[i].ch, loop, roles[i], ROLE_KEYD,
		    far_handlers, &t.far[i]);
		t.far[i].ch.on_lost = on_lost;
		channel_open(&t.near[i], sv[0]);
		channel_open(&t.far[i].ch, sv[1]);
		t.k.daemon.peers[t.k.daemon.npeers++] = &t.near[i];
		on_asker_up(&t.k, &t.near[i]);
	}
	turn();
}

static void
end(void)
{
	size_t i;

	for (i = 0; i < nitems(t.near); i++) {
		on_asker_down(&t.k, &t.near[i]);
		channel_abandon(&t.near[i]);
		channel_abandon(&t.far[i].ch);
	}
	timer_stop(&t.k.rotation);
	timer_stop(&t.k.complaint);
	keys_clear(&t.k.keys);
	peers_clear(&t.k);
	loop_clear(&t.k.daemon.loop);
}

static bool
same(const struct ticket_key *a, const struct ticket_key *b)
{
	return memcmp(a, b, sizeof(*a)) == 0;
}

static void
test_tickets(void)
{
	struct ticket_key current, next;

	begin("tickets");
	check_int(t.far[0].tickets, 1);
	check_int((intmax_t)t.far[0].n, 2);
	check_true(same(&t.far[0].keys[0], &t.far[1].keys[0]));
	check_true(same(&t.far[0].keys[1], &t.far[1].keys[1]));
	check_true(!same(&t.far[0].keys[0], &t.far[2].keys[0]));
	current = t.far[0].keys[0];
	next = t.far[0].keys[1];
	timer_set_ms(&t.k.rotation, 0);
	turn();
	check_int(t.far[0].tickets, 2);
	check_int(t.far[2].tickets, 2);
	check_int((intmax_t)t.far[1].n, 3);
	check_true(same(&t.far[1].keys[0], &next));
	check_true(same(&t.far[1].keys[2], &current));
	check_true(timer_is_set(&t.k.rotation));
	/* who went is not written to, who comes gets what the others have */
	on_asker_down(&t.k, &t.near[1]);
	timer_set_ms(&t.k.rotation, 0);
	turn();
	check_int(t.far[0].tickets, 3);
	check_int(t.far[1].tickets, 2);
	on_asker_up(&t.k, &t.near[1]);
	turn();
	check_true(same(&t.far[1].keys[0], &t.far[0].keys[0]));
	end();
}

static void
offer(struct far *f, int domain, int type)
{
	struct ipc_writer w;
	int sv[2];

	if (socketpair(domain, type, 0, sv) == -1)
		exit(1);
	w = ipc_begin(&f->ch, IPC_SIGN_SOCKET, 0, 0);
	ipc_put_fd(&w, sv[0]);
	ipc_end(&w);
	close(sv[1]);
	turn();
}

static void
test_sockets(void)
{
	struct ipc_writer w;

	begin("sign sockets");
	offer(&t.far[0], AF_UNIX, SOCK_SEQPACKET);
	offer(&t.far[0], AF_UNIX, SOCK_SEQPACKET);
	check_int(t.far[0].ready, 2);
	check_int(t.far[1].ready, 0);
	offer(&t.far[1], AF_UNIX, SOCK_STREAM);
	check_true(t.far[1].lost);
	w = ipc_begin(&t.far[2].ch, IPC_SIGN_SOCKET, 0, 0);
	ipc_end(&w); /* none with it */
	turn();
	check_true(t.far[2].lost);
	check_true(!t.far[0].lost);
	end();
}

static void
say(struct far *f, struct span block, size_t len)
{
	struct ipc_writer w = ipc_begin(&f->ch, IPC_KEY_USED, 0, 0);
	char name[40] = "";

	ipc_put_span(&w, block);
	ipc_put_span(&w, span_make(name, len));
	ipc_end(&w);
	turn();
}

static void
test_words(void)
{
	static const struct { struct span block; size_t len; bool ok; }
	cases[] = {
		{ { "main", 4 }, 32, true },
		{ { "main", 4 }, 31, false },
		{ { "main", 4 }, 0, false },
		{ { "", 0 }, 32, false },
		{ { "a\0b", 3 }, 32, false },
	};
	size_t i;

	for (i = 0; i < nitems(cases); i++) {
		begin("words about certificates");
		say(&t.far[0], cases[i].block, cases[i].len);
		check_int(t.far[0].lost, !cases[i].ok);
		check_true(!t.far[1].lost);
		end();
	}
}

int
main(void)
{
	log_stderr_level(LOG_L_ERROR);
	test_tickets();
	test_sockets();
	test_words();
	return check_end();
}
