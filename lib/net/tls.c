/*
 * lib/net/tls.c - the TLS of one program: its tls blocks and what their files
 * gave, which certificates a client gets, the rules of both sides, and the
 * numbers for the admin. Used by smtpd, pop3d and relay.
 */
#include "lib/net/tls_in.h"

#include <openssl/err.h>
#include <unistd.h>

#include "lib/ipc/daemon.h"
#include "lib/log.h"
#include "lib/mem.h"

/* TLS 1.2 with ephemeral elliptic curves and authenticated encryption alone; of
 * TLS 1.3 all suites are fit. */
#define CIPHERS "ECDHE-ECDSA-AES128-GCM-SHA256:ECDHE-RSA-AES128-GCM-SHA256:" \
	"ECDHE-ECDSA-AES256-GCM-SHA384:ECDHE-RSA-AES256-GCM-SHA384:" \
	"ECDHE-ECDSA-CHACHA20-POLY1305:ECDHE-RSA-CHACHA20-POLY1305"
#define GROUPS  "X25519:P-256:P-384"
#define SIGALGS "ECDSA+SHA256:ECDSA+SHA384:ECDSA+SHA512:ed25519:" \
	"RSA-PSS+SHA256:RSA-PSS+SHA384:RSA-PSS+SHA512:" \
	"RSA+SHA256:RSA+SHA384:RSA+SHA512"

#define OPTIONS (SSL_OP_NO_RENEGOTIATION | SSL_OP_NO_COMPRESSION |	\
	SSL_OP_CIPHER_SERVER_PREFERENCE | SSL_OP_PRIORITIZE_CHACHA |	\
	SSL_OP_IGNORE_UNEXPECTED_EOF | SSL_OP_CLEANSE_PLAINTEXT)
#define MODES   (SSL_MODE_RELEASE_BUFFERS | SSL_MODE_ENABLE_PARTIAL_WRITE | \
	SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER | SSL_MODE_NO_AUTO_CHAIN)

/* What the other side's chain may have in all: RSA-8192 ten times over. */
#define CHAIN_OCTETS_MAX 65536

/* A new certificate whose key is not with keyd yet is tried this often. */
#define NEXT_MS 1000

/* From here on the log speaks of what expires. */
#define EXPIRES_SOON_DAYS 7

/* -- both sides ----------------------------------------------------------- */

static SSL_CTX *
ctx_new(const SSL_METHOD *method)
{
	SSL_CTX *ctx = SSL_CTX_new(method);

	if (ctx == NULL ||
	    SSL_CTX_set_min_proto_version(ctx, TLS1_2_VERSION) != 1 ||
	    SSL_CTX_set_cipher_list(ctx, CIPHERS) != 1 ||
	    SSL_CTX_set1_groups_list(ctx, GROUPS) != 1 ||
	    SSL_CTX_set1_sigalgs_list(ctx, SIGALGS) != 1)
		fatalx("this OpenSSL has not all that TLS needs: %s",
		    ERR_error_string(ERR_peek_error(), NULL));
	SSL_CTX_set_options(ctx, OPTIONS);
	SSL_CTX_set_mode(ctx, MODES);
	SSL_CTX_set_security_level(ctx, 2);
	SSL_CTX_set_session_cache_mode(ctx, SSL_SESS_CACHE_OFF);
	SSL_CTX_set_max_cert_list(ctx, CHAIN_OCTETS_MAX);
	SSL_CTX_set_read_ahead(ctx, 0);
	return ctx;
}

/* A name that we serve is confirmed; any other, too: the certificate tells. */
static int
on_server_name(SSL *ssl, int *alert, void *arg)
{
	(void)ssl;
	(void)alert;
	(void)arg;
	return SSL_TLSEXT_ERR_OK;
}

static void
ctxs_setup(struct tls *t)
{
	t->server = ctx_new(TLS_server_method());
	SSL_CTX_set_cert_cb(t->server, tls_on_cert, NULL);
	SSL_CTX_set_alpn_select_cb(t->server, tls_on_alpn, NULL);
	SSL_CTX_set_tlsext_servername_callback(t->server, on_server_name);
	tls_tickets_setup(t->server);
	t->client = ctx_new(TLS_client_method());
	if (SSL_CTX_dane_enable(t->client) <= 0)
		fatalx("this OpenSSL has no DANE");
}

/* -- blocks --------------------------------------------------------------- */

struct tls_block *
tls_block_find(const struct tls *t, const char *name)
{
	size_t i;

	for (i = 0; i < t->nblocks; i++)
		if (strcmp(t->blocks[i]->name, name) == 0)
			return t->blocks[i];
	return NULL;
}

static struct tls_block *
block_new(struct tls *t, const char *name)
{
	struct tls_block *b = xcalloc(1, sizeof(*b));

	b->name = xstrdup(name);
	b->status_key = xasprintf("expires-%s", name);
	t->blocks = xreallocarray(t->blocks, t->nblocks + 1,
	    sizeof(*t->blocks));
	t->blocks[t->nblocks++] = b;
	return b;
}

static void
clients_clear(struct tls_block *b)
{
	X509_STORE_free(b->clients);
	sk_X509_NAME_pop_free(b->client_names, X509_NAME_free);
	b->clients = NULL;
	b->client_names = NULL;
	memset(b->clients_id, 0, sizeof(b->clients_id));
}

static void
path_set(char **to, const char *path)
{
	x_free(to);
	if (path != NULL)
		*to = xstrdup(path);
}

static void
blocks_update(struct tls *t)
{
	const struct conf_tls *c;
	struct tls_block *b;
	size_t i;

	for (i = 0; i < t->conf->ntls; i++) {
		c = &t->conf->tls[i];
		if ((b = tls_block_find(t, c->name)) == NULL)
			b = block_new(t, c->name);
		path_set(&b->cert_file, c->cert);
		path_set(&b->ca_file, c->client_ca);
		if (c->client_ca == NULL)
			clients_clear(b);
	}
}

/* -- files ---------------------------------------------------------------- */

static void
key_used(struct tls *t, const struct tls_block *b)
{
	struct ipc_writer w;

	if (b->cred == NULL || !channel_is_open(t->keyd))
		return;
	w = ipc_begin(t->keyd, IPC_KEY_USED, 0, 0);
	ipc_put_str(&w, b->name);
	ipc_put_span(&w, span_make(b->cred->id, sizeof(b->cred->id)));
	ipc_end(&w);
}

static void
cred_use(struct tls *t, struct tls_block *b, struct tls_cred *c)
{
	int64_t days = tls_cred_days(c);

	if (X509_cmp_current_time(X509_get0_notAfter(c->leaf)) != 1)
		log_warnx("%s: the certificate has expired", b->cert_file);
	else if (days < EXPIRES_SOON_DAYS)
		log_warnx("%s: the certificate expires in %lld days",
		    b->cert_file, (long long)days);
	else if (b->cred != NULL)
		log_info("%s: the new certificate is in use, for %lld days",
		    b->cert_file, (long long)days);
	tls_cred_free(b->cred);
	b->cred = c;
	key_used(t, b);
}

/* May a new certificate replace the old one? Only if keyd has its key: the two
 * files are read at different times by different programs. */
static bool
key_is_there(const struct tls *t, const struct tls_cred *c)
{
	return tls_sign_knows(t->signer, c->id,
	    tls_key_scheme(X509_get0_pubkey(c->leaf)),
	    t->role != ROLE_RELAY) == 1;
}

static void
on_next(void *arg)
{
	struct tls *t = arg;
	struct tls_block *b;
	bool waiting = false;
	size_t i;

	for (i = 0; i < t->nblocks; i++) {
		b = t->blocks[i];
		if (b->next == NULL)
			continue;
		if (key_is_there(t, b->next)) {
			cred_use(t, b, b->next);
			b->next = NULL;
		} else
			waiting = true;
	}
	if (waiting)
		timer_set_ms(&t->next_timer, NEXT_MS);
}

static void
cert_take(struct tls *t, struct tls_block *b, struct span pem)
{
	const char *why;
	struct tls_cred *c = tls_cred_new(pem, t->signer, t->server, &why);

	if (c == NULL) {
		log_warnx("%s: %s; %s", b->cert_file, why, b->cred == NULL ?
		    "there is no TLS with it" : "the old certificate stays");
		return;
	}
	tls_cred_free(b->next);
	b->next = NULL;
	if (b->cred == NULL ||
	    memcmp(b->cred->id, c->id, sizeof(c->id)) == 0 ||
	    key_is_there(t, c)) {
		cred_use(t, b, c);
		return;
	}
	log_info("%s: the new certificate waits for its key", b->cert_file);
	b->next = c;
	timer_set_ms(&t->next_timer, NEXT_MS);
}

static void
clients_take(struct tls_block *b, struct span pem)
{
	STACK_OF(X509_NAME) *names = sk_X509_NAME_new_null();
	const char *why;
	X509_STORE *store = tls_cas_new(pem, &names, &why);

	if (store == NULL) {
		log_warnx("%s: %s; %s", b->ca_file, why, b->clients == NULL ?
		    "no client can prove who it is" : "the old one stays");
		sk_X509_NAME_pop_free(names, X509_NAME_free);
		return;
	}
	clients_clear(b);
	b->clients = store;
	b->client_names = names;
	EVP_Digest(pem.p, pem.len, b->clients_id, NULL, EVP_sha256(), NULL);
}

static void
ca_take(struct tls *t, struct span pem)
{
	const char *why;
	X509_STORE *store = tls_cas_new(pem, NULL, &why);

	if (store == NULL) {
		log_warnx("%s: %s; %s", t->conf->relay.ca, why, t->ca == NULL ?
		    "no host can be verified" : "the old one stays");
		return;
	}
	X509_STORE_free(t->ca);
	t->ca = store;
}

static bool
is_file(const char *path, const char *name)
{
	return path != NULL && strcmp(path, name) == 0;
}

void
tls_file(struct tls *t, const char *name, int fd)
{
	struct buf text = BUF_INIT(TLS_FILE_MAX);
	const char *why;
	size_t i;

	if (tls_file_read(fd, &text, &why) == -1)
		log_warnx("%s: %s; what was read before stays", name, why);
	else {
		for (i = 0; i < t->nblocks; i++) {
			if (is_file(t->blocks[i]->cert_file, name))
				cert_take(t, t->blocks[i], buf_span(&text));
			if (is_file(t->blocks[i]->ca_file, name))
				clients_take(t->blocks[i], buf_span(&text));
		}
		if (t->role == ROLE_RELAY && is_file(t->conf->relay.ca, name))
			ca_take(t, buf_span(&text));
	}
	/* perhaps there was a key in it that does not belong there */
	buf_wipe(&text);
	close(fd);
}

/* -- the program ---------------------------------------------------------- */

struct tls *
tls_new(struct loop *loop, const struct conf *conf, enum role role,
    struct channel *keyd)
{
	struct tls *t = xcalloc(1, sizeof(*t));

	/* What this host's openssl.cnf says is not for us to follow. */
	if (OPENSSL_init_ssl(OPENSSL_INIT_NO_LOAD_CONFIG, NULL) != 1 ||
	    tls_provider_load() == -1)
		fatalx("OpenSSL cannot be set up: %s",
		    ERR_error_string(ERR_peek_error(), NULL));
	t->loop = loop;
	t->role = role;
	t->keyd = keyd;
	keyd->user = t;
	t->signer = tls_signer_new(loop, keyd);
	t->bio = tls_bio_new();
	timer_init(&t->next_timer, loop, on_next, t);
	ctxs_setup(t);
	tls_reload(t, conf);
	return t;
}

void
tls_reload(struct tls *t, const struct conf *conf)
{
	t->conf = conf;
	blocks_update(t);
}

void
tls_free(struct tls *t)
{
	struct tls_block *b;
	size_t i;

	if (t == NULL)
		return;
	t->keyd->user = NULL;
	timer_stop(&t->next_timer);
	for (i = 0; i < t->nblocks; i++) {
		b = t->blocks[i];
		tls_cred_free(b->cred);
		tls_cred_free(b->next);
		clients_clear(b);
		mem_free(b->name);
		mem_free(b->cert_file);
		mem_free(b->ca_file);
		mem_free(b->status_key);
		mem_free(b);
	}
	mem_free(t->blocks);
	SSL_CTX_free(t->server);
	SSL_CTX_free(t->client);
	X509_STORE_free(t->ca);
	BIO_meth_free(t->bio);
	tls_signer_free(t->signer);
	OPENSSL_cleanse(&t->tickets, sizeof(t->tickets));
	mem_free(t);
}

/* -- keyd ----------------------------------------------------------------- */

void
tls_keyd_up(void *arg, struct channel *ch)
{
	struct tls *t = ch->user;
	size_t i;

	(void)arg;
	tls_signer_up(t->signer);
	for (i = 0; i < t->nblocks; i++)
		key_used(t, t->blocks[i]);
}

/* Tickets stay: who has one can go on without keyd. */
void
tls_keyd_down(void *arg, struct channel *ch)
{
	struct tls *t = ch->user;

	(void)arg;
	tls_signer_down(t->signer);
}

static int
on_tickets(void *arg, struct ipc_msg *m)
{
	struct tls *t = m->ch->user;

	(void)arg;
	return tls_tickets_take(&t->tickets, m);
}

static int
on_sign_ready(void *arg, struct ipc_msg *m)
{
	struct tls *t = m->ch->user;

	(void)arg;
	if (m->body.len != 0)
		return -1;
	tls_signer_ready(t->signer);
	return 0;
}

const struct ipc_handler tls_keyd_handlers[] = {
	{ IPC_TICKETS,    on_tickets },
	{ IPC_SIGN_READY, on_sign_ready },
	IPC_HANDLERS_END
};

/* -- status --------------------------------------------------------------- */

size_t
tls_status(const struct tls *t, struct daemon_status *out, size_t max)
{
	const struct daemon_status counts[] = {
		{ "tls-handshakes", t->handshakes },
		{ "tls-resumed", t->resumed }, { "tls-failed", t->failed }
	};
	const struct tls_block *b;
	size_t i, n = 0;

	for (i = 0; i < nitems(counts) && n < max; i++)
		out[n++] = counts[i];
	for (i = 0; i < t->nblocks && n < max; i++) {
		b = t->blocks[i];
		if (b->cred != NULL && conf_tls_find(t->conf, b->name) != NULL)
			out[n++] = (struct daemon_status){ b->status_key,
			    (uint64_t)tls_cred_days(b->cred) };
	}
	return n;
}
