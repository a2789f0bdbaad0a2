/*
 * pop3d/pop3d.h - what the rooms of the login process share: the program and
 * its clients. One loop, one thread; a client is ours until it has logged in,
 * and from then on its octets pass through unread.
 */
#ifndef POP3D_POP3D_H
#define POP3D_POP3D_H

#include "lib/ipc/daemon.h"
#include "lib/log.h"
#include "lib/mail/base64.h"
#include "lib/net/clients.h"
#include "lib/net/conn.h"
#include "lib/net/listener.h"
#include "lib/net/tls.h"

/* Before the login: "AUTH", a mechanism and its longest first message, which
 * may stand on the same line. */
#define LOGIN_LINE_OCTETS (BASE64_TEXT(IPC_SASL_MAX) + 64)

/* What authd takes. */
#define LOGIN_NAME_MAX     255
#define LOGIN_PASSWORD_MAX 1000

/* Wrong passwords of one connection: a guesser needs many, which are limited.
 * How long each waits for its answer is authd's to say. */
#define LOGIN_TRIES_MAX  3

#define LOGIN_IDLE_S   600   /* RFC 1939 section 3 */
#define LOGIN_AUTH_MS  90000 /* authd: slow hashes, and waits of guessers */
#define LOGIN_START_MS 20000 /* master: the session's process */
#define LOGIN_FINISH_S 5     /* for the last answer to leave */

/* While more than this waits for one side, the other is not read. */
#define PROXY_UNSENT_OCTETS ((size_t)256 * 1024)

/* When all places are taken, who has been idle before its login for so long
 * makes room. */
#define LOGIN_YIELD_MS 10000

#define POP3D_LISTENERS_MAX 64

struct pop3d;

struct pop3d_listener {
	struct pop3d *d;
	const struct conf_listen *conf; /* borrows */
	struct listener listener;
	unsigned index;
	int fd;                   /* until it is opened */
	uint32_t sessions;
};

enum login_state {
	L_AUTH    = 1 << 0, /* AUTHORIZATION: USER, AUTH, CAPA, QUIT */
	L_USER    = 1 << 1, /* USER was given, PASS may follow */
	L_SASL    = 1 << 2, /* AUTH: the answer to a challenge is the next line */
	L_WAIT    = 1 << 3, /* authd or master is asked */
	L_PROXY   = 1 << 4, /* the session's process speaks */
	L_CLOSING = 1 << 5, /* the last answer is on its way */
	L_TLS     = 1 << 6  /* a handshake is under way */
};

struct login {
	struct pop3d *d;          /* borrows */
	struct pop3d_listener *from; /* borrows */
	struct login *prev, *next; /* all, the longest idle first */
	struct client *client;    /* borrows: our place among its address's */
	struct conn conn;         /* the client */
	struct conn stream;       /* the session's process, from L_PROXY on */
	bool has_stream;
	bool client_done;         /* it will send no more */
	int session_fd;           /* our end, until L_PROXY; -1 */
	enum login_state state;
	struct channel *asked;    /* borrows: whom request is with */
	uint32_t request;         /* 0: none */
	uint32_t exchange;        /* SASL, as authd knows it; 0: none */
	bool tls;                 /* encrypted from here on */
	struct defer bury;        /* frees it when nothing runs in it */
	bool gone;
	uint64_t sid;
	int64_t begin_ms, active_ms;
	uint64_t sent;            /* octets to the client in L_PROXY */
	unsigned tries, errors;
	char *name;               /* owns: USER's argument, then the account */
	char client_text[64];
};

struct pop3d {
	struct daemon daemon;
	struct loop *loop;        /* borrows */
	const struct conf *conf;  /* borrows */
	struct channel *authd;    /* borrows */
	struct channel *master;   /* borrows */
	struct tls *tls;          /* owns; NULL before the start */
	uint8_t offer;            /* OFFER_: what works for every account */
	uint32_t next_exchange;
	struct pop3d_listener listeners[POP3D_LISTENERS_MAX];
	size_t nlisteners;
	struct login *first, *last;
	size_t nlogins;
	struct clients clients;
	uint64_t next_sid;
	bool draining;
	struct timer stop_timer;
	uint64_t n_connections, n_refused, n_logins, n_failed;
};

/* login.c: one client from greeting to close; the only writer of its state. */
void login_open(struct pop3d_listener *l, int fd,
    const struct sockaddr_storage *peer);
void login_enter(struct login *c, enum login_state to);
void login_reply(struct login *c, const char *fmt, ...)
    __attribute__((format(printf, 2, 3)));

/* login_error - -ERR, counted: too many end the connection. */
void login_error(struct login *c, const char *text);

/* login_end - a last word (or NULL), then the connection closes. */
void login_end(struct login *c, const char *text);
void login_close(struct login *c);
void login_drain_all(struct pop3d *d);

/* secure.c. secure_file - a certificate from master. */
void secure_init(struct pop3d *d);
void secure_file(void *arg, const char *name, int fd);

/* TLS by STLS (RFC 2595), or from the first octet. */
void secure_start(struct login *c);
void secure_done(struct login *c);
void secure_failed(struct login *c, enum conn_end how);
void cmd_stls(struct login *c, struct span arg);
bool secure_offered(const struct login *c);

/* secure_silent - nothing can be said: a handshake is under way, or due. */
bool secure_silent(const struct login *c);
#define SECURE_TEXT 64
const char *secure_text(const struct login *c, char out[SECURE_TEXT]);

/* login_greet - the first words; login_forget - what was said in clear. */
void login_greet(struct login *c);
void login_forget(struct login *c);

/* command.c: one line in L_AUTH or L_USER. */
void login_command(struct login *c, struct span line);

/* login_allowed - may a password be sent here? */
bool login_allowed(const struct login *c);

/* sasl.c: AUTH (RFC 5034); a line in L_SASL; a challenge of authd's; the
 * mechanisms of CAPA, with a blank before each. */
void cmd_auth(struct login *c, struct span arg);
void sasl_line(struct login *c, struct span line);
void sasl_challenge(struct login *c, struct span octets);
void sasl_capa(struct login *c);

/* auth.c: authd judges; the client waits meanwhile. response: p NULL where none
 * came with the command. */
void auth_start(struct login *c, const char *mechanism, struct span response);
void auth_step(struct login *c, struct span response);
void auth_cancel(struct login *c);
extern const struct ipc_handler auth_handlers[];

/* proxy.c: from now on octets pass both ways. */
void proxy_start(struct login *c);
size_t proxy_from_client(struct login *c, struct span data);
void proxy_client_drained(struct login *c);
void proxy_client_ended(struct login *c, enum conn_end how);

/* user.c: pop3d -s, and its children. */
int user_main(void);

#endif
