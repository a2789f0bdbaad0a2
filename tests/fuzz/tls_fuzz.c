/*
 * tls_fuzz.c - what comes from outside into TLS: the first octet says whether
 * the rest is what a client sends, a certificate file, a file of authorities,
 * or ticket keys. There is no keyd: a handshake gets as far as its signature.
 */
#include "tests/fuzz/fuzz.h"

#include <fcntl.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

#include "lib/log.h"
#include "lib/net/conn.h"
#include "lib/net/tls.h"

static struct {
	struct loop loop;
	struct channel keyd;
	struct conf conf;
	struct conf_tls block;
	struct conf_listen listen;
	char *names[1];
	struct tls *tls;
} w;

static int
file_of(const void *p, size_t len)
{
	int fd = memfd_create("fuzz", MFD_CLOEXEC);

	hold(fd != -1 && write(fd, p, len) == (ssize_t)len);
	return fd;
}

/* A certificate signed by itself, good for a day. */
static void
certificate_give(void)
{
	EVP_PKEY *key = EVP_PKEY_Q_keygen(NULL, "provider=default", "EC",
	    "P-256");
	X509 *x = X509_new();
	BIO *b = BIO_new(BIO_s_mem());
	char *p;
	long len;

	X509_set_version(x, 2);
	X509_gmtime_adj(X509_getm_notBefore(x), 0);
	X509_gmtime_adj(X509_getm_notAfter(x), 86400);
	X509_set_pubkey(x, key);
	hold(X509_sign(x, key, EVP_sha256()) > 0 &&
	    PEM_write_bio_X509(b, x) == 1);
	len = BIO_get_mem_data(b, &p);
	tls_file(w.tls, "/cert", file_of(p, (size_t)len));
	BIO_free(b);
	X509_free(x);
	EVP_PKEY_free(key);
}

static void
world_init(void)
{
	static char name[] = "main", cert[] = "/cert", ca[] = "/ca";

	log_stderr_level(LOG_L_ERROR + 1);
	loop_init(&w.loop);
	channel_init(&w.keyd, &w.loop, ROLE_SMTPD, ROLE_KEYD,
	    tls_keyd_handlers, NULL);
	w.block = (struct conf_tls){ .name = name, .cert = cert,
	    .client_ca = ca };
	w.conf = (struct conf){ .tls = &w.block, .ntls = 1 };
	w.names[0] = name;
	w.listen.tls = (struct conf_list){ w.names, 1 };
	w.tls = tls_new(&w.loop, &w.conf, ROLE_SMTPD, &w.keyd);
	certificate_give();
	hold(tls_can_serve(w.tls, &w.listen));
}

static void
on_line(void *arg, struct span line, enum conn_eol eol)
{
	(void)arg;
	(void)line;
	(void)eol;
	abort(); /* nobody can speak without a handshake */
}

static void
on_line_long(void *arg)
{
	(void)arg;
	abort();
}

static void
on_ended(void *arg, enum conn_end how)
{
	(void)how;
	conn_close(arg);
}

static void
handshake(const uint8_t *data, size_t size)
{
	static const struct conn_ops ops = { .line = on_line,
	    .line_long = on_line_long, .ended = on_ended };
	struct conn c;
	int sv[2], i;

	if (socketpair(AF_UNIX, SOCK_STREAM, 0, sv) == -1)
		return;
	fcntl(sv[0], F_SETFL, O_NONBLOCK);
	conn_open(&c, &w.loop, sv[0], &ops, &c, 1000);
	conn_tls_accept(&c, w.tls, &w.listen, "pop3");
	if (write(sv[1], data, size) == (ssize_t)size) {
		shutdown(sv[1], SHUT_WR);
		for (i = 0; i < 20 && conn_is_open(&c); i++)
			loop_run_once(&w.loop, 0);
	}
	close(sv[1]);
	conn_close(&c);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const struct ipc_handler *h = tls_keyd_handlers;
	struct ipc_msg m = { .ch = &w.keyd, .type = IPC_TICKETS, .fd = -1 };

	if (w.tls == NULL)
		world_init();
	if (size < 1 || size > 100000)
		return 0;
	switch (data[0] % 4) {
	case 0:
		handshake(data + 1, size - 1);
		break;
	case 1:
		tls_file(w.tls, "/cert", file_of(data + 1, size - 1));
		hold(tls_can_serve(w.tls, &w.listen));
		break;
	case 2:
		tls_file(w.tls, "/ca", file_of(data + 1, size - 1));
		break;
	case 3:
		m.body = span_make(data + 1, size - 1);
		while (h->type != m.type)
			h++;
		h->fn(NULL, &m);
		break;
	}
	return 0;
}
