/* lib/mail/base64.c: both ways, and what is not base64. */
#include <errno.h>

#include "lib/mail/base64.h"
#include "tests/unit/check.h"

/* RFC 4648 section 10, and octets of all kinds. */
static const struct {
	const char *octets, *text;
	size_t n;
} both[] = {
	{ "", "", 0 },
	{ "f", "Zg==", 1 },
	{ "fo", "Zm8=", 2 },
	{ "foo", "Zm9v", 3 },
	{ "foob", "Zm9vYg==", 4 },
	{ "fooba", "Zm9vYmE=", 5 },
	{ "foobar", "Zm9vYmFy", 6 },
	{ "\0user\0pass", "AHVzZXIAcGFzcw==", 10 },
	{ "\xfb\xef\xbe\xff\xff\xff", "++++////", 6 },
	{ "\0\0\0", "AAAA", 3 },
};

static const struct {
	const char *name, *in;
} refused[] = {
	{ "no padding", "Zg" },
	{ "half the padding", "Zg=" },
	{ "three of it", "Z===" },
	{ "nothing else", "====" },
	{ "padding in the middle", "Zg==Zg==" },
	{ "padding inside a group", "Z=g=" },
	{ "bits behind one octet", "Zh==" },
	{ "bits behind two octets", "Zm9=" },
	{ "a blank", "Zm9v Zm9" },
	{ "a line end", "Zm9v\r\nZm" },
	{ "the letters of URLs", "-_-_" },
	{ "an octet above 127", "Zm9\xc3" },
	{ "one character", "Z" },
};

static void
test_sizes(void)
{
	char text[9], octets[6];

	check_begin("room for the text and its NUL, by one too small");
	check_int(base64_encode(span_str("foobar"), text, 9), 8);
	check_int(base64_encode(span_str("foobar"), text, 8), -1);
	check_int(errno, EMSGSIZE);
	check_begin("room for the octets, by one too small");
	check_int(base64_decode(span_str("Zm9vYmE="), octets, 5), 5);
	check_int(base64_decode(span_str("Zm9vYmE="), octets, 4), -1);
	check_int(errno, EMSGSIZE);
	check_begin("nothing into nothing");
	check_int(base64_decode(span_make(NULL, 0), octets, 0), 0);
	check_int(base64_encode(span_make(NULL, 0), text, 1), 0);
	check_str(text, "");
}

int
main(void)
{
	char text[64], octets[64];
	size_t i;
	ssize_t n;

	for (i = 0; i < nitems(both); i++) {
		check_begin(both[i].text);
		n = base64_decode(span_str(both[i].text), octets,
		    sizeof(octets));
		if (check_true(n != -1))
			check_mem(octets, (size_t)n, both[i].octets,
			    both[i].n);
		n = base64_encode(span_make(both[i].octets, both[i].n), text,
		    sizeof(text));
		check_int(n, strlen(both[i].text));
		check_str(text, both[i].text);
	}
	for (i = 0; i < nitems(refused); i++) {
		check_begin(refused[i].name);
		errno = 0;
		check_int(base64_decode(span_str(refused[i].in), octets,
		    sizeof(octets)), -1);
		check_int(errno, EINVAL);
	}
	check_begin("a NUL");
	check_int(base64_decode(span_make("Zm\0v", 4), octets,
	    sizeof(octets)), -1);
	test_sizes();
	return check_end();
}
