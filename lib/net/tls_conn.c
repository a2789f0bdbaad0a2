/*
 * lib/net/tls_conn.c - TLS under one connection: a state machine between conn.c
 * and the socket. OpenSSL may want to read in order to write and the other way
 * round; what it wants is said in the layer, and conn.c watches for it.
 */
#include "lib/net/tls_in.h"

#include <errno.h>
#include <openssl/err.h>
#include <stdlib.h>

#include "lib/log.h"
#include "lib/mem.h"

/* -- the socket, as OpenSSL sees it --------------------------------------- */

static int
bio_result(BIO *b, ssize_t n, bool reading)
{
	BIO_clear_retry_flags(b);
	if (n == -1 && errno == EAGAIN) {
		if (reading)
			BIO_set_retry_read(b);
		else
			BIO_set_retry_write(b);
	}
	return (int)n;
}

static int
bio_read(BIO *b, char *to, int size)
{
	struct conn_tls *l = BIO_get_data(b);
	ssize_t n;

	do
		n = recv(l->conn->fd, to, (size_t)size, 0);
	while (n == -1 && errno == EINTR);
	if (n == 0)
		l->eof = true;
	if (n > 0 && l->server && l->shake != NULL &&
	    !tls_hello_fits(&l->shake->hello, to, (size_t)n)) {
		l->shake->refused = "the client's hello is too long";
		errno = EPROTO;
		n = -1;
	}
	return bio_result(b, n, true);
}

static int
bio_write(BIO *b, const char *p, int len)
{
	struct conn_tls *l = BIO_get_data(b);
	ssize_t n;

	do
		n = send(l->conn->fd, p, (size_t)len, MSG_NOSIGNAL);
	while (n == -1 && errno == EINTR);
	return bio_result(b, n, false);
}

static long
bio_ctrl(BIO *b, int what, long n, void *p)
{
	const struct conn_tls *l = BIO_get_data(b);

	(void)n;
	(void)p;
	return what == BIO_CTRL_FLUSH ||
	    (what == BIO_CTRL_EOF && l != NULL && l->eof);
}

BIO_METHOD *
tls_bio_new(void)
{
	BIO_METHOD *m = BIO_meth_new(BIO_get_new_index() |
	    BIO_TYPE_SOURCE_SINK, "connection");

	if (m == NULL || BIO_meth_set_read(m, bio_read) != 1 ||
	    BIO_meth_set_write(m, bio_write) != 1 ||
	    BIO_meth_set_ctrl(m, bio_ctrl) != 1)
		fatalx("BIO_meth_new");
	return m;
}

/* -- the layer ------------------------------------------------------------ */

static struct conn_tls *
layer_of(struct layer *layer)
{
	return (struct conn_tls *)(void *)layer;
}

static void
shake_free(struct conn_tls *l)
{
	if (l->shake == NULL)
		return;
	timer_stop(&l->shake->limit);
	mem_free(l->shake->offers);
	mem_free(l->shake);
	l->shake = NULL;
}

static enum layer_step
shake_failed(struct conn_tls *l, char *why)
{
	l->tls->failed++;
	l->broken = true;
	l->error = why;
	shake_free(l);
	return LAYER_FAILED;
}

static enum layer_step
shake_done(struct conn_tls *l)
{
	l->tls->handshakes++;
	if (SSL_session_reused(l->ssl))
		l->tls->resumed++;
	if (l->server)
		l->peer = tls_verify_peer(l);
	shake_free(l);
	l->layer.read_wants_write = false;
	return LAYER_DONE;
}

static enum layer_step
tls_handshake(struct layer *layer)
{
	struct conn_tls *l = layer_of(layer);
	int rv, e, error;

	if (l->shake->refused != NULL)
		return shake_failed(l, xstrdup(l->shake->refused));
	ERR_clear_error();
	tls_sign_forget(l->tls->signer);
	errno = 0;
	rv = SSL_do_handshake(l->ssl);
	error = errno;
	if (rv == 1)
		return shake_done(l);
	e = SSL_get_error(l->ssl, rv);
	if (e != SSL_ERROR_WANT_READ && e != SSL_ERROR_WANT_WRITE)
		return shake_failed(l, l->shake->refused != NULL ?
		    xstrdup(l->shake->refused) : tls_explain(l, e, error));
	layer->read_wants_write = e == SSL_ERROR_WANT_WRITE;
	return LAYER_GOES_ON;
}

/* A connection that cannot go on: what OpenSSL says, as errno and in words. */
static ssize_t
layer_broken(struct conn_tls *l, int e, int error)
{
	l->broken = true;
	if (l->error == NULL)
		l->error = tls_explain(l, e, error);
	errno = e == SSL_ERROR_SYSCALL && error != 0 ? error : EPROTO;
	return -1;
}

/* One record at most: nothing that was read is left in OpenSSL, which could not
 * be watched for. An end without a goodbye is an end like any other: whatever
 * barid speaks says for itself when it is complete. */
static ssize_t
tls_read(struct layer *layer, char *to, size_t size)
{
	struct conn_tls *l = layer_of(layer);
	int n, e, error;

	ERR_clear_error();
	errno = 0;
	n = SSL_read(l->ssl, to, size > INT32_MAX ? INT32_MAX : (int)size);
	error = errno;
	layer->read_wants_write = false;
	if (n > 0)
		return n;
	e = SSL_get_error(l->ssl, n);
	switch (e) {
	case SSL_ERROR_ZERO_RETURN:
		return 0;
	case SSL_ERROR_WANT_WRITE:
		layer->read_wants_write = true;
		/* FALLTHROUGH */
	case SSL_ERROR_WANT_READ:
		errno = EAGAIN;
		return -1;
	default:
		return layer_broken(l, e, error);
	}
}

/* Record after record as long as the socket takes them. */
static ssize_t
tls_write(struct layer *layer, struct span s)
{
	struct conn_tls *l = layer_of(layer);
	size_t done = 0, n;
	int rv, e, error;

	layer->write_wants_read = false;
	while (done < s.len) {
		ERR_clear_error();
		errno = 0;
		rv = SSL_write_ex(l->ssl, s.p + done, s.len - done, &n);
		error = errno;
		if (rv == 1) {
			done += n;
			continue;
		}
		e = SSL_get_error(l->ssl, rv);
		if (e != SSL_ERROR_WANT_READ && e != SSL_ERROR_WANT_WRITE) {
			if (done > 0)
				break; /* it will say so again */
			return layer_broken(l, e, error);
		}
		layer->write_wants_read = e == SSL_ERROR_WANT_READ;
		if (done > 0)
			break;
		errno = EAGAIN;
		return -1;
	}
	return (ssize_t)done;
}

static void
tls_goodbye(struct layer *layer)
{
	struct conn_tls *l = layer_of(layer);

	ERR_clear_error();
	if (!layer->busy && !l->broken)
		SSL_shutdown(l->ssl); /* the other side's is not waited for */
	ERR_clear_error();
}

static void
tls_free_layer(struct layer *layer)
{
	struct conn_tls *l = layer_of(layer);

	shake_free(l);
	SSL_free(l->ssl);
	mem_free(l->error);
	mem_free(l->peer);
	mem_free(l);
}

static void
on_limit(void *arg)
{
	struct conn_tls *l = arg;

	l->shake->refused = "the handshake took too long";
	layer_kick(l->conn);
}

static struct conn_tls *
layer_new(struct conn *c, struct tls *t, SSL_CTX *ctx)
{
	static const struct layer_ops ops = { tls_handshake, tls_read,
	    tls_write, tls_goodbye,
		tls_free_layer };
	struct conn_tls *l = xcalloc(1, sizeof(*l));
	BIO *b = BIO_new(t->bio);

	if (c->layer != NULL)
		fatalx("TLS within TLS");
	l->layer = (struct layer){ .ops = &ops, .busy = true };
	l->tls = t;
	l->conn = c;
	l->shake = xcalloc(1, sizeof(*l->shake));
	timer_init(&l->shake->limit, c->loop, on_limit, l);
	timer_set_ms(&l->shake->limit, TLS_HANDSHAKE_S * 1000);
	if (b == NULL || (l->ssl = SSL_new(ctx)) == NULL)
		fatalx("no memory for TLS");
	BIO_set_data(b, l);
	BIO_set_init(b, 1);
	SSL_set_bio(l->ssl, b, b);
	SSL_set_app_data(l->ssl, l);
	/* RFC 3207 section 6: it could have been put there by anybody. */
	if (!conn_input_empty(c))
		l->shake->refused = "octets in clear came before the handshake";
	return l;
}

/* -- both parts ----------------------------------------------------------- */

/* A session is resumed only by a listener that believes the same: what a client
 * has proved is a part of it. */
static void
session_context(struct conn_tls *l)
{
	unsigned char id[32];
	EVP_MD_CTX *md = EVP_MD_CTX_new();
	const struct tls_block *b;
	size_t i;

	if (md == NULL || EVP_DigestInit_ex(md, EVP_sha256(), NULL) != 1)
		fatalx("no digest for TLS");
	for (i = 0; i < l->shake->noffers; i++) {
		b = l->shake->offers[i];
		EVP_DigestUpdate(md, b->name, strlen(b->name) + 1);
		EVP_DigestUpdate(md, b->clients_id, sizeof(b->clients_id));
	}
	if (EVP_DigestFinal_ex(md, id, NULL) != 1 ||
	    SSL_set_session_id_context(l->ssl, id, sizeof(id)) != 1)
		fatalx("no digest for TLS");
	EVP_MD_CTX_free(md);
}

void
conn_tls_accept(struct conn *c, struct tls *t, const struct conf_listen *listen,
    const char *alpn)
{
	struct conn_tls *l;
	struct tls_shake *h;

	if (!conn_is_open(c))
		return;
	l = layer_new(c, t, t->server);
	h = l->shake;
	l->server = true;
	h->alpn = alpn;
	h->offers = tls_offers(t, listen, &h->noffers);
	if (h->noffers == 0 && h->refused == NULL)
		h->refused = "there is no certificate to show";
	SSL_set_accept_state(l->ssl);
	session_context(l);
	if (t->tickets.n == 0) {
		SSL_set_options(l->ssl, SSL_OP_NO_TICKET);
		SSL_set_num_tickets(l->ssl, 0);
	}
	layer_push(c, &l->layer);
}

void
conn_tls_connect(struct conn *c, struct tls *t, const struct tls_wish *w)
{
	const struct tls_block *own = NULL;
	struct conn_tls *l;

	if (!conn_is_open(c))
		return;
	l = layer_new(c, t, t->client);
	SSL_set_connect_state(l->ssl);
	if (tls_verify_wish(l, w) == -1 && l->shake->refused == NULL)
		l->shake->refused = "the host's name is none";
	if (w->certificate != NULL)
		own = tls_block_find(t, w->certificate);
	if (w->certificate != NULL && l->shake->refused == NULL &&
	    (own == NULL || own->cred == NULL ||
	    tls_cred_use(own->cred, l->ssl) == -1))
		l->shake->refused = "there is no certificate of ours to show";
	layer_push(c, &l->layer);
}
