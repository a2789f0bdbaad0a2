/*
 * tests/unit/master_children_test.c - what the end of a program counts as: one
 * that said it begins anew has not died, unless it has only just begun.
 */
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "lib/clock.h"
#include "master/master.h"
#include "tests/unit/check.h"

static struct master m;

/* A child of that role that has lived for so long, and ends now. */
static struct child *
ended(int64_t lived_ms, bool renew)
{
	struct child *c = child_new(&m, ROLE_AUTHW);
	int sv[2];

	if (socketpair(AF_UNIX, SOCK_STREAM, 0, sv) == -1)
		exit(1);
	c->ch.on_lost = NULL;
	channel_open(&c->ch, sv[0]);
	close(sv[1]);
	c->state = CHILD_UP;
	c->started_ms = clock_boot_ms() - lived_ms;
	c->renew = renew;
	if ((c->pid = fork()) == 0)
		_exit(0);
	while (c->pid != 0)
		children_reap(&m);
	return c;
}

int
main(void)
{
	struct child *c;

	loop_init(&m.loop);
	check_begin("it begins anew");
	c = ended(60000, true);
	check_int(c->deaths, 0);
	check_int(c->restarts, 0);
	check_int(c->state, CHILD_DOWN);
	check_true(timer_is_set(&c->backoff));
	timer_stop(&c->backoff);

	check_begin("it ends without a word");
	c = ended(60000, false);
	check_int(c->deaths, 1);
	check_int(c->restarts, 1);
	check_true(timer_is_set(&c->backoff));
	timer_stop(&c->backoff);

	check_begin("it begins anew and anew");
	c = ended(100, true);
	check_int(c->deaths, 1);
	check_int(c->restarts, 1);
	timer_stop(&c->backoff);

	children_clear(&m);
	loop_clear(&m.loop);
	return check_end();
}
