/*
 * queued/expand.c - from the recipient that was given to those who get the letter:
 * authd says who, the spool remembers, and only then anything is delivered.
 */
#include <stdlib.h>
#include <unistd.h>

#include "lib/log.h"
#include "lib/mail/addr.h"
#include "lib/mem.h"
#include "queued/queued.h"

#define EXPAND_MS   60000 /* authd waits 30 s for NSS at most */
#define FINALS_MAX  LETTER_RCPTS_MAX
#define EXPAND_AWAY 255   /* beside EXPAND_: there was no answer */

/* One question; the answer may come in pieces. */
struct question {
	struct active *a;
	uint32_t number;
	struct final *finals;
	size_t n;
};

/* authd keeps no channel state here: questions end with the channel. */
const struct ipc_handler authd_handlers[] = { IPC_HANDLERS_END };

void
finals_free(struct final *list, size_t n)
{
	size_t i;

	for (i = 0; i < n; i++) {
		mem_free((void *)(uintptr_t)list[i].addr.p);
		mem_free((void *)(uintptr_t)list[i].user.p);
	}
	free(list);
}

static struct span
keep(struct span s)
{
	return span_make(span_dup(s), s.len);
}

/* What a command or file stands for is its text; who runs it is the target. */
static bool
final_get(struct ipc_reader *rd, struct final *f)
{
	uint8_t kind = ipc_get_u8(rd);
	struct span address = ipc_get_span(rd, IPC_PATH_MAX);
	struct span target = ipc_get_span(rd, IPC_PATH_MAX);
	struct span argument = ipc_get_span(rd, IPC_PATH_MAX);
	struct addr a;
	bool text = kind == FINAL_COMMAND || kind == FINAL_FILE ||
	    kind == FINAL_INCLUDE;

	*f = (struct final){ .kind = kind };
	f->addr = keep(text ? argument : address);
	f->user = keep(target);
	if (!text && addr_parse_text(address, &a) == -1)
		return false;
	return ipc_ok(rd) && kind >= FINAL_MAILBOX && kind <= FINAL_INCLUDE &&
	    f->addr.len > 0 && (kind == FINAL_REMOTE || target.len > 0);
}

int
finals_get(struct ipc_reader *rd, struct final **list, size_t *n)
{
	size_t more = ipc_get_u16(rd), i;

	if (!ipc_ok(rd) || *n + more > FINALS_MAX)
		return -1;
	*list = xreallocarray(*list, *n + more, sizeof(**list));
	for (i = 0; i < more; i++)
		if (!final_get(rd, &(*list)[(*n)++]))
			return -1;
	return ipc_at_end(rd) ? 0 : -1;
}

/* Does this recipient go where that final one would go? */
static bool
same_final(const struct rcpt *r, const struct final *f)
{
	return r->state != RCPT_EXPANDED && r->kind == f->kind &&
	    span_eq(r->addr, f->addr) && span_eq(r->user, f->user);
}

/* One copy for everybody, however many ways lead to him. */
static size_t
drop_known(const struct letter *l, uint32_t parent, struct final *finals,
    size_t n)
{
	size_t i, k, kept = 0;
	uint32_t j;

	for (i = 0; i < n; i++) {
		bool known = false;

		for (j = 0; j < l->nrcpts && !known; j++)
			known = l->rcpts[j].number != parent &&
			    same_final(&l->rcpts[j], &finals[i]);
		for (k = 0; k < kept && !known; k++)
			known = finals[k].kind == finals[i].kind &&
			    span_eq(finals[k].addr, finals[i].addr) &&
			    span_eq(finals[k].user, finals[i].user);
		if (known) {
			mem_free((void *)(uintptr_t)finals[i].addr.p);
			mem_free((void *)(uintptr_t)finals[i].user.p);
		} else
			finals[kept++] = finals[i];
	}
	return kept;
}

/* An EXPAND record on its way to the disk: who came of it. */
struct expansion {
	struct active *a;
	uint32_t first;
	size_t n;
};

static void
tell_expanded(const struct letter *l, uint32_t number, size_t n)
{
	struct event_out e;

	event_begin(&e, EV_EXPANDED, l->qid, 0);
	event_text(&e, KEY_TO, letter_rcpt(l, number)->addr);
	event_num(&e, KEY_COUNT, n);
	event_send(&e);
}

/* One letter has become two: the trace of either leads to the other. */
static void
tell_split(const struct letter *l, const struct letter *to)
{
	struct event_out e;
	char qid[QID_TEXT];

	event_begin(&e, EV_ACCEPTED, to->qid, to->sid);
	event_text(&e, KEY_FROM, to->reverse_path);
	event_num(&e, KEY_RCPTS, to->nrcpts);
	event_num(&e, KEY_SIZE, to->size);
	event_str(&e, KEY_TEXT, "on behalf of the list's owner, from letter");
	event_str(&e, KEY_REPLY, qid_format(l->qid, qid));
	event_send(&e);
}

static void
on_durable(void *arg, enum spool_status status)
{
	struct expansion *x = arg;
	struct active *a = x->a;
	uint32_t i;

	(void)status; /* it is written until it is durable */
	a->writes--;
	for (i = 0; i < x->n; i++)
		active_busy(a, x->first + i, false);
	free(x);
	active_schedule(a);
}

static uint32_t
number_above(const struct letter *l)
{
	return l->nrcpts == 0 ? 1 : l->rcpts[l->nrcpts - 1].number + 1;
}

/* In memory it is so at once, so that the next expansion sees its equals; they
 * stay busy, hence untried, until the record is durable. */
void
expand_write(struct active *a, uint32_t parent, struct final *finals,
    size_t n)
{
	const struct rcpt *r = letter_rcpt(a->l, parent);
	struct expansion *x = xmalloc(sizeof(*x));
	uint32_t first = number_above(a->l);
	size_t i;

	n = drop_known(a->l, parent, finals, n);
	for (i = 0; i < n; i++) {
		finals[i].number = first + (uint32_t)i;
		finals[i].parent = parent;
		finals[i].depth = (uint8_t)(r->depth + 1);
		finals[i].notify = r->notify;
		finals[i].orcpt = r->orcpt;
		active_busy(a, finals[i].number, true);
	}
	*x = (struct expansion){ a, first, n };
	a->writes++;
	tell_expanded(a->l, parent, n);
	spool_expand(a->q->spool, a->l->qid, &parent, 1, finals, n,
	    on_durable, x);
	letter_apply_expand(a->l, &parent, 1, finals, n);
	finals_free(finals, n);
}

/* A list's letters go on in the name of its owner, who hears of their fate. */
struct split {
	struct active *a;
	struct letter *l;
};

static void
on_split(void *arg, enum spool_status status)
{
	struct split *s = arg;

	s->a->writes--;
	if (status == SPOOL_OK)
		active_add(s->a->q, s->l);
	else
		letter_free(s->l);
	active_schedule(s->a);
	free(s);
}

static struct letter *
split_letter(struct active *a, struct span owner, const struct final *finals,
    size_t n, uint8_t depth)
{
	const struct letter *l = a->l;
	struct letter *to = letter_new(spool_qids(a->q->spool, 1));
	size_t i;

	to->sid = l->sid;
	to->flags = l->flags;
	to->arrival_s = l->arrival_s;
	to->size = l->size;
	to->reverse_path = letter_dup(to, owner);
	to->account = letter_dup(to, l->account);
	to->client = letter_dup(to, l->client);
	for (i = 0; i < n; i++) {
		struct rcpt *r = letter_add_rcpt(to, finals[i].addr);

		if (r == NULL)
			break;
		r->kind = finals[i].kind;
		r->depth = (uint8_t)(depth + 1);
		r->user = letter_dup(to, finals[i].user);
		r->next_s = l->arrival_s;
	}
	return to;
}

/*
 * Parent's end and the new letter in one batch. Returns -1 where it cannot be:
 * a text that is a file of its own stays with its letter and reverse-path.
 */
static int
split_write(struct active *a, uint32_t parent, struct span owner,
    const struct final *finals, size_t n)
{
	struct rcpt *r = letter_rcpt(a->l, parent);
	struct outcome o = { .number = parent, .state = RCPT_EXPANDED,
		.flags = r->flags, .attempt = r->attempt };
	struct buf out = BUF_INIT(2 * SPOOL_INLINE_MAX + (8u << 20));
	struct span text = span_make("", 0);
	struct split *s;
	struct body *body;
	int fd = -1;

	if (a->l->big || spool_read(a->q->spool, a->l, &out, &text, &fd) == -1
	    || fd != -1) {
		if (fd != -1)
			close(fd);
		buf_clear(&out);
		return -1;
	}
	s = xmalloc(sizeof(*s));
	*s = (struct split){ a, split_letter(a, owner, finals, n, r->depth) };
	body = spool_body_begin(a->q->spool, s->l->qid, NULL, NULL);
	spool_body_append(body, text);
	a->writes++;
	tell_expanded(a->l, parent, n);
	tell_split(a->l, s->l);
	spool_bounce(a->q->spool, a->l->qid, &o, 1, s->l, body, on_split, s);
	letter_apply_outcome(a->l, &o);
	buf_clear(&out);
	return 0;
}

/* It stands for itself: nothing needs to be remembered, it is asked again
 * after a restart. */
static bool
is_itself(const struct rcpt *r, const struct final *f, size_t n)
{
	return n == 1 && (f->kind == FINAL_MAILBOX || f->kind == FINAL_REMOTE)
	    && span_caseeq_span(f->addr, r->addr);
}

static bool
has_twin(const struct letter *l, const struct rcpt *r, const struct final *f)
{
	uint32_t i;

	for (i = 0; i < l->nrcpts; i++)
		if (l->rcpts[i].number != r->number &&
		    same_final(&l->rcpts[i], f))
			return true;
	return false;
}

static void
question_done(struct question *qu, uint8_t status, struct span enhanced,
    struct span text)
{
	struct active *a = qu->a;
	struct rcpt *r = letter_rcpt(a->l, qu->number);
	char code[16], reply[IPC_TEXT_MAX + 1];

	if (span_copy(enhanced, code, sizeof(code)) == -1)
		code[0] = '\0';
	if (span_copy(text, reply, sizeof(reply)) == -1)
		reply[0] = '\0';
	a->expanding--;
	active_busy(a, qu->number, false);
	if (rcpt_is_settled(r))
		; /* deleted meanwhile, or reported */
	else if (status == EXPAND_FAIL)
		settle_fail(a, r, code[0] != '\0' ? code : "5.1.1", reply);
	else if (status != EXPAND_OK)
		settle_defer(a, r, code[0] != '\0' ? code : "4.3.0", reply,
		    status == EXPAND_AWAY);
	else if (is_itself(r, qu->finals, qu->n) &&
	    !has_twin(a->l, r, qu->finals)) {
		r->kind = qu->finals[0].kind;
		r->user = letter_dup(a->l, qu->finals[0].user);
	} else if (qu->n > LETTER_RCPTS_MAX - a->l->nrcpts)
		settle_fail(a, r, "5.5.3", "Too many recipients come of this");
	else if (reply[0] == '\0' || span_eqstr(a->l->reverse_path, reply) ||
	    split_write(a, qu->number, span_str(reply), qu->finals,
	    qu->n) == -1) {
		expand_write(a, qu->number, qu->finals, qu->n);
		qu->finals = NULL;
		qu->n = 0;
	}
	finals_free(qu->finals, qu->n);
	free(qu);
	active_schedule(a);
}

static int
on_answer(void *arg, struct ipc_msg *m)
{
	struct question *qu = arg;
	struct ipc_reader rd;
	struct span enhanced, text;
	uint8_t status;

	if (m == NULL) {
		question_done(qu, EXPAND_AWAY, span_str("4.3.0"),
		    span_str("authd is being restarted"));
		return 0;
	}
	rd = ipc_reader(m);
	if (m->type == IPC_EXPAND_MORE)
		return finals_get(&rd, &qu->finals, &qu->n);
	status = ipc_get_u8(&rd);
	enhanced = ipc_get_span(&rd, 15);
	text = ipc_get_span(&rd, IPC_TEXT_MAX);
	if (!ipc_at_end(&rd) || (status == EXPAND_OK && qu->n == 0)) {
		question_done(qu, EXPAND_TEMP, span_str("4.3.0"),
		    span_str("authd misbehaved"));
		return -1;
	}
	question_done(qu, status, enhanced, text);
	return 0;
}

void
expand_ask(struct active *a, struct rcpt *r)
{
	struct channel *authd = daemon_peer(&a->q->d, ROLE_AUTHD, 0);
	const struct rcpt *parent = letter_rcpt(a->l, r->parent);
	/* in a .forward a user's own name is his mailbox, in a list it is not */
	bool owned = parent != NULL && parent->kind == FINAL_MAILBOX;
	struct question *qu = xcalloc(1, sizeof(*qu));
	struct ipc_writer w;
	uint32_t request;

	qu->a = a;
	qu->number = r->number;
	a->expanding++;
	active_busy(a, r->number, true);
	request = channel_request(authd, EXPAND_MS, on_answer, qu);
	w = ipc_begin(authd, IPC_EXPAND_ASK, request, 0);
	ipc_put_u8(&w, r->depth);
	ipc_put_span(&w, r->addr);
	ipc_put_span(&w, a->l->reverse_path);
	ipc_put_u8(&w, owned ? EXPAND_F_OWNED : 0);
	ipc_end(&w);
}
