/*
 * authd/rcpt.c - is this recipient ours, and may it get mail now? The one place
 * where relaying is decided: by the parsed domain alone.
 */
#include "authd/authd.h"
#include "authd/expand.h"

static bool
verdict(struct verdict *out, uint8_t code, const char *enhanced,
    const char *text)
{
	out->code = code;
	out->enhanced = enhanced;
	out->text = text;
	return true;
}

static bool
unknown(struct verdict *out)
{
	return verdict(out, RCPT_UNKNOWN, "5.1.1", "No such user here");
}

static bool
accepted(struct verdict *out)
{
	return verdict(out, RCPT_OK, "2.1.5", "Ok");
}

static bool
later(struct verdict *out)
{
	return verdict(out, RCPT_TEMP, "4.3.0",
	    "Accounts cannot be looked up now, try again later");
}

/* Would another host read a way on out of it? Here it is a name like any other,
 * and nobody has such a name. */
static bool
looks_routed(struct span local)
{
	return span_find(local, '%') != -1 || span_find(local, '!') != -1 ||
	    span_find(local, '@') != -1;
}

/* local is without quotes now. */
static bool
judge_local(struct directory *dir, struct nss *nss, struct job *j,
    const struct conf_domain *dom, struct span local, struct span domain,
    struct verdict *out)
{
	struct resolved r;

	switch (resolve_local(dir, nss, j, dom, local, domain, false, &r)) {
	case FOUND_YES:
		if (r.is_user && (r.user.flags & USER_F_NOMAIL) != 0)
			return unknown(out);
		return accepted(out);
	case FOUND_NO:
		return unknown(out);
	case FOUND_WAIT:
		return false;
	case FOUND_FAILED:
		break;
	}
	return later(out);
}

bool
rcpt_judge(struct directory *dir, struct nss *nss, struct job *j,
    unsigned flags, struct span local, struct span domain,
    struct verdict *out)
{
	char plain[ADDR_LOCAL_TEXT];
	const struct conf_domain *dom;

	local = local_unquote(local, plain);
	if (domain.len == 0) {
		if (span_caseeq(local, "postmaster"))
			return accepted(out);
		/* sendmail(1) adds a domain; nobody else may leave it out */
		if ((flags & RCPT_F_LOCAL) == 0 ||
		    (dom = directory_default(dir)) == NULL)
			return unknown(out);
		domain = span_str(dom->names.words[0]);
	}
	if ((dom = directory_domain(dir, domain)) == NULL) {
		if ((flags & (RCPT_F_LOCAL | RCPT_F_DEVICE)) != 0)
			return accepted(out);
		return verdict(out, RCPT_RELAY, "5.7.1", "Relaying denied");
	}
	if (looks_routed(local))
		return unknown(out);
	if (dom->relay_to != NULL && dom->recipients_any)
		return accepted(out);
	return judge_local(dir, nss, j, dom, local, domain, out);
}
