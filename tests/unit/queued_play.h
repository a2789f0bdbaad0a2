/*
 * queued_play.h - queued's scheduler with its real spool in a folder of its own,
 * and the test in the place of smtpd, authd, deliver, two relays and an admin,
 * over socketpairs in one loop.
 */
#ifndef TESTS_UNIT_QUEUED_PLAY_H
#define TESTS_UNIT_QUEUED_PLAY_H

#include <sys/socket.h>

#include "lib/ipc/ctl.h"
#include "queued/queued.h"
#include "tests/unit/check.h"
#include "tests/unit/spool_help.h"

#define PLAY_JOBS 6000

/* One attempt that a worker was given. */
struct play_job {
	struct channel *ch;     /* the worker's end */
	uint32_t session;
	uint64_t qid;
	uint8_t kind;
	uint32_t flags;
	char from[80], address[80], target[80];
	uint32_t numbers[100];
	char rcpts[4][80];
	size_t n;
	bool whole, over;
};

static struct play {
	struct queued q;
	struct daemon_spec spec;
	char path[256];
	/* queued's ends, the others' */
	struct channel *smtpd, *authd, *deliver, *relay[2], *ctl;
	struct channel smtpd_end, authd_end, deliver_end, relay_end[2],
	    ctl_end;
	struct play_job jobs[PLAY_JOBS];
	size_t njobs;
	/* smtpd */
	uint64_t granted;
	uint32_t grants, window;
	unsigned done_code, dones;
	char done_text[200];
	uint32_t tx;
	/* authd: asks of local part "held" wait */
	uint32_t held[16];
	size_t nheld;
	unsigned asked;
	/* ctl */
	unsigned records, ends, end_status, headers;
	uint64_t count;
	char last_state[32], last_route[80], last_to[80], last_reply[200];
	struct buf text;        /* of the last job */
} play;

static inline struct span
play_text_of(struct ipc_reader *rd, char *out, size_t size)
{
	struct span s = ipc_get_span(rd, IPC_PATH_MAX);

	if (span_copy(s, out, size) == -1)
		out[0] = '\0';
	return s;
}

/* -- smtpd ----------------------------------------------------------------- */

static int
play_on_grant(void *arg, struct ipc_msg *m)
{
	struct ipc_reader rd = ipc_reader(m);

	(void)arg;
	play.granted = ipc_get_u64(&rd);
	play.grants++;
	return 0;
}

static int
play_on_window(void *arg, struct ipc_msg *m)
{
	struct ipc_reader rd = ipc_reader(m);

	(void)arg;
	play.window += ipc_get_u32(&rd);
	return 0;
}

static int
play_on_done(void *arg, struct ipc_msg *m)
{
	struct ipc_reader rd = ipc_reader(m);

	(void)arg;
	play.done_code = ipc_get_u16(&rd);
	ipc_get_span(&rd, 16);
	play_text_of(&rd, play.done_text, sizeof(play.done_text));
	play.dones++;
	return 0;
}

static const struct ipc_handler play_smtpd_handlers[] = {
	{ IPC_QID_GRANT, play_on_grant },
	{ IPC_TX_WINDOW, play_on_window },
	{ IPC_TX_DONE,   play_on_done },
	IPC_HANDLERS_END
};

/* -- authd ----------------------------------------------------------------- */

static inline void
play_final(struct ipc_writer *w, uint8_t kind, const char *address,
    const char *target, const char *argument)
{
	ipc_put_u8(w, kind);
	ipc_put_str(w, address);
	ipc_put_str(w, target);
	ipc_put_str(w, argument);
}

static inline void
play_expand_end(uint32_t request, uint8_t status, const char *code,
    const char *text)
{
	struct ipc_writer w = ipc_begin(&play.authd_end, IPC_EXPAND_END,
	    request, 0);

	ipc_put_u8(&w, status);
	ipc_put_str(&w, code);
	ipc_put_str(&w, text);
	ipc_end(&w);
}

/* What the local part says: of "list" user1, user2 and a stranger, of "twin"
 * user1, of "owned" likewise in the name of an owner; everything else is itself.
 */
static inline void
play_expand(uint32_t request, struct span address)
{
	ssize_t at = span_rfind(address, '@');
	struct span local = span_make(address.p, (size_t)at);
	struct ipc_writer w;
	char addr[256], user[256];
	unsigned i;

	(void)span_copy(address, addr, sizeof(addr));
	(void)span_copy(local, user, sizeof(user));
	if (span_eqstr(local, "none")) {
		play_expand_end(request, EXPAND_FAIL, "5.1.1", "No such user");
		return;
	}
	if (span_eqstr(local, "later")) {
		play_expand_end(request, EXPAND_TEMP, "4.3.0", "Not now");
		return;
	}
	w = ipc_begin(&play.authd_end, IPC_EXPAND_MORE, request, 0);
	if (span_eqstr(local, "list") || span_eqstr(local, "owned")) {
		ipc_put_u16(&w, 3);
		play_final(&w, FINAL_MAILBOX, "user1@example.test", "user1", "");
		play_final(&w, FINAL_MAILBOX, "user2@example.test", "user2", "");
		play_final(&w, FINAL_REMOTE, "x@far.test", "", "");
	} else if (span_eqstr(local, "wide")) {
		ipc_put_u16(&w, 600);
		for (i = 0; i < 600; i++) {
			snprintf(addr, sizeof(addr), "w%u@example.test", i);
			play_final(&w, FINAL_MAILBOX, addr, "user1", "");
		}
	} else if (span_eqstr(local, "twin")) {
		ipc_put_u16(&w, 1);
		play_final(&w, FINAL_MAILBOX, "user1@example.test", "user1", "");
	} else {
		ipc_put_u16(&w, 1);
		if (span_eqstr(letter_domain(address), "example.test"))
			play_final(&w, FINAL_MAILBOX, addr, user, "");
		else
			play_final(&w, FINAL_REMOTE, addr, "", "");
	}
	ipc_end(&w);
	play_expand_end(request, EXPAND_OK, "",
	    span_eqstr(local, "owned") ? "owner@example.test" : "");
}

static int
play_on_expand(void *arg, struct ipc_msg *m)
{
	struct ipc_reader rd = ipc_reader(m);
	struct span address;

	(void)arg;
	ipc_get_u8(&rd);
	address = ipc_get_span(&rd, IPC_PATH_MAX);
	play.asked++;
	if (span_prefix(address, "held@") && play.nheld < nitems(play.held))
		play.held[play.nheld++] = m->request;
	else
		play_expand(m->request, address);
	return 0;
}

static const struct ipc_handler play_authd_handlers[] = {
	{ IPC_EXPAND_ASK, play_on_expand },
	IPC_HANDLERS_END
};

/* -- deliver and relay ------------------------------------------------------- */

static inline struct play_job *
play_job_of(struct ipc_msg *m)
{
	size_t i = play.njobs;

	while (i-- > 0)
		if (play.jobs[i].session == m->session &&
		    play.jobs[i].ch == m->ch)
			return &play.jobs[i];
	abort();
}

static int
play_on_begin(void *arg, struct ipc_msg *m)
{
	struct ipc_reader rd = ipc_reader(m);
	struct play_job *j = &play.jobs[play.njobs++];
	uint32_t number;

	(void)arg;
	if (play.njobs == PLAY_JOBS)
		abort();
	*j = (struct play_job){ .ch = m->ch, .session = m->session };
	j->qid = ipc_get_u64(&rd);
	j->kind = ipc_get_u8(&rd);
	j->flags = ipc_get_u32(&rd);
	ipc_get_u64(&rd);
	ipc_get_u64(&rd);
	ipc_get_u16(&rd);
	play_text_of(&rd, j->from, sizeof(j->from));
	play_text_of(&rd, j->address, sizeof(j->address));
	ipc_get_span(&rd, IPC_PATH_MAX);
	play_text_of(&rd, j->target, sizeof(j->target));
	ipc_get_span(&rd, IPC_PATH_MAX);
	ipc_get_span(&rd, IPC_PATH_MAX);
	ipc_get_span(&rd, IPC_PATH_MAX);
	number = ipc_get_u32(&rd);
	ipc_get_u16(&rd);
	check_true(ipc_at_end(&rd));
	if (m->ch == &play.deliver_end)
		j->numbers[j->n++] = number;
	buf_reset(&play.text);
	return 0;
}

static int
play_on_rcpt(void *arg, struct ipc_msg *m)
{
	struct ipc_reader rd = ipc_reader(m);
	struct play_job *j = play_job_of(m);

	(void)arg;
	j->numbers[j->n] = ipc_get_u32(&rd);
	if (j->n < nitems(j->rcpts))
		play_text_of(&rd, j->rcpts[j->n], sizeof(j->rcpts[0]));
	j->n++;
	return 0;
}

static int
play_on_body(void *arg, struct ipc_msg *m)
{
	(void)arg;
	buf_add_span(&play.text, m->body);
	return 0;
}

static int
play_on_end(void *arg, struct ipc_msg *m)
{
	(void)arg;
	play_job_of(m)->whole = true;
	return 0;
}

static int
play_on_big(void *arg, struct ipc_msg *m)
{
	(void)arg;
	check_true(m->fd != -1);
	return 0;
}

static const struct ipc_handler play_deliver_handlers[] = {
	{ IPC_JOB_BEGIN, play_on_begin },
	{ IPC_JOB_BODY,  play_on_body },
	{ IPC_JOB_BIG,   play_on_big },
	{ IPC_JOB_END,   play_on_end },
	IPC_HANDLERS_END
};

static const struct ipc_handler play_relay_handlers[] = {
	{ IPC_JOB_BEGIN, play_on_begin },
	{ IPC_JOB_RCPT,  play_on_rcpt },
	{ IPC_JOB_BODY,  play_on_body },
	{ IPC_JOB_BIG,   play_on_big },
	{ IPC_JOB_END,   play_on_end },
	IPC_HANDLERS_END
};

static const struct ipc_handler play_ctl_handlers[] = { IPC_HANDLERS_END };

/* -- the whole ----------------------------------------------------------------- */

static inline void
play_turn(void)
{
	int i;

	for (i = 0; i < 8; i++)
		loop_run_once(&play.q.d.loop, 1);
}

/* Until the disk has done what was asked of it so far, and that was noticed. */
static inline void
play_written(void)
{
	struct help_wait w = { 0 };

	spool_get(play.q.spool, 0, help_letter, &w);
	while (!w.done)
		loop_run_once(&play.q.d.loop, 10);
	play_turn();
}

/* So long at least, and as long as a busy disk needs for what follows from it: a
 * record, the report or expansion that it leads to, and their jobs. */
static inline void
play_run_ms(int64_t ms)
{
	int64_t end = clock_boot_ms() + ms;
	int i;

	while (clock_boot_ms() < end)
		loop_run_once(&play.q.d.loop, 10);
	for (i = 0; i < 3; i++)
		play_written();
}

/* Runs until *n has reached want; a loaded machine may take its time. */
static inline bool
play_until(const size_t *n, size_t want)
{
	int64_t end = clock_boot_ms() + 10000;

	while (*n < want && clock_boot_ms() < end)
		loop_run_once(&play.q.d.loop, 10);
	return *n >= want;
}

static inline void
play_open(struct channel *ours, struct channel *theirs)
{
	const struct daemon_peer *p = play.spec.peers;
	int sv[2];

	while (p->role != ours->peer)
		p++;
	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, sv) == -1)
		abort();
	channel_open(ours, sv[0]);
	channel_open(theirs, sv[1]);
	if (p->on_up != NULL)
		p->on_up(&play.q, ours);
}

static inline struct channel *
play_join(enum role role, unsigned instance, struct channel *theirs,
    const struct ipc_handler *handlers)
{
	struct channel *ours = daemon_peer(&play.q.d, role, instance);

	channel_init(theirs, &play.q.d.loop, role, ROLE_QUEUED, handlers,
	    NULL);
	play_open(ours, theirs);
	return ours;
}

static inline void
play_reported(struct channel *end)
{
	struct ipc_writer w = ipc_begin(end, IPC_JOB_REPORTED, 0, 0);

	ipc_end(&w);
	play_turn();
}

static inline void
play_spool_open(void)
{
	struct spool_options o = { .loop = &play.q.d.loop, .arg = &play.q,
		.segment_octets = SPOOL_SEGMENT_MIN, .settle_ms = 50,
		.engine = SPOOL_INDEX_MEM, .moved = active_moved };
	char why[200];

	o.rootfd = open(play.path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (spool_open(&play.q.spool, &o, why, sizeof(why)) == -1) {
		fprintf(stderr, "%s\n", why);
		abort();
	}
	play.q.rootfd = o.rootfd;
}

/* play_start - conf: statements beyond host and contact. Workers have reported
 * if ready says so. */
static inline void
play_start(const char *conf, bool ready)
{
	static const struct daemon_peer peers[] = {
		{ ROLE_SMTPD,   intake_handlers,  intake_up, intake_down },
		{ ROLE_AUTHD,   authd_handlers,   NULL,      NULL },
		{ ROLE_DELIVER, deliver_handlers, worker_up, worker_down },
		{ ROLE_RELAY,   relay_handlers,   worker_up, worker_down },
		{ ROLE_CTL,     ctl_handlers,     NULL,      command_down },
		{ ROLE_NONE,    NULL,             NULL,      NULL },
	};
	struct conf_errors errors = { 0 };
	char *text = xasprintf("config 1 for queued\nhost mx.example.test\n"
	    "contact postmaster@example.test\n%s", conf);

	log_stderr_level(LOG_L_ERROR);
	memset(&play, 0, sizeof(play));
	buf_init(&play.text, 1u << 20);
	help_folder(play.path);
	play.spec = (struct daemon_spec){ .role = ROLE_QUEUED,
		.peers = peers };
	play.q.d.spec = &play.spec;
	play.q.d.arg = &play.q;
	play.q.d.master.fd = -1; /* nobody is there */
	loop_init(&play.q.d.loop);
	if ((play.q.d.conf = conf_parse(span_str(text), "test", true,
	    &errors)) == NULL) {
		fprintf(stderr, "%s\n", errors.list[0].text);
		abort();
	}
	free(text);
	play_spool_open();
	play.q.ring_last = &play.q.ring;
	play.q.next_job = 1;
	defer_init(&play.q.dispatch, dest_dispatch, &play.q);
	timer_init(&play.q.scan, &play.q.d.loop, active_scan, &play.q);
	timer_set_ms(&play.q.scan, 0);
	play.smtpd = play_join(ROLE_SMTPD, 0, &play.smtpd_end,
	    play_smtpd_handlers);
	play.authd = play_join(ROLE_AUTHD, 0, &play.authd_end,
	    play_authd_handlers);
	play.deliver = play_join(ROLE_DELIVER, 0, &play.deliver_end,
	    play_deliver_handlers);
	play.relay[0] = play_join(ROLE_RELAY, 0, &play.relay_end[0],
	    play_relay_handlers);
	play.ctl = play_join(ROLE_CTL, 0, &play.ctl_end, play_ctl_handlers);
	if (ready) {
		play_reported(&play.deliver_end);
		play_reported(&play.relay_end[0]);
	}
	play_turn();
}

static inline void
play_active_free(void *arg, struct hash_node *node)
{
	struct active *a = hash_entry(node, struct active, node);

	(void)arg;
	hash_remove(&play.q.actives, node);
	letter_free(a->l);
	free(a->busy);
	free(a);
}

/* Ends without ceremony; what the scheduler still holds goes with the test. */
static inline void
play_stop(void)
{
	play.q.stopping = true;
	intake_close(&play.q);
	play_turn();
	spool_close(play.q.spool);
	limits_clear(&play.q.limits);
	hash_each(&play.q.actives, play_active_free, NULL);
	close(play.q.rootfd);
	conf_free(play.q.d.conf);
	if (chdir("/") == 0)
		tree_remove(play.path);
	buf_clear(&play.text);
}

/* -- what smtpd says ------------------------------------------------------------ */

static inline void
play_tx_begin_as(uint64_t qid, const char *from, const char *account)
{
	struct ipc_writer w;

	w = ipc_begin(&play.smtpd_end, IPC_TX_BEGIN, 0, ++play.tx);
	ipc_put_u64(&w, qid);
	ipc_put_u64(&w, 77);
	ipc_put_u32(&w, 0);
	ipc_put_u64(&w, 0);
	ipc_put_str(&w, from);
	ipc_put_str(&w, account);
	ipc_put_str(&w, "192.0.2.1");
	ipc_put_str(&w, "TLSv1.3 TLS_AES_256_GCM_SHA384");
	ipc_put_str(&w, "");
	ipc_end(&w);
}

static inline void
play_tx_rcpt(const char *to, uint8_t notify, const char *orcpt)
{
	struct ipc_writer w = ipc_begin(&play.smtpd_end, IPC_TX_RCPT, 0,
	    play.tx);

	ipc_put_str(&w, to);
	ipc_put_u8(&w, notify);
	ipc_put_str(&w, orcpt);
	ipc_end(&w);
}

static inline void
play_tx_body(const char *text)
{
	struct ipc_writer w = ipc_begin(&play.smtpd_end, IPC_TX_BODY, 0,
	    play.tx);

	ipc_put_octets(&w, span_str(text));
	ipc_end(&w);
}

static inline void
play_tx_commit(uint64_t octets)
{
	struct ipc_writer w = ipc_begin(&play.smtpd_end, IPC_TX_COMMIT, 0,
	    play.tx);

	ipc_put_u64(&w, octets);
	ipc_put_str(&w, "<m@t.test>");
	ipc_end(&w);
}

#define PLAY_TEXT "Subject: a play\r\n\r\nA line.\r\n"

/* One letter from begin to commit, to one recipient; its qid. */
static inline uint64_t
play_letter_notify(const char *from, const char *to, uint8_t notify)
{
	uint64_t qid = play.granted++;

	play_tx_begin_as(qid, from, "");
	play_tx_rcpt(to, notify, "");
	play_tx_body(PLAY_TEXT);
	play_tx_commit(strlen(PLAY_TEXT));
	return qid;
}

static inline uint64_t
play_letter(const char *from, const char *to)
{
	return play_letter_notify(from, to, 0);
}

/* -- what workers say ------------------------------------------------------------ */

static inline void
play_outcome(struct play_job *j, uint32_t number, uint8_t what,
    const char *status, const char *reply)
{
	struct ipc_writer w = ipc_begin(j->ch, IPC_JOB_OUTCOME, 0, j->session);

	ipc_put_u32(&w, number);
	ipc_put_u8(&w, what);
	ipc_put_str(&w, status);
	ipc_put_str(&w, reply);
	ipc_put_str(&w, j->ch == &play.deliver_end ? "" : "mx.far.test");
	ipc_put_str(&w, j->ch == &play.deliver_end ? "" : "TLSv1.3,dane");
	ipc_end(&w);
}

static inline void
play_job_done(struct play_job *j)
{
	struct ipc_writer w = ipc_begin(j->ch, IPC_JOB_DONE, 0, j->session);

	ipc_end(&w);
	j->over = true;
}

/* The same for all recipients of the job. */
static inline void
play_says(struct play_job *j, uint8_t what, const char *status,
    const char *reply)
{
	size_t i;

	for (i = 0; i < j->n; i++)
		play_outcome(j, j->numbers[i], what, status, reply);
	play_job_done(j);
}

/* The first open job whose recipient's domain, user or address fits; NULL. */
static inline struct play_job *
play_job_to(const char *what)
{
	size_t i;

	for (i = 0; i < play.njobs; i++)
		if (!play.jobs[i].over && play.jobs[i].whole &&
		    (strcmp(play.jobs[i].target, what) == 0 ||
		    strcmp(play.jobs[i].address, what) == 0 ||
		    strcmp(play.jobs[i].rcpts[0], what) == 0))
			return &play.jobs[i];
	return NULL;
}

static inline size_t
play_open_jobs(void)
{
	size_t i, n = 0;

	for (i = 0; i < play.njobs; i++)
		n += !play.jobs[i].over;
	return n;
}

/* The letter as the spool has it now; the caller's. */
static inline struct letter *
play_get(uint64_t qid)
{
	struct help_wait w = { 0 };

	play_turn();
	spool_get(play.q.spool, qid, help_letter, &w);
	while (!w.done)
		loop_run_once(&play.q.d.loop, 10);
	return w.letter;
}

static inline bool
play_is_gone(uint64_t qid)
{
	struct letter *l = play_get(qid);

	letter_free(l);
	return l == NULL;
}

/* n letters alike, durable and a moment old. */
static inline void
play_letters(unsigned n, const char *from, const char *to)
{
	unsigned dones = play.dones, i;

	for (i = 0; i < n; i++)
		play_letter(from, to);
	while (play.dones < dones + n)
		loop_run_once(&play.q.d.loop, 10);
	play_run_ms(100);
}

#endif
