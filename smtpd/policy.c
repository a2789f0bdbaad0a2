/*
 * smtpd/policy.c - what the configuration says about a client before any mail
 * is looked at: "deny from", "deny sender", and who a device may write to.
 * Whether a recipient is ours is authd's business.
 */
#include <stdio.h>

#include "smtpd/smtpd.h"

void
verdict_set(struct verdict *v, unsigned code, const char *enhanced,
    struct span text)
{
	size_t i, n = 0;

	v->code = code;
	snprintf(v->enhanced, sizeof(v->enhanced), "%s", enhanced);
	for (i = 0; i < text.len && n + 1 < sizeof(v->text); i++)
		if (text.p[i] >= ' ' && text.p[i] <= '~')
			v->text[n++] = text.p[i];
	v->text[n] = '\0';
}

static void
verdict_deny(struct verdict *v, unsigned code, const char *said,
    const char *otherwise)
{
	verdict_set(v, code, "5.7.1",
	    span_str(said != NULL ? said : otherwise));
}

static bool
net_listed(const struct conf_net *nets, size_t n, const struct in6_addr *a)
{
	size_t i;

	for (i = 0; i < n; i++)
		if (conf_net_match(&nets[i], a))
			return true;
	return false;
}

bool
policy_connect(const struct conf_listen *l, const struct in6_addr *a,
    struct verdict *v)
{
	const struct conf_deny *d;
	size_t i;

	for (i = 0; i < l->ndenies; i++) {
		d = &l->denies[i];
		if (!d->is_sender && conf_net_match(&d->net, a)) {
			verdict_deny(v, 554, d->text,
			    "No mail is taken from your address");
			return false;
		}
	}
	if (l->kind == LISTEN_DEVICE && !net_listed(l->from, l->nfrom, a)) {
		verdict_deny(v, 554, NULL,
		    "This port is for named devices alone");
		return false;
	}
	return true;
}

bool
policy_sender(const struct conf_listen *l, struct span from,
    struct verdict *v)
{
	const struct conf_deny *d;
	size_t i;

	for (i = 0; i < l->ndenies; i++) {
		d = &l->denies[i];
		if (d->is_sender && conf_pattern_match(d->pattern, from)) {
			verdict_deny(v, 550, d->text,
			    "No mail is taken from this sender");
			return false;
		}
	}
	return true;
}

bool
policy_rcpt(const struct conf_listen *l, struct span domain, struct verdict *v)
{
	size_t i;

	if (l->kind != LISTEN_DEVICE || domain.len == 0) /* postmaster */
		return true;
	for (i = 0; i < l->to.n; i++)
		if (strcmp(l->to.words[i], "any") == 0 ||
		    span_caseeq(domain, l->to.words[i]))
			return true;
	verdict_deny(v, 550, NULL, "A device may not write to this domain");
	return false;
}
