/*
 * smtpd/author.c - whose letter a submission says that it is. Its From fields
 * are read as they pass, and authd is asked about each address while the text
 * streams on; what RFC 6409 section 8 lets a submission server put right is
 * put right here: From and Sender that are due, Return-Path and Sender that
 * are not.
 */
#include <stdio.h>

#include "lib/mail/address_list.h"
#include "lib/mem.h"
#include "smtpd/smtpd.h"

static bool
is_submission(const struct tx *tx)
{
	return tx->session->listen->kind == LISTEN_SUBMISSION;
}

/* "senders own": are names looked at? */
static bool
is_strict(const struct tx *tx)
{
	return is_submission(tx) && !tx->session->listen->senders_any;
}

/* The address that the account is known under; NULL if it is none. */
static const char *
own_address(const struct tx *tx)
{
	const char *account = tx->session->account;

	if (account != NULL && strchr(account, '@') != NULL)
		return account;
	return tx->from[0] != '\0' ? tx->from : NULL;
}

static bool
same_address(const char *canonical, const char *other)
{
	char text[ADDR_TEXT];
	struct addr a;

	return other != NULL &&
	    addr_parse_mailbox(span_str(other), &a) == 0 &&
	    span_eqstr(addr_canon(&a, text), canonical);
}

/* Known to be the account's own: of the address that MAIL gave authd has said
 * whether it is, of others the answer comes too late for Sender. */
static bool
is_own(const struct tx *tx, const char *canonical)
{
	return same_address(canonical, own_address(tx)) ||
	    (!tx->granted && same_address(canonical, tx->from));
}

/* -- questions ------------------------------------------------------------- */

static void
asks_drop(struct tx *tx)
{
	struct author *w = &tx->author;
	unsigned i;

	for (i = 0; i < w->nasks; i++) {
		if (w->asks[i].request != 0)
			channel_forget(tx->smtpd->authd, w->asks[i].request);
		w->asks[i].request = 0;
		x_free(&w->asks[i].address);
	}
	w->due = 0;
}

/* The others need no answer any more. */
static void
author_refuse(struct tx *tx, unsigned code, const char *enhanced,
    const char *text)
{
	asks_drop(tx);
	data_fail(tx, code, enhanced, text);
}

void
author_answer(struct author_ask *ask, uint8_t status)
{
	struct tx *tx = ask->tx;
	char text[ADDR_TEXT + 60];

	tx->author.due--;
	if (status == SENDER_FOREIGN) {
		snprintf(text, sizeof(text), "From names <%s>, which is not "
		    "one of your account", ask->address);
		author_refuse(tx, 550, "5.7.1", text);
	} else if (status != SENDER_OK && status != SENDER_GRANTED)
		author_refuse(tx, 451, "4.3.0", "Cannot look the From field "
		    "up now, try again later");
	data_resume(tx);
}

static void
author_ask(struct tx *tx, const char *address)
{
	struct author *w = &tx->author;
	struct author_ask *ask;

	if (same_address(address, tx->from))
		return; /* MAIL has asked */
	if (w->nasks == SMTP_FROM_ADDRESSES) {
		author_refuse(tx, 550, "5.7.1", "Too many authors");
		return;
	}
	ask = &w->asks[w->nasks++];
	ask->tx = tx;
	ask->address = xstrdup(address);
	w->due++;
	ask_author(ask, address);
}

/* -- the fields ------------------------------------------------------------ */

static void
address_judge(struct tx *tx, const struct address *a)
{
	struct author *w = &tx->author;
	char text[ADDR_TEXT];

	if (a->kind != ADDRESS_MAILBOX)
		return;
	w->addresses++;
	if (a->bad || addr_make(a->local, a->domain, text) == -1) {
		author_refuse(tx, 550, "5.7.1",
		    "The From field holds what is no address");
		return;
	}
	if (!is_own(tx, text))
		w->another = true;
	author_ask(tx, text);
}

/* The From field at hand is complete. */
static void
field_judge(struct tx *tx)
{
	struct author *w = &tx->author;
	struct span name, value;
	struct address_list list;
	struct address a;

	if (!w->gathering)
		return;
	w->gathering = false;
	span_split(buf_span(&w->field), ':', &name, &value);
	address_list_begin(&list, value);
	while (tx->failed.code == 0 && address_list_next(&list, &a))
		address_judge(tx, &a);
	buf_clear(&w->field);
}

bool
author_keep(struct tx *tx, struct span name)
{
	field_judge(tx);
	if (!is_submission(tx))
		return true;
	/* it is written at delivery (RFC 5321 section 4.4) */
	if (span_caseeq(name, "Return-Path"))
		return false;
	if (!is_strict(tx))
		return true;
	if (span_caseeq(name, "From")) {
		tx->author.gathering = true;
		buf_init(&tx->author.field, SMTP_FROM_OCTETS);
	}
	/* who sends is known here, and not by what the letter says of it */
	return !span_caseeq(name, "Sender");
}

void
author_text(struct tx *tx, struct span text)
{
	struct author *w = &tx->author;

	if (!w->gathering || buf_add_span(&w->field, text) == 0)
		return;
	w->gathering = false;
	buf_clear(&w->field);
	author_refuse(tx, 550, "5.7.1", "The From field is too long");
}

/*
 * Without From a letter is none (RFC 5322 section 3.6): it is from the one who
 * sends it. Sender stands where From does not say who that is: several
 * authors, or an address that the account was granted (3.6.2).
 */
void
author_end(struct tx *tx, struct buf *lines)
{
	struct author *w = &tx->author;
	const char *own = own_address(tx);

	field_judge(tx);
	if (!is_submission(tx) || tx->failed.code != 0 || own == NULL)
		return;
	if (!tx->header.has_from) {
		buf_addf(lines, "From: <%s>\r\n",
		    tx->from[0] != '\0' ? tx->from : own);
		w->another = tx->granted;
	} else if (is_strict(tx) && w->addresses == 0) {
		author_refuse(tx, 550, "5.7.1", "The From field is empty");
		return;
	}
	if (is_strict(tx) && (w->another || w->addresses > 1))
		buf_addf(lines, "Sender: <%s>\r\n", own);
}

void
author_clear(struct tx *tx)
{
	asks_drop(tx);
	buf_clear(&tx->author.field);
}
