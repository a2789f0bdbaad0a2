/*
 * conn_test.c - the line connection: lines in pieces, too long, with LF alone;
 * pausing, octet mode, the peer's end with answers still owed.
 */
#include "tests/unit/check.h"

#include <fcntl.h>
#include <sys/socket.h>
#include <unistd.h>

#include "lib/buf.h"
#include "lib/log.h"
#include "lib/net/conn.h"

#define LINE_MAX_TEST 32

struct seen {
	struct loop loop;
	struct conn c;
	int peer;
	struct buf log;         /* what was called, as text */
	bool pause_after_line, octets_after_data;
	bool close_in_line;
	bool marks_ahead;       /* a line with more behind it gets a "+" */
};

static void
on_line(void *arg, struct span line, enum conn_eol eol)
{
	struct seen *s = arg;

	buf_addf(&s->log, "[%.*s%s%s]", SPAN_ARG(line),
	    eol == EOL_LF ? "|lf" : "",
	    s->marks_ahead && !conn_input_empty(&s->c) ? "+" : "");
	if (s->close_in_line) {
		conn_close(&s->c);
		return;
	}
	if (s->octets_after_data && span_eqstr(line, "DATA"))
		conn_octets(&s->c);
	if (s->pause_after_line)
		conn_pause(&s->c);
	conn_writef(&s->c, "ok\r\n");
}

static void
on_line_long(void *arg)
{
	buf_add_str(&((struct seen *)arg)->log, "[long]");
}

/* Octets up to a '.', which ends them. */
static size_t
on_octets(void *arg, struct span data)
{
	struct seen *s = arg;
	ssize_t at = span_find(data, '.');
	size_t n = at == -1 ? data.len : (size_t)at + 1;

	buf_addf(&s->log, "<%.*s>", (int)n, data.p);
	if (at != -1)
		conn_lines(&s->c, LINE_MAX_TEST);
	return n;
}

static void
on_ended(void *arg, enum conn_end how)
{
	struct seen *s = arg;

	buf_addf(&s->log, "{%s}", how == CONN_EOF ? "eof"
	    : how == CONN_TIMEOUT ? "timeout" : "error");
	conn_close(&s->c);
}

static const struct conn_ops ops = {
	.line = on_line, .line_long = on_line_long, .octets = on_octets,
	.ended = on_ended
};

static void
begin(struct seen *s, const char *name)
{
	int sv[2];

	check_begin(name);
	*s = (struct seen){ .peer = -1 };
	buf_init(&s->log, 1 << 20);
	loop_init(&s->loop);
	check_int(socketpair(AF_UNIX, SOCK_STREAM, 0, sv), 0);
	fcntl(sv[0], F_SETFL, O_NONBLOCK);
	fcntl(sv[1], F_SETFL, O_NONBLOCK);
	s->peer = sv[1];
	conn_open(&s->c, &s->loop, sv[0], &ops, s, LINE_MAX_TEST);
}

static void
say(struct seen *s, const char *text)
{
	check_int(write(s->peer, text, strlen(text)), (int)strlen(text));
	loop_run_once(&s->loop, 5);
	loop_run_once(&s->loop, 1);
}

static void
end(struct seen *s)
{
	conn_close(&s->c);
	close(s->peer);
	buf_clear(&s->log);
	loop_clear(&s->loop);
}

static void
test_lines(void)
{
	struct seen s;

	begin(&s, "several lines in one read, one in several");
	say(&s, "one\r\ntwo\r\nth");
	check_str(buf_str(&s.log), "[one][two]");
	say(&s, "ree\r");
	say(&s, "\nfour\nfi\rve\r\n\r\n");
	check_str(buf_str(&s.log), "[one][two][three][four|lf][fi\rve][]");
	end(&s);

	begin(&s, "a line of exactly the limit, one octet more, endless");
	say(&s, "123456789012345678901234567890\r\n");
	check_str(buf_str(&s.log), "[123456789012345678901234567890]");
	buf_reset(&s.log);
	say(&s, "1234567890123456789012345678901\r\nnext\r\n");
	check_str(buf_str(&s.log), "[long][next]");
	buf_reset(&s.log);
	say(&s, "1234567890123456789012345678901234567890");
	say(&s, "1234567890123456789012345678901234567890");
	check_str(buf_str(&s.log), "");
	say(&s, "end\r\nnext\r\n");
	check_str(buf_str(&s.log), "[long][next]");
	check_true(conn_input_empty(&s.c));
	end(&s);

	begin(&s, "what lies behind a line is known when it is handed on");
	s.marks_ahead = true;
	say(&s, "one\r\n");
	say(&s, "two\r\nthree\r\n");
	say(&s, "four\r\nfi");
	say(&s, "ve\r\n");
	check_str(buf_str(&s.log), "[one][two+][three][four+][five]");
	end(&s);

	begin(&s, "closed by its owner within a line: nothing follows");
	s.close_in_line = true;
	say(&s, "one\r\ntwo\r\nthree\r\n");
	check_str(buf_str(&s.log), "[one]");
	check_true(!conn_is_open(&s.c));
	end(&s);
}

static void
test_modes(void)
{
	struct seen s;

	begin(&s, "paused after each line, resumed one by one");
	s.pause_after_line = true;
	say(&s, "one\r\ntwo\r\nthree\r\n");
	check_str(buf_str(&s.log), "[one]");
	check_true(!conn_input_empty(&s.c));
	conn_resume(&s.c);
	loop_run_once(&s.loop, 1);
	check_str(buf_str(&s.log), "[one][two]");
	say(&s, "four\r\n");
	check_str(buf_str(&s.log), "[one][two]");
	conn_resume(&s.c);
	loop_run_once(&s.loop, 1);
	conn_resume(&s.c);
	loop_run_once(&s.loop, 5);
	loop_run_once(&s.loop, 1);
	check_str(buf_str(&s.log), "[one][two][three][four]");
	end(&s);

	begin(&s, "octets between lines, split anywhere");
	s.octets_after_data = true;
	say(&s, "DATA\r\nabc\r\n.NOOP\r\n");
	check_str(buf_str(&s.log), "[DATA]<abc\r\n.>[NOOP]");
	buf_reset(&s.log);
	say(&s, "DATA\r\n");
	say(&s, "abc");
	say(&s, "d.QUIT\r\n");
	check_str(buf_str(&s.log), "[DATA]<abc><d.>[QUIT]");
	end(&s);
}

static void
test_ends(void)
{
	struct seen s;
	char in[64] = "";

	begin(&s, "who closes his side still gets his answers");
	check_int(write(s.peer, "one\r\ntwo\r\n", 10), 10);
	shutdown(s.peer, SHUT_WR);
	loop_run_once(&s.loop, 5);
	loop_run_once(&s.loop, 5);
	check_str(buf_str(&s.log), "[one][two]{eof}");
	check_int(read(s.peer, in, sizeof(in)), 8);
	check_mem(in, 8, "ok\r\nok\r\n", 8);
	end(&s);

	begin(&s, "the end waits while the owner is busy");
	s.pause_after_line = true;
	check_int(write(s.peer, "one\r\n", 5), 5);
	shutdown(s.peer, SHUT_WR);
	loop_run_once(&s.loop, 5);
	loop_run_once(&s.loop, 5);
	check_str(buf_str(&s.log), "[one]");
	conn_resume(&s.c);
	loop_run_once(&s.loop, 5);
	loop_run_once(&s.loop, 5);
	check_str(buf_str(&s.log), "[one]{eof}");
	end(&s);

	begin(&s, "a deadline");
	timer_set_ms(&s.c.timer, 1);
	loop_run_once(&s.loop, 100);
	check_str(buf_str(&s.log), "{timeout}");
	end(&s);

	begin(&s, "finish flushes first");
	conn_writef(&s.c, "221 bye\r\n");
	conn_finish(&s.c, 5);
	loop_run_once(&s.loop, 5);
	loop_run_once(&s.loop, 5);
	check_str(buf_str(&s.log), "{eof}");
	check_int(read(s.peer, in, sizeof(in)), 9);
	end(&s);

	begin(&s, "what comes after the last word is nobody's");
	check_int(write(s.peer, "QUIT\r\n", 6), 6);
	loop_run_once(&s.loop, 5);
	conn_writef(&s.c, "221 bye\r\n");
	conn_finish(&s.c, 5);
	loop_run_once(&s.loop, 5);
	loop_run_once(&s.loop, 5);
	check_int(read(s.peer, in, sizeof(in)), 13); /* ok, 221 */
	check_int(read(s.peer, in, sizeof(in)), 0);
	check_int(write(s.peer, "NOOP\r\n", 6), 6);
	loop_run_once(&s.loop, 5);
	check_str(buf_str(&s.log), "[QUIT]");
	check_int(conn_writef(&s.c, "250 ok\r\n"), -1);
	check_int(shutdown(s.peer, SHUT_WR), 0);
	loop_run_once(&s.loop, 5);
	check_str(buf_str(&s.log), "[QUIT]{eof}");
	end(&s);

	begin(&s, "nobody is waited for long");
	check_int(write(s.peer, "QUIT\r\n", 6), 6);
	loop_run_once(&s.loop, 5);
	conn_finish(&s.c, 5);
	loop_run_once(&s.loop, 5);
	check_true(s.c.lingering);
	timer_set_ms(&s.c.timer, 1);
	loop_run_once(&s.loop, 100);
	check_str(buf_str(&s.log), "[QUIT]{eof}");
	end(&s);
}

/* A peer that does not read: its commands wait, our memory does not grow. */
static void
test_backpressure(void)
{
	struct seen s;
	char junk[4096], in[65536];
	size_t i, sent = 0, got = 0;
	ssize_t n;

	begin(&s, "answers nobody reads stop the reading of commands");
	for (i = 0; i < sizeof(junk); i += 8)
		memcpy(junk + i, "NOOP 1\r\n", 8);
	for (i = 0; i < 2000; i++) {
		if ((n = write(s.peer, junk, sizeof(junk))) > 0)
			sent += (size_t)n;
		loop_run_once(&s.loop, 0);
		buf_reset(&s.log);
	}
	check_true(conn_unsent(&s.c) <= CONN_OUT_PAUSE + 65536);
	check_true(sent < 2000 * sizeof(junk));
	for (i = 0; i < 20000 && got < sent / 8 * 4; i++) {
		if ((n = read(s.peer, in, sizeof(in))) > 0)
			got += (size_t)n;
		loop_run_once(&s.loop, 0);
		buf_reset(&s.log);
	}
	check_int((int)got, (int)(sent / 8 * 4));
	end(&s);
}

int
main(void)
{
	test_lines();
	test_modes();
	test_ends();
	test_backpressure();
	return check_end();
}
