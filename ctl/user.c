/*
 * ctl/user.c - barid user: accounts of users files. Which file an address
 * belongs to is read from the configuration; passwords are never taken from arguments,
 * which every user of the host can see.
 */
#include <errno.h>
#include <stdlib.h>
#include <unistd.h>

#include "ctl/user.h"
#include "ctl/usersedit.h"
#include "lib/mail/addr.h"
#include "lib/privsep/privsep.h"

/* The account at hand, and where it is kept. */
struct user_at {
	const struct ctl *ctl;
	const struct user_words *words;
	struct conf *conf;       /* NULL with --file */
	const struct conf_users *block; /* likewise */
	const char *file;
	char account[USERSFILE_ADDR_MAX + 1]; /* canonical */
};

/* -- the words -- */

static const struct option {
	const char *name;
	size_t text, flag;       /* one of them: where it goes */
	const char *verbs;       /* that have it */
} options[] = {
#define TEXT(name, member, verbs) \
	{ name, offsetof(struct user_words, member), 0, verbs }
#define FLAG(name, member, verbs) \
	{ name, 0, offsetof(struct user_words, member), verbs }
	TEXT("--file",     file,     "add passwd list delete"),
	TEXT("--label",    label,    "add passwd delete"),
	TEXT("--scope",    scope,    "add passwd"),
	TEXT("--until",    until,    "add passwd"),
	TEXT("--uid",      uid,      "add"),
	TEXT("--quota",    quota,    "add"),
	TEXT("--home",     home,     "add"),
	FLAG("--generate", generate, "add passwd"),
	FLAG("--crypt",    crypt,    "add passwd"),
	FLAG("--locked",   locked,   "add"),
	FLAG("--nologin",  nologin,  "add"),
	FLAG("--nomail",   nomail,   "add"),
#undef TEXT
#undef FLAG
};

static bool
has_verb(const char *list, const char *verb)
{
	struct span rest = span_str(list), word;

	while (span_next(&rest, ' ', &word))
		if (span_eqstr(word, verb))
			return true;
	return false;
}

static int
take_option(struct user_words *w, int argc, char **argv, int *i)
{
	const char *name = argv[*i];
	size_t k;

	if (strcmp(name, "--sender") == 0 && strcmp(w->verb, "add") == 0) {
		if (++*i == argc || w->nsenders == USER_SENDERS_MAX) {
			complain("--sender: one address for each, %d at most",
			    USER_SENDERS_MAX);
			return EX_USAGE;
		}
		w->senders[w->nsenders++] = argv[*i];
		return 0;
	}
	for (k = 0; k < nitems(options); k++)
		if (strcmp(options[k].name, name) == 0 &&
		    has_verb(options[k].verbs, w->verb))
			break;
	if (k == nitems(options)) {
		complain("user %s: %s is not known", w->verb, name);
		return EX_USAGE;
	}
	if (options[k].flag != 0) {
		*(bool *)(void *)((char *)w + options[k].flag) = true;
		return 0;
	}
	if (++*i == argc) {
		complain("%s: a word is missing behind it", name);
		return EX_USAGE;
	}
	*(const char **)(void *)((char *)w + options[k].text) = argv[*i];
	return 0;
}

static int
words_check(const struct user_words *w)
{
	uint32_t day;

	if (w->address == NULL && strcmp(w->verb, "list") != 0) {
		complain("user %s: an address is missing", w->verb);
		return EX_USAGE;
	}
	if (w->label == NULL && (w->scope != NULL || w->until != NULL)) {
		complain("--scope and --until are for app passwords: say "
		    "--label, too");
		return EX_USAGE;
	}
	if (w->label != NULL && !users_label_ok(span_str(w->label))) {
		complain("--label: 1 to %u letters, digits, dots, dashes and _",
		    USERSFILE_LABEL_MAX);
		return EX_USAGE;
	}
	if (w->until != NULL && users_day_parse(span_str(w->until), &day) ==
	    -1) {
		complain("--until: a day as 2027-01-31");
		return EX_USAGE;
	}
	if (w->locked && (w->label != NULL || w->generate || w->crypt)) {
		complain("--locked: an account without a password has none");
		return EX_USAGE;
	}
	return 0;
}

static int
words_parse(struct user_words *w, int argc, char **argv)
{
	static const char *const verbs = "add passwd list delete";
	int i, status;

	memset(w, 0, sizeof(*w));
	w->verb = argc > 0 ? argv[0] : "";
	if (!has_verb(verbs, w->verb)) {
		complain("user wants add, passwd, list or delete");
		return EX_USAGE;
	}
	for (i = 1; i < argc; i++) {
		if (argv[i][0] == '-' && argv[i][1] != '\0') {
			status = take_option(w, argc, argv, &i);
			if (status != 0)
				return status;
		} else if (w->address == NULL) {
			w->address = argv[i];
		} else {
			complain("user %s: \"%s\" is one word too many",
			    w->verb, argv[i]);
			return EX_USAGE;
		}
	}
	return words_check(w);
}

/* "pop3,imap" as well as "pop3|imap": a shell has plans for the latter. */
static int
password_words(const struct user_words *w, char *out, size_t size)
{
	char scope[USERS_SCOPE_TEXT * 2], text[USERS_SCOPE_TEXT];
	unsigned bits;
	char *p;
	int n;

	out[0] = '\0';
	if (w->label == NULL)
		return 0;
	n = snprintf(out, size, " label=%s", w->label);
	if (w->scope != NULL) {
		if (strlcpy(scope, w->scope, sizeof(scope)) >= sizeof(scope))
			scope[0] = '\0';
		for (p = scope; *p != '\0'; p++)
			if (*p == ',')
				*p = '|';
		if (users_scope_parse(span_str(scope), &bits) == -1) {
			complain("--scope knows submission, pop3 and imap, "
			    "with commas between");
			return EX_USAGE;
		}
		users_scope_format(bits, text);
		n += snprintf(out + n, size - (size_t)n, " scope=%s", text);
	}
	if (w->until != NULL)
		(void)snprintf(out + n, size - (size_t)n, " until=%s",
		    w->until);
	return 0;
}

/* -- which file -- */

static struct conf *
load_conf(const struct ctl *c)
{
	struct conf_errors errors = { 0 };
	struct conf *conf = conf_load(c->conf, c->test_dir, &errors);

	if (conf == NULL)
		complain("%s: %s; barid check says more", c->conf,
		    errors.n > 0 ? errors.list[0].text : "it has faults");
	conf_errors_clear(&errors);
	return conf;
}

/* As the reader of the file would name it. */
static int
account_of(struct user_at *at)
{
	char line[USERSFILE_ADDR_MAX + 8];
	struct users_line row;
	const char *complaint = "it is too long";
	int n = snprintf(line, sizeof(line), "%s:*", at->words->address);

	if (strpbrk(at->words->address, ":#\n") != NULL)
		complaint = "an account cannot have this name";
	else if (n > 0 && (size_t)n < sizeof(line) &&
	    users_line_parse(span_str(line), &row, &complaint) == 1 &&
	    span_copy(row.address, at->account, sizeof(at->account)) == 0)
		return 0;
	complain("%s: %s", at->words->address, complaint);
	return EX_USAGE;
}

static const struct conf_domain *
domain_of(const struct user_at *at)
{
	struct span name = span_str(at->account);
	ssize_t sign = span_rfind(name, '@');
	size_t i;

	if (sign != -1)
		return conf_domain_find(at->conf, span_from(name,
		    (size_t)sign + 1));
	for (i = 0; i < at->conf->ndomains; i++)
		if (at->conf->domains[i].is_default)
			return &at->conf->domains[i];
	return NULL;
}

static int
choose_file(struct user_at *at)
{
	const struct conf_domain *d;

	if ((at->file = at->words->file) != NULL)
		return 0;
	if ((at->conf = load_conf(at->ctl)) == NULL)
		return EX_CONFIG;
	if ((d = domain_of(at)) == NULL || d->users == NULL) {
		complain("%s: no domain of the configuration has such "
		    "accounts", at->account);
		return EX_NOHOST;
	}
	at->block = conf_users_find(at->conf, d->users);
	if (at->block == NULL || at->block->file == NULL) {
		complain("%s: accounts of this domain are those of the host: "
		    "see useradd(8) and passwd(1)", at->account);
		return EX_USAGE;
	}
	at->file = at->block->file;
	return 0;
}

/* -- the verbs -- */

static bool
checked_elsewhere(const struct user_at *at)
{
	return at->block != NULL && at->block->passwords != PASSWORDS_FILE;
}

/* Asked for before the file is locked: people take their time. */
static int
make_password(const struct user_at *at, char out[USER_PASSWORD_MAX + 2])
{
	if (checked_elsewhere(at)) {
		complain("%s: its passwords are not in %s: see users %s in the "
		    "configuration", at->account, at->file, at->block->name);
		return EX_USAGE;
	}
	if (!at->words->generate)
		return user_password(at->account, out);
	user_password_fresh(out);
	return 0;
}

static int
make_hash(const struct user_at *at, const char *password,
    const struct verifier *like, char hash[USER_HASH_MAX])
{
	if (!at->words->crypt)
		return user_hash_scram(password, like, hash);
	complain("note: beside a hash of crypt(3), SCRAM is not offered to "
	    "anybody");
	return user_hash_crypt(password, hash);
}

static int
no_such(const struct user_at *at)
{
	complain("%s: %s has no such account", at->account, at->file);
	return EX_NOUSER;
}

static int
find_line(const struct user_at *at, const struct usersedit *e,
    struct usersedit_line *line)
{
	const char *complaint;

	switch (usersedit_find(e, span_str(at->account), line, &complaint)) {
	case 1:
		return 0;
	case 0:
		return no_such(at);
	default:
		complain("%s:%u: %s; mend this line first", at->file,
		    line->number, complaint);
		return EX_DATAERR;
	}
}

/* One fresh password is told, and only when it is in force. */
static void
tell_fresh(const struct user_at *at, const char *password)
{
	if (!at->words->generate)
		return;
	if (at->ctl->json)
		printf("{\"password\":\"%s\"}\n", password);
	else
		printf("%s\n", password);
}

static int
set_password(struct user_at *at, struct usersedit *e, const char *password)
{
	const char *label = at->words->label == NULL ? "" : at->words->label;
	char words[256], hash[USER_HASH_MAX];
	struct usersedit_line line;
	struct verifier like;
	const char *complaint;
	bool shares;
	int status;

	if ((status = password_words(at->words, words, sizeof(words))) != 0 ||
	    (status = find_line(at, e, &line)) != 0)
		return status;
	shares = usersedit_verifier(e, &line, span_str(label), &like);
	status = make_hash(at, password, shares ? &like : NULL, hash);
	if (status != 0)
		return status;
	if (usersedit_password(e, &line, span_str(label), span_str(hash),
	    words, &complaint) == -1) {
		complain("%s:%u: %s", at->file, line.number, complaint);
		return EX_DATAERR;
	}
	return 0;
}

static int
user_passwd(struct user_at *at)
{
	char password[USER_PASSWORD_MAX + 2];
	struct usersedit e = { .lock = -1 };
	int status = make_password(at, password);

	if (status == 0)
		status = usersedit_open(&e, at->file, false);
	if (status == 0)
		status = set_password(at, &e, password);
	if (status == 0)
		status = usersedit_commit(&e);
	if (status == 0)
		tell_fresh(at, password);
	usersedit_close(&e);
	explicit_bzero(password, sizeof(password));
	return status;
}

static int
uid_check(const struct user_at *at)
{
	bool test = at->conf != NULL && at->conf->privileges_none;
	uint64_t uid;

	if (at->words->uid == NULL) {
		if (at->block == NULL || at->block->owner != NULL)
			return 0;
		complain("users %s has no owner: say --uid", at->block->name);
		return EX_USAGE;
	}
	if (span_u64(span_str(at->words->uid), UINT32_MAX - 2, &uid) == -1 ||
	    (uid < UID_USER_MIN && !test)) {
		complain("--uid: a number from %d on", UID_USER_MIN);
		return EX_USAGE;
	}
	return 0;
}

static void
add_flag(struct buf *b, size_t *n, const char *flag, const char *value)
{
	(void)buf_addf(b, "%s%s%s", (*n)++ == 0 ? " : " : ", ", flag, value);
}

/* A line without a password yet. */
static int
new_line(const struct user_at *at, struct buf *b)
{
	const struct user_words *w = at->words;
	struct users_line row;
	const char *complaint = "it would be too long";
	size_t n = 0, i;

	(void)buf_addf(b, "%s : *", at->account);
	if (w->uid != NULL || w->quota != NULL || w->home != NULL ||
	    w->nsenders > 0 || w->nologin || w->nomail)
		(void)buf_addf(b, " : %s : %s", w->uid == NULL ? "" : w->uid,
		    w->quota == NULL ? "-" : w->quota);
	if (w->nologin)
		add_flag(b, &n, "nologin", "");
	if (w->nomail)
		add_flag(b, &n, "nomail", "");
	if (w->home != NULL)
		add_flag(b, &n, "home=", w->home);
	for (i = 0; i < w->nsenders; i++)
		add_flag(b, &n, "sender=", w->senders[i]);
	if (b->len <= USERSFILE_LINE_MAX && span_find(buf_span(b), '\n') ==
	    -1 && users_line_parse(buf_span(b), &row, &complaint) == 1)
		return 0;
	complain("%s: %s", at->account, complaint);
	return EX_USAGE;
}

static int
add_line(struct user_at *at, struct usersedit *e, struct span text)
{
	struct usersedit_line line;
	const char *complaint;

	if (usersedit_find(e, span_str(at->account), &line, &complaint) != 0) {
		complain("%s: %s:%u has this account already", at->account,
		    at->file, line.number);
		return EX_CANTCREAT;
	}
	if (usersedit_append(e, text) == 0)
		return 0;
	complain("%s: the file would be too big", at->file);
	return EX_CANTCREAT;
}

static int
user_add(struct user_at *at)
{
	bool locked = at->words->locked || checked_elsewhere(at);
	char password[USER_PASSWORD_MAX + 2];
	struct usersedit e = { .lock = -1 };
	struct buf text = BUF_INIT(2 * USERSFILE_LINE_MAX);
	int status = uid_check(at);

	if (status == 0)
		status = new_line(at, &text);
	if (status == 0 && !locked)
		status = make_password(at, password);
	if (status == 0)
		status = usersedit_open(&e, at->file, true);
	if (status == 0)
		status = add_line(at, &e, buf_span(&text));
	if (status == 0 && !locked)
		status = set_password(at, &e, password);
	if (status == 0)
		status = usersedit_commit(&e);
	if (status == 0 && !locked)
		tell_fresh(at, password);
	usersedit_close(&e);
	buf_clear(&text);
	explicit_bzero(password, sizeof(password));
	return status;
}

static int
user_delete(struct user_at *at)
{
	const char *label = at->words->label, *complaint;
	struct usersedit e = { .lock = -1 };
	struct usersedit_line line;
	int status = usersedit_open(&e, at->file, false);

	if (status == 0)
		status = find_line(at, &e, &line);
	if (status == 0 && label == NULL) {
		usersedit_remove(&e, &line);
	} else if (status == 0 && usersedit_password(&e, &line,
	    span_str(label), span_make(NULL, 0), "", &complaint) != 0) {
		complain("%s: it has no password labelled %s", at->account,
		    label);
		status = EX_NOUSER;
	}
	if (status == 0)
		status = usersedit_commit(&e);
	usersedit_close(&e);
	return status;
}

/* Without a file: of every users block that has one. */
static int
list_all(struct user_at *at)
{
	const char *only = at->words->address;
	int status = 0, one;
	size_t i, k;

	if (at->words->file != NULL)
		return user_list(at->ctl, at->words->file, only);
	if ((at->conf = load_conf(at->ctl)) == NULL)
		return EX_CONFIG;
	for (i = 0; i < at->conf->nusers; i++) {
		const char *file = at->conf->users[i].file;

		for (k = 0; k < i && file != NULL; k++)
			if (at->conf->users[k].file != NULL &&
			    strcmp(at->conf->users[k].file, file) == 0)
				file = NULL;
		if (file != NULL &&
		    (one = user_list(at->ctl, file, only)) != 0)
			status = one;
	}
	return status;
}

int
verb_user(struct ctl *c)
{
	struct user_words w;
	struct user_at at = { .ctl = c, .words = &w };
	int status = words_parse(&w, c->argc, c->argv);

	if (status != 0)
		return status;
	if (strcmp(w.verb, "list") == 0) {
		status = list_all(&at);
	} else if ((status = account_of(&at)) == 0 &&
	    (status = choose_file(&at)) == 0) {
		status = strcmp(w.verb, "add") == 0 ? user_add(&at) :
		    strcmp(w.verb, "passwd") == 0 ? user_passwd(&at) :
		    user_delete(&at);
	}
	conf_free(at.conf);
	return status;
}
