/* lib/mail/received.c - writes trace fields; every value is cleaned first. */
#include "lib/mail/received.h"

#include <inttypes.h>
#include <stdio.h>

#include "lib/log.h"
#include "lib/mail/addr.h"
#include "lib/mail/addr_parts.h"
#include "lib/mail/date.h"

#define LINE_MAX_COLUMN 78 /* RFC 5322 section 2.1.1 */

const char *
received_protocol(unsigned how)
{
	static const char *const esmtp[] = { "ESMTP", "ESMTPS", "ESMTPA",
		"ESMTPSA" };
	static const char *const lmtp[] = { "LMTP", "LMTPS", "LMTPA",
		"LMTPSA" };
	static const char *const utf8[] = { "UTF8SMTP", "UTF8SMTPS",
		"UTF8SMTPA", "UTF8SMTPSA" };
	static const char *const utf8_lmtp[] = { "UTF8LMTP", "UTF8LMTPS",
		"UTF8LMTPA", "UTF8LMTPSA" };
	unsigned i = ((how & RECEIVED_TLS) != 0) +
	    ((how & RECEIVED_AUTH) != 0) * 2u;

	if (how & RECEIVED_LMTP)
		return how & RECEIVED_UTF8 ? utf8_lmtp[i] : lmtp[i];
	if (how & RECEIVED_UTF8)
		return utf8[i];
	return how & RECEIVED_ESMTP || i != 0 ? esmtp[i] : "SMTP";
}

/* Puts words into lines. */
struct folder {
	struct buf *out;
	size_t column;
	bool failed;
};

static void
add_word(struct folder *f, const char *word)
{
	size_t n = strlen(word);

	if (n == 0)
		return;
	if (f->column + 1 + n > LINE_MAX_COLUMN) {
		f->failed |= buf_add_str(f->out, "\r\n\t") == -1;
		f->column = 8;
	} else {
		f->failed |= buf_add_char(f->out, ' ') == -1;
		f->column++;
	}
	f->failed |= buf_add_str(f->out, word) == -1;
	f->column += n;
}

/* Only what a domain, a literal or a name may hold; cut at size. */
static const char *
clean(struct span in, char *out, size_t size)
{
	size_t i = 0, n = 0, len;

	while (i < in.len && n + 1 < size) {
		char c = ascii_lower(in.p[i]);

		len = (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') ||
		    (c != '\0' && strchr(".-_[]:+", c) != NULL) ? 1 :
		    addr_utf8_len(span_from(in, i));
		if (len == 0) {
			out[n++] = '?';
			i++;
		} else if (n + len < size) {
			memcpy(out + n, in.p + i, len);
			n += len;
			i += len;
		} else {
			break;
		}
	}
	out[n] = '\0';
	return out;
}

static void
add_from(struct folder *f, const struct received *r)
{
	char text[ADDR_DOMAIN_TEXT], word[ADDR_DOMAIN_TEXT + 80], ip[64];

	if (r->local) {
		add_word(f, "from local uid");
		snprintf(word, sizeof(word), "%" PRIu32, r->uid);
		add_word(f, word);
		if (r->user.len > 0) {
			snprintf(word, sizeof(word), "(%s)",
			    clean(r->user, text, sizeof(text)));
			add_word(f, word);
		}
		return;
	}
	add_word(f, "from");
	add_word(f, r->helo.len > 0 ? clean(r->helo, text, sizeof(text)) :
	    "unknown");
	clean(r->name, text, sizeof(text));
	clean(r->ip, ip, sizeof(ip));
	snprintf(word, sizeof(word), "(%s%s[%s%s])", text,
	    r->name.len > 0 ? " " : "",
	    span_find(r->ip, ':') != -1 ? "IPv6:" : "", ip);
	add_word(f, word);
}

/* "TLSv1.3 TLS_AES_256_GCM_SHA384": two words within one comment. */
static void
add_tls(struct folder *f, struct span tls)
{
	char text[64], word[sizeof(text) + 2];
	struct span version, cipher;

	if (tls.len == 0)
		return;
	span_split(tls, ' ', &version, &cipher);
	snprintf(word, sizeof(word), "(%s%s", clean(version, text,
	    sizeof(text)), cipher.len > 0 ? "" : ")");
	add_word(f, word);
	if (cipher.len == 0)
		return;
	snprintf(word, sizeof(word), "%s)", clean(cipher, text, sizeof(text)));
	add_word(f, word);
}

/* A path is shown only if the validator knows it: it may come from a table. */
static void
add_for(struct folder *f, struct span rcpt)
{
	char text[ADDR_TEXT], word[ADDR_TEXT + 10];
	struct addr a;

	if (rcpt.len == 0 || addr_parse_text(rcpt, &a) == -1)
		return;
	addr_format(&a, text);
	snprintf(word, sizeof(word), "for <%s>", text);
	add_word(f, word);
}

int
received_add(struct buf *out, const struct received *r)
{
	struct folder f = { out, strlen("Received:"), false };
	char text[ADDR_DOMAIN_TEXT], qid[QID_TEXT], date[DATE_TEXT];
	size_t before = out->len;

	f.failed |= buf_add_str(out, "Received:") == -1;
	if (!r->person)
		add_from(&f, r);
	add_word(&f, "by");
	add_word(&f, clean(r->host, text, sizeof(text)));
	add_word(&f, "(barid)");
	add_word(&f, "with");
	add_word(&f, r->protocol);
	add_tls(&f, r->tls);
	add_word(&f, "id");
	add_word(&f, qid_format(r->qid, qid));
	add_for(&f, r->rcpt);
	f.failed |= buf_add_char(out, ';') == -1;
	f.column++;
	add_word(&f, date_format(r->date, date));
	f.failed |= buf_add_str(out, "\r\n") == -1;
	if (!f.failed)
		return 0;
	out->len = before; /* all of it or nothing */
	return -1;
}

int
message_id_add(struct buf *out, uint64_t qid, time_t t, struct span host)
{
	char text[ADDR_DOMAIN_TEXT], id[QID_TEXT];

	return buf_addf(out, "Message-Id: <%s.%jx@%s>\r\n",
	    qid_format(qid, id), (uintmax_t)t,
	    clean(host, text, sizeof(text)));
}
