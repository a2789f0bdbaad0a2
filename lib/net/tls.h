/*
 * lib/net/tls.h - TLS for the connections of one program (smtpd, pop3d, relay):
 * certificates, session tickets and the way to keyd, which alone can sign.
 * OpenSSL is used here and in lib/net/tls_*.c, nowhere else above lib/net.
 *
 * TLS 1.2 and 1.3, ephemeral elliptic curves only, no renegotiation, no
 * compression, no early data. Nothing here opens a file or has a private key:
 * certificates come as descriptors from master, signatures from keyd.
 */
#ifndef LIB_NET_TLS_H
#define LIB_NET_TLS_H

#include <stdbool.h>
#include <stdint.h>

#include "lib/conf.h"
#include "lib/ipc/channel.h"
#include "lib/span.h"

struct conn;
struct tls;

/* How long a handshake may take, from its first octet. */
#define TLS_HANDSHAKE_S 60
/* For a signature: after one such wait all fail at once until keyd is back. */
#define TLS_SIGN_MS     500

/* tls_new - for a program of that role; keyd: daemon_peer(d, ROLE_KEYD, 0),
 * whose user it becomes. conf is borrowed until tls_reload() gives another. */
struct tls *tls_new(struct loop *loop, const struct conf *conf, enum role role,
    struct channel *keyd);
void tls_reload(struct tls *t, const struct conf *conf);
void tls_free(struct tls *t);

/* tls_file - a descriptor from master: does its name belong to a tls block
 * (cert, client-ca) or to relay's "ca"? Takes fd. A broken file leaves the old
 * one in force and logs why; a certificate whose key keyd does not have yet
 * waits for it. */
void tls_file(struct tls *t, const char *name, int fd);

/* The row of ROLE_KEYD in a program's table of peers, for a program that calls
 * tls_new() in its start(): all of it is found by the channel's user. */
extern const struct ipc_handler tls_keyd_handlers[];
void tls_keyd_up(void *arg, struct channel *ch);
void tls_keyd_down(void *arg, struct channel *ch);

/* tls_status - numbers for `barid status`: handshakes, resumed, failed, and for
 * each certificate the days until it expires ("expires-NAME"). */
struct daemon_status;
size_t tls_status(const struct tls *t, struct daemon_status *out, size_t max);

/* tls_can_serve - has this listener a certificate at all? Else STARTTLS is not
 * offered (RFC 3207) and implicit TLS closes. */
bool tls_can_serve(const struct tls *t, const struct conf_listen *l);

/*
 * conn_tls_accept - the server's part on a connection whose input is empty
 * (conn_input_empty) and whose last plain answer may still wait to leave: it
 * leaves first. alpn: the one protocol to accept where the client names any
 * ("pop3", "imap"; NULL: none is defined and ALPN is not looked at); a literal.
 * ops->secured follows, or ops->ended with CONN_TLS; what is written before
 * waits, and leaves encrypted.
 */
void conn_tls_accept(struct conn *c, struct tls *t,
    const struct conf_listen *l, const char *alpn);

/* What a client wants of the other side. */
struct tls_wish {
	const char *host;            /* SNI, and the name to prove */
	const char *const *names;    /* further names that prove it too,
	                              * NULL-terminated, or NULL */
	bool verify;                 /* chain and name, else all is taken */
	const struct span *tlsa;     /* DANE: TLSA rdata; where one is usable */
	size_t ntlsa;                /* (RFC 7672 section 3.1: DANE-TA(2),
	                              * DANE-EE(3)), one must match */
	const char *certificate;     /* name of our own tls block, or NULL */
};
void conn_tls_connect(struct conn *c, struct tls *t, const struct tls_wish *w);

/* Of a connection that is secured. Texts live as long as it is open. */
struct tls_info {
	const char *version;         /* "TLSv1.3" */
	const char *cipher;          /* "TLS_AES_256_GCM_SHA384" */
	unsigned bits;
	bool resumed;
	bool verified;               /* a client's connection: chain and name */
	bool dane;                   /* a TLSA record matched */
	const char *peer;            /* address that a client's certificate
	                              * under client-ca proves (its only
	                              * rfc822Name), or "" */
};
/* conn_tls_info - false when it is not encrypted. */
bool conn_tls_info(const struct conn *c, struct tls_info *out);

/* conn_tls_error - why the handshake failed, a sentence; lives as long. */
const char *conn_tls_error(const struct conn *c);

/* Channel bindings for SCRAM-SHA-256-PLUS: tls-exporter (RFC 9266; 32 octets)
 * and tls-server-end-point (RFC 5929 section 4). The length, or 0: none. */
#define TLS_BINDING_MAX 64
size_t conn_tls_exporter(const struct conn *c, char out[TLS_BINDING_MAX]);
size_t conn_tls_end_point(const struct conn *c, char out[TLS_BINDING_MAX]);

#endif
