/* pop3d/capa.h - what we can, before and after the login (RFC 2449). */
#ifndef POP3D_CAPA_H
#define POP3D_CAPA_H

/* EXPIRE NEVER: RFC 2449 section 6.7; AUTH-RESP-CODE: RFC 3206. */
#define POP3_CAPA				\
	"TOP\r\n"				\
	"UIDL\r\n"				\
	"RESP-CODES\r\n"			\
	"AUTH-RESP-CODE\r\n"			\
	"PIPELINING\r\n"			\
	"EXPIRE NEVER\r\n"			\
	"LOGIN-DELAY 0\r\n"			\
	"IMPLEMENTATION barid\r\n"

#endif
