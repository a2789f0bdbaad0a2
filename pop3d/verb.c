/*
 * pop3d/verb.c - the commands of the TRANSACTION state: RFC 1939 sections 5 to
 * 7, CAPA of RFC 2449, response codes of RFC 2449 and RFC 3206.
 */
#include <errno.h>

#include "lib/log.h"
#include "lib/mail/dot.h"
#include "lib/mem.h"
#include "pop3d/capa.h"
#include "pop3d/session.h"

/* Octets of a letter read at once; TOP mostly wants less. */
#define READ_OCTETS ((size_t)256 * 1024)
#define TOP_OCTETS  ((size_t)8 * 1024)

struct args {
	struct span word[2];
	size_t n;
};

static void
err(struct pop_session *s, const char *text)
{
	buf_addf(&s->out, "-ERR %s\r\n", text);
}

static void
junk(struct pop_session *s, const char *text)
{
	err(s, text);
	if (++s->junk >= POP3_JUNK_MAX)
		s->over = true;
}

/* The letter that a word means, or NULL after an answer. */
static struct pop_letter *
letter_arg(struct pop_session *s, struct span word)
{
	uint64_t n;

	if (span_u64(word, s->n, &n) == -1 || n == 0) {
		err(s, "There is no such message");
		return NULL;
	}
	if (s->letters[n - 1].deleted) {
		err(s, "That message is deleted");
		return NULL;
	}
	return &s->letters[n - 1];
}

static unsigned
number_of(const struct pop_session *s, const struct pop_letter *l)
{
	return (unsigned)(l - s->letters) + 1;
}

static void
verb_stat(struct pop_session *s, const struct args *a)
{
	(void)a;
	buf_addf(&s->out, "+OK %u %llu\r\n", s->n_left,
	    (unsigned long long)s->octets_left);
}

static void
verb_list(struct pop_session *s, const struct args *a)
{
	struct pop_letter *l;
	uint32_t i;

	if (a->n == 1) {
		if ((l = letter_arg(s, a->word[0])) != NULL)
			buf_addf(&s->out, "+OK %u %llu\r\n", number_of(s, l),
			    (unsigned long long)l->octets);
		return;
	}
	buf_addf(&s->out, "+OK %u messages (%llu octets)\r\n", s->n_left,
	    (unsigned long long)s->octets_left);
	for (i = 0; i < s->n && !s->over; i++) {
		if (!s->letters[i].deleted)
			buf_addf(&s->out, "%u %llu\r\n", i + 1,
			    (unsigned long long)s->letters[i].octets);
		if (s->out.len >= SESSION_OUT_OCTETS)
			session_flush(s);
	}
	buf_add_str(&s->out, ".\r\n");
}

/* The store's numbers move when others write; UIDs do not. */
static int
uidl_of(struct pop_session *s, const struct pop_letter *l,
    char out[STORE_UIDL_TEXT])
{
	ssize_t seq = store_find(s->store, l->uid);

	return seq == -1 ? -1 : store_uidl(s->store, (uint32_t)seq, out);
}

static void
verb_uidl(struct pop_session *s, const struct args *a)
{
	char uidl[STORE_UIDL_TEXT];
	struct pop_letter *l;
	uint32_t i;

	if (a->n == 1) {
		if ((l = letter_arg(s, a->word[0])) == NULL)
			return;
		if (uidl_of(s, l, uidl) == -1)
			err(s, "[SYS/TEMP] The message is no longer there");
		else
			buf_addf(&s->out, "+OK %u %s\r\n", number_of(s, l),
			    uidl);
		return;
	}
	buf_add_str(&s->out, "+OK\r\n");
	for (i = 0; i < s->n && !s->over; i++) {
		l = &s->letters[i];
		if (!l->deleted && uidl_of(s, l, uidl) == 0)
			buf_addf(&s->out, "%u %s\r\n", i + 1, uidl);
		if (s->out.len >= SESSION_OUT_OCTETS)
			session_flush(s);
	}
	buf_add_str(&s->out, ".\r\n");
}

/* -- sending letters ------------------------------------------------------- */

/* How much of a letter TOP wants: the header, the line behind it, n lines. */
struct top {
	bool all, in_header, in_line;
	uint64_t lines;
};

/* The part of the next piece that belongs to it; *done at its end. */
static struct span
top_cut(struct top *t, struct span piece, bool *done)
{
	const char *p = piece.p, *end = p + piece.len, *nl;

	*done = false;
	while (!t->all && p < end) {
		if (!t->in_header && t->lines == 0) {
			*done = true;
			return span_make(piece.p, (size_t)(p - piece.p));
		}
		nl = memchr(p, '\n', (size_t)(end - p));
		if (nl == NULL) {
			t->in_line = true;
			break;
		}
		if (!t->in_header)
			t->lines--;
		else if (!t->in_line && nl - p == 1)
			t->in_header = false; /* the line that ends it */
		t->in_line = false;
		p = nl + 1;
	}
	*done = !t->all && !t->in_header && t->lines == 0;
	return piece;
}

/* The text and its final dot. Past the first octet there is no way to tell of
 * a failure but to end the session. */
static void
letter_send(struct pop_session *s, struct pop_letter *l, struct top *t)
{
	size_t want = t->all ? READ_OCTETS : TOP_OCTETS;
	struct dot_stuff dot = { 0 };
	struct store_reader r;
	bool begun = false, done = false;
	int more = 1;

	if (store_read_begin(s->store, l->uid, &r) == -1)
		more = -1;
	while (more == 1 && !done && !s->over) {
		buf_reset(&s->text);
		if ((more = store_read(s->store, &r, &s->text, want)) == -1)
			break;
		if (!begun)
			buf_addf(&s->out, "+OK %llu octets\r\n",
			    (unsigned long long)l->octets);
		begun = true;
		if (dot_stuff(&dot, top_cut(t, buf_span(&s->text), &done),
		    &s->out) == -1)
			more = -1;
		else if (s->out.len >= SESSION_OUT_OCTETS)
			session_flush(s);
	}
	if (more != -1)
		dot_stuff_end(&dot, &s->out);
	else if (!begun)
		err(s, errno == ESTALE
		    ? "[SYS/TEMP] The message is no longer there"
		    : "[SYS/TEMP] The message cannot be read now");
	else {
		log_warn("reading a message");
		session_flush(s);
		s->over = true;
	}
}

static void
verb_retr(struct pop_session *s, const struct args *a)
{
	struct pop_letter *l = letter_arg(s, a->word[0]);
	struct top t = { .all = true };

	if (l != NULL)
		letter_send(s, l, &t);
}

static void
verb_top(struct pop_session *s, const struct args *a)
{
	struct top t = { .in_header = true };
	struct pop_letter *l;

	if (span_u64(a->word[1], UINT64_MAX, &t.lines) == -1) {
		err(s, "The second argument is a number of lines");
		return;
	}
	if ((l = letter_arg(s, a->word[0])) != NULL)
		letter_send(s, l, &t);
}

/* -- deleting -------------------------------------------------------------- */

static void
verb_dele(struct pop_session *s, const struct args *a)
{
	struct pop_letter *l = letter_arg(s, a->word[0]);

	if (l == NULL)
		return;
	l->deleted = true;
	s->n_left--;
	s->octets_left -= l->octets;
	buf_addf(&s->out, "+OK Message %u deleted\r\n", number_of(s, l));
}

static void
verb_rset(struct pop_session *s, const struct args *a)
{
	uint32_t i;

	(void)a;
	for (i = 0; i < s->n; i++) {
		if (!s->letters[i].deleted)
			continue;
		s->letters[i].deleted = false;
		s->n_left++;
		s->octets_left += s->letters[i].octets;
	}
	buf_addf(&s->out, "+OK %u messages (%llu octets)\r\n", s->n_left,
	    (unsigned long long)s->octets_left);
}

/* RFC 1939 section 6: the UPDATE state. */
static void
verb_quit(struct pop_session *s, const struct args *a)
{
	uint32_t *uids = xcalloc((size_t)s->n + 1, sizeof(*uids)), i;
	size_t k = 0;

	(void)a;
	for (i = 0; i < s->n; i++)
		if (s->letters[i].deleted)
			uids[k++] = s->letters[i].uid;
	if (k > 0 && store_expunge(s->store, uids, k) == -1) {
		log_warn("removing %zu messages", k);
		err(s, "[SYS/TEMP] Deleted messages are not removed");
	} else
		buf_addf(&s->out, "+OK Goodbye, %u messages left\r\n",
		    s->n_left);
	x_free(&uids);
	/* Who reads our goodbye may log in again at once. */
	store_unclaim(s->store);
	s->over = true;
}

static void
verb_noop(struct pop_session *s, const struct args *a)
{
	(void)a;
	buf_add_str(&s->out, "+OK\r\n");
}

static void
verb_capa(struct pop_session *s, const struct args *a)
{
	(void)a;
	buf_add_str(&s->out, "+OK Capabilities follow\r\n" POP3_CAPA ".\r\n");
}

/* -- the table ------------------------------------------------------------- */

static const struct verb {
	const char *name;
	size_t min, max; /* arguments */
	void (*run)(struct pop_session *s, const struct args *a);
} verbs[] = {
	{ "RETR", 1, 1, verb_retr },
	{ "LIST", 0, 1, verb_list },
	{ "UIDL", 0, 1, verb_uidl },
	{ "DELE", 1, 1, verb_dele },
	{ "STAT", 0, 0, verb_stat },
	{ "TOP",  2, 2, verb_top },
	{ "NOOP", 0, 0, verb_noop },
	{ "RSET", 0, 0, verb_rset },
	{ "CAPA", 0, 0, verb_capa },
	{ "QUIT", 0, 0, verb_quit },
};

void
verb_run(struct pop_session *s, struct span line)
{
	struct args a = { .n = 0 };
	struct span name, word;
	size_t i;

	if (memchr(line.p, '\0', line.len) != NULL ||
	    !span_next(&line, ' ', &name)) {
		junk(s, "That is no command");
		return;
	}
	for (i = 0; i < nitems(verbs); i++)
		if (span_caseeq(name, verbs[i].name))
			break;
	if (i == nitems(verbs)) {
		junk(s, "Unknown command");
		return;
	}
	while (a.n <= nitems(a.word) && span_next(&line, ' ', &word)) {
		if (a.n < nitems(a.word))
			a.word[a.n] = word;
		a.n++;
	}
	if (a.n < verbs[i].min || a.n > verbs[i].max)
		err(s, "Wrong number of arguments");
	else
		verbs[i].run(s, &a);
}
