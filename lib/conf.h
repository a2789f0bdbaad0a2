/*
 * lib/conf.h - the configuration, parsed and checked: barid.conf(5).
 * One parser for the file and for what master sends each daemon: the text that
 * conf_format() writes for a role is read again by conf_parse() there.
 */
#ifndef LIB_CONF_H
#define LIB_CONF_H

#include <netinet/in.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "lib/buf.h"
#include "lib/span.h"

#define CONF_VERSION   1
#define CONF_LABEL_MAX 64 /* names of tls, users and route blocks */

/* A network: address in network order, v4 as ::ffff:a.b.c.d, prefix 0-128. */
struct conf_net {
	struct in6_addr addr;
	unsigned prefix;
};

/* A list of words; all strings belong to the configuration. */
struct conf_list {
	char **words;
	size_t n;
};

struct conf_deny {
	bool is_sender;          /* "deny sender PATTERN" */
	struct conf_net net;     /* "deny from ADDR|NET" */
	char *pattern;           /* user@domain, @domain, with "*" as wildcard */
	char *text;              /* what the client is told, or NULL */
};

enum conf_kind { LISTEN_MX, LISTEN_SUBMISSION, LISTEN_DEVICE, LISTEN_POP3,
	LISTEN_IMAP, LISTEN_SUBMIT /* submit.sock: made by master, not written */ };

struct conf_rate { uint32_t count, per_s; }; /* count 0: no limit */

/* tls NAME { cert FILE; key FILE; client-ca FILE } */
struct conf_tls {
	char *name;
	char *cert;              /* PEM: the chain, the host's own first */
	char *key;               /* PEM, unencrypted */
	char *client_ca;         /* PEM: who may vouch for clients, or NULL */
};

/* What a listener makes of TLS: none, STARTTLS, STARTTLS before any login or
 * letter, or TLS from the first octet. */
enum conf_tls_mode { TLS_NONE, TLS_OFFERED, TLS_REQUIRED, TLS_IMMEDIATE };

/* What relay makes of it on a route: as it comes, encrypted, encrypted and the
 * host's name proved, never. */
enum conf_tls_out { TLS_OUT_MAY, TLS_OUT_REQUIRED, TLS_OUT_VERIFIED,
	TLS_OUT_NO };

/* Defaults in parentheses. */
struct conf_listen {
	enum conf_kind kind;
	uint16_t port;           /* required */
	struct conf_list addresses; /* all of IPv4 and IPv6 */
	struct conf_list tls;    /* names of tls blocks: the first where a client
	                          * names no host, all of them by SNI */
	enum conf_tls_mode tls_mode; /* (none; submission: must be said) */
	bool senders_any;        /* submission: not only the account's own (no) */
	uint64_t size;           /* SIZE limit in octets (50M) */
	struct conf_deny *denies;
	size_t ndenies;
	struct conf_net *from;   /* device: who may */
	size_t nfrom;
	struct conf_list to;     /* device: domains, or "any" */
	struct conf_rate limit;  /* device: letters per client address */
	uint32_t connections;    /* all clients together (10000) */
	uint32_t client_connections; /* one address (50; pop3 20) */
	uint32_t recipients;     /* per transaction (1000) */
	uint32_t errors;         /* 5xx before the session ends (20) */
	uint32_t junk;           /* unknown or empty commands likewise (20) */
	uint32_t hops;           /* Received fields that end a loop (50) */
	uint32_t workers;        /* processes (1) */
	int index;               /* place in conf.listens: names its descriptor */
};

enum conf_store { STORE_MBOX, STORE_MAILDIR };
enum conf_passwords { PASSWORDS_SHADOW, PASSWORDS_FILE, PASSWORDS_PAM,
	PASSWORDS_DOVECOT };

struct conf_users {
	char *name;
	bool system;             /* NSS and shadow */
	char *file;              /* users file, or NULL */
	char *owner;             /* all mailboxes belong to this account */
	enum conf_store store;
	char *path;              /* mailbox path with %d %u, or NULL: PATH_MAIL/%u */
	uint64_t quota;          /* octets, 0: none */
	enum conf_passwords passwords; /* (shadow for system, else file) */
	char *pam;               /* PAM service (barid), or NULL */
	char *dovecot;           /* path of Dovecot's auth socket, or NULL */
};

struct conf_domain {
	struct conf_list names;  /* lower case */
	char *users;             /* name of a users block, or NULL */
	bool is_default;         /* login names without @ */
	char *aliases;           /* file, or NULL */
	char *aliases_as;        /* account that runs its commands, or NULL */
	char *subaddress;        /* separator characters, or NULL */
	char *catchall;          /* address, or NULL */
	char *relay_to;          /* next hop HOST[:PORT] or lmtp:..., or NULL */
	bool recipients_any;     /* relay domain: take every recipient */
};

struct conf_relay {
	bool has_source4, has_source6;
	struct in_addr source4;
	struct in6_addr source6;
	char *helo;              /* host */
	uint32_t connections;    /* per destination (20) */
	uint32_t workers;        /* processes (1) */
	uint32_t limit;          /* all outbound connections (500) */
	char *ca;                /* PEM: who vouches for hosts (the system's) */
};

enum conf_via { VIA_MX, VIA_SMARTHOST, VIA_LMTP, VIA_REFUSE };

struct conf_route {
	struct conf_list from;   /* empty: any; @domain, user@domain, .domain */
	struct conf_list to;     /* empty: any; domain, .domain, user@domain */
	enum conf_via via;
	char *host;              /* smarthost, lmtp to TCP */
	uint16_t port;           /* 25; lmtp 24 */
	char *path;              /* lmtp to a Unix socket */
	uint32_t connections;    /* 0: as in relay { } */
	bool ipv6;               /* (yes) */
	enum conf_tls_out tls;   /* (may) */
	bool no_dane;            /* TLSA records are not looked at (no) */
	char *certificate;       /* name of a tls block: who we are, or NULL */
	char *text;              /* refuse: why */
	bool implied;            /* of "relay to", or the standard one */
	int index;               /* place in conf.routes */
};

struct conf_queue {
	int64_t keep_s;          /* 5d */
	int64_t warn_s;          /* 4h; 0: never */
	int64_t retry_s[16];     /* 5m 10m 20m 40m 1h 2h 4h; the last repeats */
	size_t nretry;
	unsigned reserve_percent; /* of the file system kept free (10) */
	uint64_t segment;        /* octets (64M) */
	uint32_t local;          /* mailboxes written at once (50) */
};

/* What one account may send; beyond it letters are held. */
struct conf_accounts {
	uint32_t letters_hour, letters_day;       /* (1000, 5000); 0: no limit */
	uint32_t recipients_hour, recipients_day; /* (5000, 20000) */
};

struct conf_dns {
	bool builtin;             /* was said */
	struct conf_list forward; /* ADDR:PORT; empty: builtin recursion */
	char *records;           /* test only: a zone-like file */
	char *anchor;            /* test only: a zone file of DS or DNSKEY that
	                          * the servers of forward are held to */
};

enum conf_log_to { LOG_TO_SYSLOG, LOG_TO_STDERR, LOG_TO_FILE };

struct conf_log {
	enum conf_log_to to;
	char *facility;          /* mail */
	char *dir;               /* for file */
	bool json;
	int64_t keep_s;          /* 30d */
	uint64_t keep_octets;    /* 1G */
};

struct conf_identity { char *role; uid_t uid; gid_t gid; };

struct conf {
	char *host, *contact;
	struct conf_tls *tls;          size_t ntls;
	struct conf_listen *listens;   size_t nlistens;
	struct conf_users *users;      size_t nusers;
	struct conf_domain *domains;   size_t ndomains;
	struct conf_relay relay;
	struct conf_route *routes;     size_t nroutes;
	struct conf_queue queue;
	struct conf_accounts accounts;
	struct conf_dns dns;
	struct conf_log log;
	/* test only, accepted below --test DIR alone */
	struct conf_identity *identities; size_t nidentities;
	bool privileges_none, login_clear, allow_loopback;
	uint16_t mx_port;        /* "via mx { port N }": 0 = 25 */
	void *arena;             /* owns every string and array above */
};

/* One complaint about a configuration: all are reported, not the first alone. */
struct conf_error {
	char file[256];
	unsigned line, column;
	char text[400];          /* what is wrong, what was meant perhaps */
};

struct conf_errors {
	struct conf_error *list;
	size_t n;
};

/*
 * conf_load - reads path and what it includes, checks everything.
 * test_dir: NULL, or the folder of --test (test-only statements allowed; paths
 * must lie below it). Returns a configuration, or NULL with *errors filled.
 * conf_errors_clear frees the errors.
 */
struct conf *conf_load(const char *path, const char *test_dir,
    struct conf_errors *errors);

/* conf_parse - the same from memory, without includes; name is for errors. */
struct conf *conf_parse(struct span text, const char *name, bool test,
    struct conf_errors *errors);

/* conf_ca_default - for whoever opens relay.ca: where a route wants hosts verified
 * and it was not said, takes this system's bundle. False: there is none. */
bool conf_ca_default(struct conf *c);

void conf_free(struct conf *c);
void conf_errors_clear(struct conf_errors *errors);

/*
 * conf_format - canonical text of the statements that a role needs (a ROLE_
 * number of lib/privsep/roles.h; 0: everything). Defaults are written out.
 * Reading it again gives the same configuration. Returns 0, or -1 (ENOBUFS).
 */
int conf_format(const struct conf *c, unsigned role, struct buf *out);

/* conf_domain_find - the domain block that names this domain, or NULL. */
const struct conf_domain *conf_domain_find(const struct conf *c,
    struct span domain);
const struct conf_users *conf_users_find(const struct conf *c,
    const char *name);
const struct conf_tls *conf_tls_find(const struct conf *c, const char *name);

/*
 * conf_route_find - first match for this letter (reverse-path and final address
 * as text "local@domain"). conf.routes begins with one route for each domain
 * with "relay to", and without any route statement ends with "to any via mx".
 * NULL: no route (5.4.4).
 */
const struct conf_route *conf_route_find(const struct conf *c,
    struct span from, struct span to);

/*
 * conf_suggest - the candidate that somebody who typed word may have meant, or
 * NULL: the nearest one by edit distance, if it is near at all. get(arg, i)
 * gives candidate i, NULL behind the last.
 */
const char *conf_suggest(const char *word,
    const char *(*get)(const void *arg, size_t i), const void *arg);

/* conf_net_match - is the address (v4-mapped or v6) within the network? */
bool conf_net_match(const struct conf_net *n, const struct in6_addr *a);

/* conf_pattern_match - user@domain against a pattern with "*"; case aside in
 * the domain. O(pattern x text), no recursion. */
bool conf_pattern_match(const char *pattern, struct span address);

#endif
