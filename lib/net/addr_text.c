/* lib/net/addr_text.c - socket addresses as people write them. */
#include <arpa/inet.h>
#include <stdio.h>
#include <sys/un.h>

#include "lib/net/conn.h"

void
addr_text(const struct sockaddr_storage *ss, char *out, size_t size)
{
	const void *ip = NULL;

	if (ss->ss_family == AF_INET)
		ip = &((const struct sockaddr_in *)ss)->sin_addr;
	else if (ss->ss_family == AF_INET6)
		ip = &((const struct sockaddr_in6 *)ss)->sin6_addr;
	if (ip == NULL ||
	    inet_ntop(ss->ss_family, ip, out, (socklen_t)size) == NULL)
		snprintf(out, size, "local");
}

struct in6_addr
addr_in6(const struct sockaddr_storage *ss)
{
	struct in6_addr a = { 0 };

	if (ss->ss_family == AF_INET6)
		return ((const struct sockaddr_in6 *)ss)->sin6_addr;
	if (ss->ss_family == AF_INET) {
		a.s6_addr[10] = a.s6_addr[11] = 0xff;
		memcpy(&a.s6_addr[12],
		    &((const struct sockaddr_in *)ss)->sin_addr, 4);
	}
	return a;
}

uint16_t
addr_port(const struct sockaddr_storage *ss)
{
	if (ss->ss_family == AF_INET)
		return ntohs(((const struct sockaddr_in *)ss)->sin_port);
	if (ss->ss_family == AF_INET6)
		return ntohs(((const struct sockaddr_in6 *)ss)->sin6_port);
	return 0;
}
