/*
 * ctl/selector.c - which letters are meant: from the command line to the words
 * of lib/ipc/ctl.h.
 */
#include "ctl/ctl.h"
#include "lib/log.h"
#include "lib/mem.h"

static const struct { const char *option, *key, *value; } options[] = {
	{ "--from", "from", NULL }, { "--to", "to", NULL },
	{ "--domain", "domain", NULL }, { "--account", "account", NULL },
	{ "--id", "qid", NULL }, { "--held", "state", "held" },
	{ "--deferred", "state", "deferred" },
	{ "--active", "state", "active" },
};

static bool
add(struct selectors *s, const char *key, const char *value)
{
	/* Room for the verb's own words. */
	if (s->n + 4 > CTL_WORDS_MAX || strlen(value) > CTL_WORD_MAX - 16) {
		complain("too many words, or one too long");
		return false;
	}
	s->words[s->n++] = key[0] == '\0' ? xstrdup(value) :
	    xasprintf("%s=%s", key, value);
	s->any = true;
	return true;
}

/* <> stands for the null reverse-path; brackets are no part of an address. */
static bool
add_address(struct selectors *s, const char *key, const char *value)
{
	size_t len = strlen(value);
	char *bare;
	bool ok;

	if (len < 2 || value[0] != '<' || value[len - 1] != '>')
		return add(s, key, value);
	bare = span_dup(span_make(value + 1, len - 2));
	ok = add(s, key, bare);
	x_free(&bare);
	return ok;
}

/* A word without an option: an id, an address or a domain. */
static bool
add_bare(struct selectors *s, const char *word)
{
	struct span text = span_str(word);
	uint64_t qid;

	if (qid_parse(text, &qid) == 0)
		return add(s, "qid", word);
	if (span_find(text, '@') > 0)
		return add_address(s, "to", word);
	if (span_find(text, '@') == 0)
		return add(s, "domain", word + 1);
	if (span_find(text, '.') != -1)
		return add(s, "domain", word);
	complain("\"%s\" is neither an id, an address nor a domain", word);
	return false;
}

static int
set_by(struct selectors *s, const char *value)
{
	if (strcmp(value, "route") != 0 && strcmp(value, "reason") != 0) {
		complain("--by is followed by \"route\" or \"reason\"");
		return EX_USAGE;
	}
	s->by = value;
	return 0;
}

/* argv[i] as one of the options; returns the words taken, 0: none of them,
 * -1 after a complaint. */
static int
option_parse(struct selectors *s, int argc, char **argv)
{
	size_t k;

	for (k = 0; k < nitems(options); k++) {
		if (strcmp(argv[0], options[k].option) != 0)
			continue;
		if (options[k].value != NULL)
			return add(s, options[k].key, options[k].value) ? 1 :
			    -1;
		if (argc < 2) {
			complain("%s needs a word behind it", argv[0]);
			return -1;
		}
		return add_address(s, options[k].key, argv[1]) ? 2 : -1;
	}
	return 0;
}

int
selectors_parse(struct selectors *s, int argc, char **argv)
{
	int i, n;

	*s = (struct selectors){ 0 };
	for (i = 0; i < argc; i += n) {
		n = 1;
		if (strcmp(argv[i], "--by") == 0 && i + 1 < argc) {
			if (set_by(s, argv[i + 1]) != 0)
				return EX_USAGE;
			n = 2;
		} else if (strcmp(argv[i], "--all") == 0 ||
		    strcmp(argv[i], "all") == 0) {
			if (!add(s, "", "all"))
				return EX_USAGE;
		} else if ((n = option_parse(s, argc - i, argv + i)) == -1)
			return EX_USAGE;
		else if (n == 0) {
			if (argv[i][0] == '-') {
				complain("\"%s\" is not a selector; barid "
				    "help lists them", argv[i]);
				return EX_USAGE;
			}
			if (!add_bare(s, argv[i]))
				return EX_USAGE;
			n = 1;
		}
	}
	return 0;
}

void
selectors_clear(struct selectors *s)
{
	while (s->n > 0)
		mem_free(s->words[--s->n]);
}
