/* ctl/spool.c - barid spool: verify, rebuild, and adopt a restored backup. */
#include <errno.h>
#include <limits.h>
#include <string.h>
#include <unistd.h>

#include "config.h"
#include "ctl/ctl.h"

struct working {
	const struct ctl *ctl;
	const char *verb;
};

static void
put_result(const struct fields *f)
{
	size_t i;

	for (i = 0; i < f->n; i++) {
		printf("%s", i == 0 ? "" : ", ");
		put_safe(stdout, f->list[i].key);
		printf(" %llu", (unsigned long long)f->list[i].number);
	}
	putchar('\n');
}

static void
on_record(void *arg, const struct fields *f)
{
	struct working *w = arg;

	if (field(f, "done") != NULL)
		progress(w->ctl, w->verb, field_number(f, "done"),
		    field_number(f, "total"));
	else {
		progress(w->ctl, NULL, 0, 0);
		if (w->ctl->json)
			put_record(stdout, f);
		else
			put_result(f);
	}
}

static int
spool_ask(const struct ctl *c, const char *verb)
{
	struct span words[] = { span_str("spool"), span_str(verb) };
	struct working w = { c, verb };
	struct talk t;
	int status = talk_open(&t, c, false);

	if (status != 0)
		return status;
	status = talk_ask(&t, ROLE_QUEUED, words, nitems(words), on_record,
	    &w);
	progress(c, NULL, 0, 0);
	talk_close(&t);
	return status;
}

/* Done by queued itself, which knows the format, while nobody has the spool. */
static int
spool_adopt(const struct ctl *c)
{
	char path[PATH_MAX], self[PATH_MAX - 32];
	struct talk t;
	ssize_t n;
	char *slash;

	if (talk_open(&t, c, true) == 0) {
		talk_close(&t);
		complain("spool adopt: barid runs; stop it first");
		return EX_TEMPFAIL;
	}
	snprintf(path, sizeof(path), "%s/queued", PATH_LIBEXEC);
	n = readlink("/proc/self/exe", self, sizeof(self) - 1);
	if (c->test_dir != NULL && n > 0) {
		self[n] = '\0';
		if ((slash = strrchr(self, '/')) != NULL)
			*slash = '\0';
		snprintf(path, sizeof(path), "%s/../libexec/queued", self);
	}
	execl(path, path, "--adopt", c->spool, (char *)NULL);
	complain("%s: %s", path, strerror(errno));
	return EX_UNAVAILABLE;
}

int
verb_spool(struct ctl *c)
{
	const char *verb = c->argc > 0 ? c->argv[0] : "";

	if (strcmp(verb, "verify") == 0 || strcmp(verb, "rebuild") == 0)
		return spool_ask(c, verb);
	if (strcmp(verb, "adopt") == 0)
		return spool_adopt(c);
	complain("spool: what? verify, rebuild or adopt");
	return EX_USAGE;
}
