/*
 * authd/scram.c - SCRAM-SHA-256 in authd -w (RFC 5802 section 3): how it begins
 * for an account, and whether a client's proof is right. An account that is not
 * there, or has no verifier, begins like one that has, and its proof is wrong.
 */
#include <stdlib.h>

#include "authd/worker.h"
#include "lib/mail/addr.h"
#include "lib/mail/verifier.h"

#define MODELS_MAX  64   /* accounts looked at for one with a verifier */
#define MESSAGE_MAX 4096 /* an AuthMessage, with its channel binding */

/* The passwords of an account, or of the one that it is taken for; both are looked
 * for always, so that it takes as long. */
static bool
walk_for(const struct worker *w, const struct hashed_users *u,
    struct span address, struct hashed_walk *out)
{
	struct hashed_walk model;

	(void)hashed_model(u, secret_place(&w->secret, address), &model);
	if (hashed_find(u, address, out))
		return true;
	*out = model;
	return false;
}

/*
 * The client has one password, of several perhaps, and wants one salt: that of
 * the first verifier that counts today for this service, else of the first.
 */
static bool
salt_of(struct hashed_walk walk, uint8_t service, struct verifier *out)
{
	struct hashed_one one;
	struct verifier v;
	bool any = false;

	while (hashed_next(&walk, &one)) {
		if (verifier_parse(one.text, &v) == -1)
			continue;
		if (!any || hashed_usable(&one, service))
			*out = v;
		any = true;
		if (hashed_usable(&one, service))
			break;
	}
	explicit_bzero(&v, sizeof(v));
	return any;
}

/* Of nobody's: as long, and as many iterations, as the account's it is taken
 * for, the next one with a verifier; without any, what is made today. */
static void
salt_invent(const struct worker *w, const struct hashed_users *u,
    struct span address, uint8_t service, struct verifier *v)
{
	unsigned char digest[SECRET_OCTETS], more[SECRET_OCTETS];
	uint64_t place = secret_place(&w->secret, address), i;
	struct hashed_walk walk;
	bool found = false;

	for (i = 0; u != NULL && !found && i < MODELS_MAX; i++)
		found = hashed_model(u, place + i, &walk) &&
		    salt_of(walk, service, v);
	if (!found) {
		v->iterations = VERIFIER_ITERATIONS;
		v->nsalt = VERIFIER_SALT;
	}
	secret_digest(&w->secret, "salt ", address, digest);
	secret_digest(&w->secret, "more ", address, more);
	memcpy(v->salt, digest, sizeof(digest));
	memcpy(v->salt + sizeof(digest), more, sizeof(more));
}

_Static_assert(VERIFIER_SALT_MAX == 2 * SECRET_OCTETS, "see salt_invent");

int
on_pw_scram(void *arg, struct ipc_msg *m)
{
	struct worker *w = arg;
	struct ipc_reader rd = ipc_reader(m);
	struct span block = ipc_get_span(&rd, CONF_LABEL_MAX);
	struct span address = ipc_get_span(&rd, ADDR_PATH_MAX);
	uint8_t service = ipc_get_u8(&rd);
	const struct hashed_users *u = worker_users(w, block);
	struct verifier v = { .nsalt = 0 }, invented;
	struct hashed_walk walk = { { NULL, 0 } };
	struct ipc_writer out;
	bool known, temp;

	if (!ipc_at_end(&rd) || service > LISTEN_SUBMIT)
		return -1;
	/* The work is the same for whoever is not there: microseconds tell. */
	known = u != NULL && walk_for(w, u, address, &walk);
	known = salt_of(walk, service, &v) && known;
	salt_invent(w, u, address, service, &invented);
	if (!known)
		v = invented;
	temp = u != NULL && u->file != NULL && !u->loaded;
	out = ipc_reply_begin(m->ch, m, IPC_PW_SALT);
	ipc_put_u8(&out, temp ? PW_TEMP : PW_OK);
	ipc_put_u32(&out, v.iterations);
	ipc_put_span(&out, span_make(v.salt, v.nsalt));
	(void)ipc_end(&out);
	explicit_bzero(&v, sizeof(v));
	explicit_bzero(&invented, sizeof(invented));
	return 0;
}

/* One of the verifiers with this salt that counts, or none. */
static bool
prove(struct hashed_walk walk, uint8_t service, struct span salt,
    struct span message, struct span proof,
    unsigned char signature[VERIFIER_KEY])
{
	struct hashed_one one;
	struct verifier v;
	bool proved = false;

	while (!proved && hashed_next(&walk, &one))
		proved = verifier_parse(one.text, &v) == 0 &&
		    verifier_proof(&v, message, proof, signature) &&
		    span_eq(span_make(v.salt, v.nsalt), salt) &&
		    hashed_usable(&one, service);
	explicit_bzero(&v, sizeof(v));
	return proved;
}

int
on_pw_proof(void *arg, struct ipc_msg *m)
{
	struct worker *w = arg;
	struct ipc_reader rd = ipc_reader(m);
	struct span block = ipc_get_span(&rd, CONF_LABEL_MAX);
	struct span address = ipc_get_span(&rd, ADDR_PATH_MAX);
	uint8_t service = ipc_get_u8(&rd);
	struct span salt = ipc_get_span(&rd, VERIFIER_SALT_MAX);
	struct span message = ipc_get_span(&rd, MESSAGE_MAX);
	struct span proof = ipc_get_span(&rd, VERIFIER_KEY);
	const struct hashed_users *u = worker_users(w, block);
	unsigned char signature[VERIFIER_KEY];
	struct hashed_walk walk = { { NULL, 0 } };
	struct ipc_writer out;
	bool known, proved;

	if (!ipc_at_end(&rd) || service > LISTEN_SUBMIT)
		return -1;
	known = u != NULL && walk_for(w, u, address, &walk);
	proved = prove(walk, service, salt, message, proof, signature) &&
	    known;
	out = ipc_reply_begin(m->ch, m, IPC_PW_PROVED);
	ipc_put_u8(&out, proved ? PW_OK : PW_WRONG);
	ipc_put_span(&out, span_make(signature, proved ? VERIFIER_KEY : 0));
	(void)ipc_end(&out);
	return 0;
}
