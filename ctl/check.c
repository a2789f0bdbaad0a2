/*
 * ctl/check.c - barid check: everything that can be known to be wrong before
 * mail comes, each fault with its place. Nothing is changed.
 */
#include <errno.h>
#include <fcntl.h>
#include <openssl/pem.h>
#include <pwd.h>
#include <sys/stat.h>
#include <unistd.h>

#include "config.h"
#include "ctl/ctl.h"
#include "lib/log.h"
#include "lib/mail/aliases.h"
#include "lib/mail/usersfile.h"

/* A name that no account has, or a file that cannot be used. */
struct report {
	const struct ctl *ctl;
	FILE *out;
	size_t n;
};

static void
report_line(struct report *r, const char *file, unsigned line,
    unsigned column, const char *text)
{
	r->n++;
	if (r->ctl->json) {
		fputs("{\"file\":", r->out);
		put_json(r->out, span_str(file));
		fprintf(r->out, ",\"line\":%u,\"column\":%u,\"text\":", line,
		    column);
		put_json(r->out, span_str(text));
		fputs("}\n", r->out);
		return;
	}
	put_safe(r->out, span_str(file));
	if (line > 0)
		fprintf(r->out, ":%u:%u", line, column);
	fputs(": ", r->out);
	put_safe(r->out, span_str(text));
	fputc('\n', r->out);
}

/* -- the files that it names ----------------------------------------------- */

/* What a file is, what stands in it that others must not read, or NULL, and
 * what to do when it is missing. */
struct kind {
	const char *what, *secret, *missing;
};

static const struct kind users_kind = { "users file", "password hashes",
	"an empty one will do" };
static const struct kind aliases_kind = { "aliases", NULL,
	"an empty one will do" };
static const struct kind records_kind = { "records", NULL,
	"an empty one will do" };
static const struct kind cert_kind = { "certificate", NULL,
	"without it there is no TLS" };
static const struct kind key_kind = { "key", "private key",
	"without it there is no TLS" };
static const struct kind ca_kind = { "authorities", NULL,
	"without it nobody is vouched for" };

/*
 * Whoever can write there decides who gets mail, what runs as whom, or who we
 * are. Returns a descriptor to read it, or -1 when it cannot be.
 */
static int
check_file(struct report *r, const char *path, const struct kind *kind)
{
	const char *what = kind->what;
	char text[200] = "";
	struct stat st;
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);

	if (fd == -1 && errno == ENOENT)
		snprintf(text, sizeof(text), "%s: there is no such file; %s",
		    what, kind->missing);
	else if (fd == -1 || fstat(fd, &st) == -1)
		snprintf(text, sizeof(text), "%s: %s", what, strerror(errno));
	else if (!S_ISREG(st.st_mode))
		snprintf(text, sizeof(text), "%s: not a regular file", what);
	else if (st.st_uid != 0 && st.st_uid != geteuid() &&
	    r->ctl->test_dir == NULL)
		snprintf(text, sizeof(text), "%s: it belongs to neither root "
		    "nor you", what);
	else if ((st.st_mode & 022) != 0)
		snprintf(text, sizeof(text), "%s: others can change it: "
		    "chmod go-w", what);
	else if (kind->secret != NULL && (st.st_mode & 007) != 0 &&
	    r->ctl->test_dir == NULL)
		snprintf(text, sizeof(text), "%s: others can read its %s: "
		    "chmod o-rwx", what, kind->secret);
	if (text[0] != '\0')
		report_line(r, path, 0, 0, text);
	return fd;
}

/* A line that the parser of the file leaves out. */
struct line_report {
	struct report *r;
	const char *path;
};

static void
on_bad_line(void *arg, unsigned line, const char *complaint)
{
	struct line_report *l = arg;

	report_line(l->r, l->path, line, 1, complaint);
}

static const char *
on_row(void *arg, const struct users_line *row)
{
	(void)arg;
	(void)row;
	return NULL;
}

static void
check_users_file(struct report *r, const char *path)
{
	struct line_report l = { r, path };
	struct users_sink sink = { on_row, on_bad_line, &l };
	int fd = check_file(r, path, &users_kind);

	if (fd == -1)
		return;
	(void)usersfile_read(fd, &sink); /* what kept it was said above */
	close(fd);
}

/* Commands, files and includes are faults without "as ACCOUNT". */
static void
check_aliases(struct report *r, const struct conf_domain *d)
{
	struct line_report l = { r, d->aliases };
	struct aliases a = { 0 };
	int fd = check_file(r, d->aliases, &aliases_kind);

	if (fd == -1)
		return;
	if (aliases_read(&a, fd, d->aliases_as != NULL, on_bad_line, &l) == 0)
		aliases_clear(&a);
	close(fd);
}

/* PEM certificates, of which the first must be in force. */
static void
check_certificates(struct report *r, const char *path, const struct kind *kind)
{
	int fd = check_file(r, path, kind);
	FILE *f = fd == -1 ? NULL : fdopen(fd, "r");
	X509 *x;

	if (f == NULL) {
		if (fd != -1)
			close(fd);
		return;
	}
	if ((x = PEM_read_X509(f, NULL, NULL, NULL)) == NULL)
		report_line(r, path, 0, 0, "there is no certificate in it");
	else if (X509_cmp_current_time(X509_get0_notAfter(x)) <= 0)
		report_line(r, path, 0, 0, "the certificate has expired");
	else if (X509_cmp_current_time(X509_get0_notBefore(x)) > 0)
		report_line(r, path, 0, 0, "the certificate is not in force "
		    "yet");
	X509_free(x);
	fclose(f);
}

/* The key is not read: that is for keyd alone. */
static void
check_tls(struct report *r, struct conf *c)
{
	size_t i;
	int fd;

	for (i = 0; i < c->ntls; i++) {
		check_certificates(r, c->tls[i].cert, &cert_kind);
		if ((fd = check_file(r, c->tls[i].key, &key_kind)) != -1)
			close(fd);
		if (c->tls[i].client_ca != NULL)
			check_certificates(r, c->tls[i].client_ca, &ca_kind);
	}
	if (!conf_ca_default(c))
		report_line(r, r->ctl->conf, 0, 0, "tls verified: this system "
		    "has no file of authorities; name one in relay { ca PATH }");
	else if (c->relay.ca != NULL)
		check_certificates(r, c->relay.ca, &ca_kind);
}

/* A service that is not there is what "other" says. */
static void
check_pam(struct report *r, const char *service)
{
#ifdef HAVE_PAM
	const char *test = r->ctl->test_dir;
	char path[2][1200];
	struct stat st;

	snprintf(path[0], sizeof(path[0]), "%s/pam.d/%s",
	    test == NULL ? "/etc" : test, service);
	snprintf(path[1], sizeof(path[1]), "/usr/lib/pam.d/%s", service);
	if (stat(path[0], &st) == -1 && stat(path[1], &st) == -1)
		report_line(r, path[0], 0, 0, "there is no such PAM service: "
		    "what \"other\" says would hold");
#else
	(void)service;
	report_line(r, r->ctl->conf, 0, 0, "passwords pam: this barid was "
	    "built without PAM");
#endif
}

/* Who else is asked for passwords must be there to be asked. */
static void
check_passwords(struct report *r, const struct conf_users *u)
{
	struct stat st;

	if (u->dovecot != NULL && (stat(u->dovecot, &st) == -1 ||
	    !S_ISSOCK(st.st_mode)))
		report_line(r, u->dovecot, 0, 0, "there is no socket: does "
		    "Dovecot run, and does it have this one?");
	if (u->pam != NULL)
		check_pam(r, u->pam);
}

static void
check_account(struct report *r, const char *name, const char *statement)
{
	char text[200];

	if (name == NULL || getpwnam(name) != NULL)
		return;
	snprintf(text, sizeof(text), "%s %s: this host has no such account",
	    statement, name);
	report_line(r, r->ctl->conf, 0, 0, text);
}

static void
check_files(struct report *r, struct conf *c)
{
	size_t i;
	int fd;

	for (i = 0; i < c->nusers; i++) {
		if (c->users[i].file != NULL)
			check_users_file(r, c->users[i].file);
		check_passwords(r, &c->users[i]);
		check_account(r, c->users[i].owner, "owner");
	}
	for (i = 0; i < c->ndomains; i++) {
		if (c->domains[i].aliases != NULL)
			check_aliases(r, &c->domains[i]);
		check_account(r, c->domains[i].aliases_as, "aliases as");
	}
	check_tls(r, c);
	if (c->dns.records != NULL &&
	    (fd = check_file(r, c->dns.records, &records_kind)) != -1)
		close(fd);
}

/* -- all ------------------------------------------------------------------- */

static struct conf *
load(struct report *r)
{
	struct conf_errors errors = { 0 };
	struct conf *c = conf_load(r->ctl->conf, r->ctl->test_dir, &errors);
	const struct conf_error *e;
	size_t i;

	for (i = 0; i < errors.n; i++) {
		e = &errors.list[i];
		report_line(r, e->file, e->line, e->column, e->text);
	}
	conf_errors_clear(&errors);
	return c;
}

int
check_configuration(const struct ctl *ctl, FILE *out)
{
	struct report r = { ctl, out, 0 };
	struct conf *c = load(&r);
	int status = r.n > 0 ? EX_CONFIG : 0;

	/* A wrong table is told of and stops no start: mail for its domains
	 * waits until it is right. */
	if (c != NULL)
		check_files(&r, c);
	conf_free(c);
	return status;
}

int
verb_check(struct ctl *ctl)
{
	struct report r = { ctl, stdout, 0 };
	struct conf *c = load(&r);

	if (c != NULL)
		check_files(&r, c);
	conf_free(c);
	if (r.n == 0 && !ctl->json)
		printf("%s: no errors\n", ctl->conf);
	return r.n > 0 ? EX_CONFIG : 0;
}
