/*
 * authd/sasl.h - the mechanisms of SASL (RFC 4422): what a client's messages
 * mean, and what is asked of it next. Nothing here looks anything up, waits or
 * has a verifier: who calls acts on what a step returns. Octets, no base64, but
 * for what SCRAM has inside.
 */
#ifndef AUTHD_SASL_H
#define AUTHD_SASL_H

#include "lib/buf.h"

#define SASL_NAME_MAX     255  /* as an account's name */
#define SASL_PASSWORD_MAX 1000
#define SASL_BINDING_MAX  64   /* octets of a channel binding */
#define SASL_NONCE_MAX    256  /* characters of a client's */
#define SASL_SALT_MAX     256
#define SASL_DIGEST       32   /* SHA-256 */
#define SASL_MECHANISM_MAX 20  /* a name, RFC 4422 section 3.1 */

/* Characters of our own nonce: 18 octets of randomness in base64. */
#define SASL_OWN_NONCE    24

enum sasl_next {
	SASL_BAD,        /* no message of this mechanism: refused */
	SASL_CHALLENGE,  /* out goes to the client, its answer is the next */
	SASL_PASSWORD,   /* name and password are there, to be checked */
	SASL_SALT,       /* name is there: scram_salted() wants its salt */
	SASL_PROOF,      /* scram is there, to be proved: then scram_proved() */
	SASL_CERTIFICATE, /* name is an address that a certificate proves */
	SASL_DONE        /* the client has seen that we know its secret, too */
};

/* What is known of the connection. */
struct sasl_facts {
	char exporter[SASL_BINDING_MAX];  /* tls-exporter, RFC 9266 */
	size_t nexporter;                 /* 0: none */
	char end_point[SASL_BINDING_MAX]; /* tls-server-end-point, RFC 5929 */
	size_t nend_point;
	bool plus;             /* SCRAM-SHA-256-PLUS was offered */
	char certificate[SASL_NAME_MAX + 1]; /* the address it proves, or "" */
};

/* One exchange, from its first message to its last. */
struct sasl {
	const struct sasl_mechanism *mechanism;
	struct sasl_facts facts;
	unsigned stage;        /* messages of the client's that were taken */
	char name[SASL_NAME_MAX + 1];
	char password[SASL_PASSWORD_MAX + 1];
	struct scram {
		char nonce[64];        /* ours; made by sasl_init() */
		bool begun;            /* the client's first message came */
		struct buf binding;    /* what c= must hold */
		struct buf auth;       /* AuthMessage, RFC 5802 section 3 */
		size_t whole_at, whole_len; /* both nonces, within auth */
		char salt[SASL_SALT_MAX];
		size_t nsalt;
		char proof[SASL_DIGEST]; /* ClientProof */
		bool answered;         /* the client's final message came */
		bool proved;           /* and is right: scram_proved() */
	} scram;
};

/* What a mechanism is for. */
enum {
	SASL_F_CLEAR = 1,      /* sends the password as it is */
	SASL_F_PLUS = 2,       /* is bound to the TLS connection */
	SASL_F_SCRAM = 4,      /* works where every account has a verifier */
	SASL_F_CERTIFICATE = 8,
	SASL_F_SUBMISSION = 16 /* for submission alone */
};

struct sasl_mechanism {
	const char *name;
	unsigned flags;
	/* in: the client's message; p NULL at stage 0 when it sent none yet.
	 * out: what SASL_CHALLENGE sends */
	enum sasl_next (*step)(struct sasl *s, struct span in, struct buf *out);
};

/* sasl_find - by its name in any case, or NULL. */
const struct sasl_mechanism *sasl_find(struct span name);

/* sasl_init - before the first message; sasl_clear wipes all it holds. */
void sasl_init(struct sasl *s, const struct sasl_mechanism *m,
    const struct sasl_facts *facts);
void sasl_clear(struct sasl *s);

/* sasl_step - the client's next message; out is emptied first. */
enum sasl_next sasl_step(struct sasl *s, struct span in, struct buf *out);

/*
 * scram_salted - what is the account's goes to the client, as its challenge:
 * SASL_CHALLENGE, or SASL_BAD: no salt or count that a client could use.
 * scram_proved - the last challenge, from ServerSignature: SASL_CHALLENGE.
 */
enum sasl_next scram_salted(struct sasl *s, struct span salt,
    uint32_t iterations, struct buf *out);
enum sasl_next scram_proved(struct sasl *s, struct span signature,
    struct buf *out);

/* The steps, one mechanism a file. */
enum sasl_next sasl_plain(struct sasl *, struct span, struct buf *);
enum sasl_next sasl_login(struct sasl *, struct span, struct buf *);
enum sasl_next sasl_scram(struct sasl *, struct span, struct buf *);
enum sasl_next sasl_external(struct sasl *, struct span, struct buf *);

/*
 * sasl_name - a name as a client gave it, into s->name. Names are compared
 * octet by octet: they are UTF-8 without control characters (what RFC 4013
 * forbids and anybody could type by mistake), and are not normalised; the NFC
 * that keyboards make is what a users file holds. 0, or -1: nobody has this
 * name.
 */
int sasl_name(struct sasl *s, struct span name);

#endif
