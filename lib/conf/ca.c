/*
 * lib/conf/ca.c - the certificates of those who vouch for other hosts, as this
 * system keeps them: where "relay { ca FILE }" was not said.
 */
#include <unistd.h>

#include "lib/conf/parser.h"

bool
conf_ca_default(struct conf *c)
{
	static const char *const places[] = {
		"/etc/ssl/certs/ca-certificates.crt", /* Debian, Alpine, Arch */
		"/etc/pki/tls/certs/ca-bundle.crt",   /* Fedora, RHEL */
		"/etc/ssl/ca-bundle.pem",             /* SUSE */
		"/etc/ssl/cert.pem",                  /* BSD */
	};
	struct conf_private *private = c->arena;
	bool wanted = false;
	size_t i;

	for (i = 0; i < c->nroutes; i++)
		wanted = wanted || c->routes[i].tls == TLS_OUT_VERIFIED;
	for (i = 0; wanted && c->relay.ca == NULL && i < nitems(places); i++)
		if (access(places[i], R_OK) == 0)
			c->relay.ca = arena_dup(&private->arena,
			    span_str(places[i]));
	return !wanted || c->relay.ca != NULL;
}
