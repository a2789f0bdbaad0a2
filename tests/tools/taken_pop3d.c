/*
 * tests/tools/taken_pop3d.c - pop3d as somebody who owns it would have it: it
 * takes no clients, and tries what its channels might let it get. It speaks only
 * as a program of that role can, from within its cell. With -s it is the real one,
 * which lies beside it as pop3d.real. tests/suite/takeover reads what it logs:
 *
 *	taken: ATTEMPT: OUTCOME
 */
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "lib/conf.h"
#include "lib/ipc/daemon.h"
#include "lib/log.h"
#include "lib/mem.h"

#define TICKET  16
#define WAIT_MS 15000

static struct taken {
	struct daemon daemon;
	unsigned step;
	char ticket[TICKET + 1];
	struct watch mailbox;
	struct timer pause;
} t;

static void next(void *arg);

static void
tell(const char *what, const char *outcome)
{
	log_info("taken: %s: %s", what, outcome);
}

/* On with the next attempt, when what was before has settled. */
static void
soon(void)
{
	timer_set_ms(&t.pause, 20);
}

/* -- a mailbox ---------------------------------------------------------------- */

static const char *opening; /* the attempt's name */
static int mailbox_fd = -1;

static void
on_mailbox(void *arg, unsigned what)
{
	char text[4096];
	ssize_t n = read(mailbox_fd, text, sizeof(text) - 1);
	const char *subject;

	(void)arg;
	(void)what;
	if (n <= 0) {
		tell(opening, n == 0 ? "ended" : strerror(errno));
		watch_clear(&t.mailbox);
		close(mailbox_fd);
		mailbox_fd = -1;
		soon();
		return;
	}
	text[n] = '\0';
	if ((subject = strstr(text, "\nSubject: ")) == NULL)
		return; /* the greeting */
	text[strcspn(subject + 1, "\r\n") + (size_t)(subject + 1 - text)] =
	    '\0';
	tell(opening, subject + 1);
	if (write(mailbox_fd, "QUIT\r\n", 6) != 6)
		tell(opening, "no QUIT");
}

static int
on_session(void *arg, struct ipc_msg *m)
{
	struct ipc_reader rd;

	(void)arg;
	if (m == NULL) {
		tell(opening, "no answer");
		soon();
		return 0;
	}
	rd = ipc_reader(m);
	if (ipc_get_u8(&rd) == 0) {
		tell(opening, "refused");
		close(mailbox_fd);
		mailbox_fd = -1;
		soon();
		return 0;
	}
	watch_init(&t.mailbox, &t.daemon.loop, mailbox_fd, on_mailbox, NULL);
	watch_set(&t.mailbox, LOOP_READ);
	if (write(mailbox_fd, "RETR 1\r\n", 8) != 8)
		tell(opening, "no RETR");
	return 0;
}

/* With a ticket; what is at the other end tells whose letters it has. */
static void
session(const char *what, const char *ticket)
{
	uint32_t request;
	struct ipc_writer w;
	int sv[2];

	opening = what;
	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, sv) == -1) {
		tell(what, "no socketpair");
		return;
	}
	mailbox_fd = sv[0];
	request = channel_request(&t.daemon.master, WAIT_MS, on_session,
	    NULL);
	w = ipc_begin(&t.daemon.master, IPC_SESSION, request, 0);
	ipc_put_span(&w, span_make(ticket, TICKET));
	ipc_put_fd(&w, sv[1]);
	ipc_end(&w);
}

/* -- a login ------------------------------------------------------------------ */

static const char *asking;

static int
on_login(void *arg, struct ipc_msg *m)
{
	struct span ticket, account;
	struct ipc_reader rd;
	char outcome[300];
	uint8_t status;

	(void)arg;
	if (m == NULL) {
		tell(asking, "no answer");
		soon();
		return 0;
	}
	rd = ipc_reader(m);
	status = ipc_get_u8(&rd);
	ticket = ipc_get_span(&rd, 64);
	account = ipc_get_span(&rd, 255);
	memset(t.ticket, 0, sizeof(t.ticket));
	if (ticket.len == TICKET)
		memcpy(t.ticket, ticket.p, TICKET);
	snprintf(outcome, sizeof(outcome), "%s, %s ticket, account '%.*s'",
	    status == AUTH_OK ? "yes" : status == AUTH_FAIL ? "no" : "later",
	    ticket.len == 0 ? "no" : "a", SPAN_ARG(account));
	tell(asking, outcome);
	soon();
	return 0;
}

static void
ask(const char *what, uint8_t service, const char *plain, size_t len,
    unsigned flags)
{
	struct channel *authd = daemon_peer(&t.daemon, ROLE_AUTHD, 0);
	uint32_t request = channel_request(authd, WAIT_MS, on_login, NULL);
	struct ipc_writer w = ipc_begin(authd, IPC_AUTH, request, t.step);

	asking = what;
	ipc_put_u8(&w, service);
	ipc_put_str(&w, "PLAIN");
	ipc_put_u8(&w, 1);
	ipc_put_span(&w, span_make(plain, len));
	ipc_put_str(&w, "192.0.2.66:666");
	ipc_put_u8(&w, (uint8_t)flags);
	ipc_put_str(&w, "");
	ipc_put_str(&w, "");
	ipc_put_str(&w, "user2@example.test"); /* as if a certificate said so */
	ipc_end(&w);
}

/* -- what no pop3d may say ---------------------------------------------------- */

/* Around ipc_end(), which knows the contract: the frame as it would be. */
static void
forbidden(int fd, uint16_t type, struct span body)
{
	struct buf frame = BUF_INIT(IPC_FRAME_MAX);

	buf_add_u32(&frame, (uint32_t)(IPC_HEAD + body.len));
	buf_add_u16(&frame, type);
	buf_add_u16(&frame, 0);
	buf_add_u32(&frame, 77);
	buf_add_u32(&frame, 0);
	buf_add_span(&frame, body);
	if (buf_write_all(&frame, fd) == -1)
		log_warn("taken");
	buf_clear(&frame);
}

/* A grant for user2, to ourselves. */
static void
own_grant(void)
{
	struct buf b = BUF_INIT(IPC_BODY_MAX);
	static const struct { const char *s; } texts[] = {
		{ "/" }, { "/mail/user2" }, { "" } };
	size_t i;

	buf_add_u32(&b, TICKET);
	buf_add(&b, "0123456789abcdef", TICKET);
	buf_add_u8(&b, ROLE_POP3D);
	buf_add_u16(&b, 0);
	buf_add_u32(&b, 18);
	buf_add_str(&b, "user2@example.test");
	buf_add_u32(&b, 20002);
	buf_add_u32(&b, 20002);
	for (i = 0; i < nitems(texts); i++) {
		buf_add_u32(&b, (uint32_t)strlen(texts[i].s));
		buf_add_str(&b, texts[i].s);
	}
	buf_add_u64(&b, 0);
	buf_add_u8(&b, 0);
	buf_add_u32(&b, UINT32_MAX);
	forbidden(t.daemon.master.fd, IPC_GRANT, buf_span(&b));
	buf_clear(&b);
}

/* -- one after another -------------------------------------------------------- */

#define RIGHT "\0user1\0secret-user1"

static void
next(void *arg)
{
	static char used[TICKET + 1];
	char odd[TICKET + 1];

	(void)arg;
	switch (++t.step) {
	case 1:
		arc4random_buf(odd, TICKET);
		session("a ticket out of the air", odd);
		break;
	case 2:
		memset(odd, 0, sizeof(odd));
		session("a ticket of zeros", odd);
		break;
	case 3:
		ask("user2 with a wrong password", LISTEN_POP3,
		    "\0user2\0guess", 12, AUTH_F_TLS);
		break;
	case 4:
		ask("as user2 with user1's password", LISTEN_POP3,
		    "user2\0user1\0secret-user1", 24, AUTH_F_TLS);
		break;
	case 5:
		ask("user1 with the right one", LISTEN_POP3, RIGHT, 19,
		    AUTH_F_TLS);
		break;
	case 6:
		memcpy(odd, t.ticket, TICKET);
		odd[TICKET - 1] ^= 1;
		session("one bit of the ticket is another", odd);
		break;
	case 7:
		memcpy(used, t.ticket, TICKET);
		session("the ticket", used);
		break;
	case 8:
		session("the ticket again", used);
		break;
	case 9: /* a second grant, and the first one's ticket */
		ask("user1 once more", LISTEN_POP3, RIGHT, 19, AUTH_F_TLS);
		break;
	case 10:
		session("an old ticket while there is a new grant", used);
		break;
	case 11:
		session("the new ticket", t.ticket);
		break;
	case 12:
		ask("a login for submission", LISTEN_SUBMISSION, RIGHT, 19,
		    AUTH_F_TLS);
		break;
	case 13: /* told before: it is the last that it does */
		tell("a grant of our own", "coming");
		soon();
		break;
	default:
		own_grant();
		break;
	}
}

static void
start(void *arg)
{
	(void)arg;
	timer_init(&t.pause, &t.daemon.loop, next, NULL);
	timer_set_ms(&t.pause, 1000); /* authd has its tables by then */
}

/* Clients find nobody. */
static void
listener(void *arg, unsigned index, enum conf_kind kind, int fd)
{
	(void)arg;
	(void)index;
	(void)kind;
	close(fd);
}

static void
file(void *arg, const char *name, int fd)
{
	(void)arg;
	(void)name;
	close(fd);
}

static int
on_any(void *arg, struct ipc_msg *m)
{
	(void)arg;
	(void)m;
	return 0;
}

static void
real_one(char *argv[])
{
	char path[4096];
	ssize_t n = readlink("/proc/self/exe", path, sizeof(path) - 6);

	if (n <= 0)
		fatal("readlink");
	memcpy(path + n, ".real", 6);
	execv(path, argv);
	fatal("%s", path);
}

int
main(int argc, char *argv[])
{
	static const struct ipc_handler authd[] = {
		{ IPC_AUTH_OFFER, on_any }, IPC_HANDLERS_END };
	static const struct ipc_handler keyd[] = {
		{ IPC_TICKETS, on_any }, { IPC_SIGN_READY, on_any },
		IPC_HANDLERS_END };
	static const struct ipc_handler none[] = { IPC_HANDLERS_END };
	static const struct daemon_peer peers[] = {
		{ ROLE_AUTHD, authd, NULL, NULL },
		{ ROLE_KEYD, keyd, NULL, NULL },
		{ ROLE_LOGD, none, NULL, NULL },
		{ ROLE_NONE, NULL, NULL, NULL }
	};
	static const struct daemon_spec spec = {
		.role = ROLE_POP3D, .peers = peers, .start = start,
		.listener = listener, .file = file,
	};

	if (argc > 1)
		real_one(argv);
	return daemon_main(&spec, &t.daemon, &t);
}
