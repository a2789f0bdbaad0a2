/*
 * authd/pam.c - a password checked by PAM, in a process of its own that authd
 * -p forks, feeds and, if it is too slow, ends. It answers with two octets:
 * what became of it, and PAM's own number for the log.
 */
#include "config.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "authd/outside.h"
#include "lib/log.h"

#ifdef HAVE_PAM
#include <security/pam_appl.h>

#define REPLY_FD 3

/* Only what is asked for without an echo is a password; whoever wants more than
 * that of a mail program gets nothing. */
static int
converse(int n, const struct pam_message **asked, struct pam_response **out,
    void *arg)
{
	struct pam_response *r;
	int i;

	if (n <= 0 || n > PAM_MAX_NUM_MSG ||
	    (r = calloc((size_t)n, sizeof(*r))) == NULL)
		return PAM_CONV_ERR;
	for (i = 0; i < n; i++) {
		if (asked[i]->msg_style == PAM_PROMPT_ECHO_OFF)
			r[i].resp = strdup(arg);
		if (asked[i]->msg_style == PAM_PROMPT_ECHO_ON ||
		    (asked[i]->msg_style == PAM_PROMPT_ECHO_OFF &&
		    r[i].resp == NULL))
			break;
	}
	if (i == n) {
		*out = r;
		return PAM_SUCCESS;
	}
	while (i-- > 0)
		free(r[i].resp);
	free(r);
	return PAM_CONV_ERR;
}

/* What tells of the account or its password; all else is the host's fault, and
 * a client that hears of that keeps its password. */
static uint8_t
status_of(int rv)
{
	switch (rv) {
	case PAM_SUCCESS:
		return PW_OK;
	case PAM_AUTH_ERR:
	case PAM_USER_UNKNOWN:
	case PAM_MAXTRIES:
	case PAM_PERM_DENIED:
	case PAM_CRED_INSUFFICIENT:
	case PAM_CRED_EXPIRED:
	case PAM_ACCT_EXPIRED:
	case PAM_NEW_AUTHTOK_REQD:
	case PAM_AUTHTOK_EXPIRED:
		return PW_WRONG;
	default:
		return PW_TEMP;
	}
}

static int
begin(const char *service, const char *user, const struct pam_conv *conv,
    const char *confdir, pam_handle_t **pam)
{
#ifdef HAVE_PAM_CONFDIR
	if (confdir != NULL)
		return pam_start_confdir(service, user, conv, confdir, pam);
#else
	(void)confdir;
#endif
	return pam_start(service, user, conv, pam);
}

/* In the process that is for this one password. */
static void
check(const char *service, const char *user, char *password,
    const char *host, const char *confdir)
{
	struct pam_conv conv = { converse, password };
	pam_handle_t *pam = NULL;
	unsigned char reply[2];
	int rv = begin(service, user, &conv, confdir, &pam);

	if (rv == PAM_SUCCESS)
		rv = pam_set_item(pam, PAM_TTY, "barid");
	if (rv == PAM_SUCCESS && host[0] != '\0')
		rv = pam_set_item(pam, PAM_RHOST, host);
	if (rv == PAM_SUCCESS)
		rv = pam_authenticate(pam, PAM_SILENT);
	if (rv == PAM_SUCCESS)
		rv = pam_acct_mgmt(pam, PAM_SILENT);
	if (pam != NULL)
		(void)pam_end(pam, rv);
	reply[0] = status_of(rv);
	reply[1] = (unsigned char)rv;
	/* Two octets fit into any pipe; without them the answer is 'later'. */
	_exit(write(REPLY_FD, reply, sizeof(reply)) == -1);
}

/* Nothing of the parent but the pipe: no channel, no signal, no mask. */
static void
become_child(int fd)
{
	static const int signals[] = { SIGTERM, SIGINT, SIGHUP, SIGPIPE,
	    SIGCHLD };
	sigset_t none;
	size_t i;

	(void)prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0);
	(void)setpgid(0, 0); /* with the helpers of modules */
	if (fd != REPLY_FD && dup2(fd, REPLY_FD) == -1)
		_exit(71);
	(void)fcntl(REPLY_FD, F_SETFD, FD_CLOEXEC);
	closefrom(REPLY_FD + 1);
	for (i = 0; i < nitems(signals); i++)
		(void)signal(signals[i], SIG_DFL);
	sigemptyset(&none);
	(void)sigprocmask(SIG_SETMASK, &none, NULL);
}

static void
on_reply(void *arg, unsigned what)
{
	struct question *q = arg;
	unsigned char reply[2];
	ssize_t n = read(q->fd, reply, sizeof(reply));

	(void)what;
	if (n == -1 && (errno == EINTR || errno == EAGAIN))
		return;
	if (n != sizeof(reply) || reply[0] > PW_TEMP) {
		log_warnx("a PAM module ended its process without an answer");
		question_answer(q, PW_TEMP);
		return;
	}
	if (reply[0] == PW_TEMP)
		log_warnx("PAM: %s", pam_strerror(NULL, reply[1]));
	question_answer(q, reply[0]);
}

void
pam_ask(struct question *q, const char *service, const char *user,
    const char *password)
{
	const struct daemon *d = &q->o->daemon;
	const char *confdir = d->test && d->id.root[0] != '\0' ? d->id.root :
	    NULL;
	int fds[2];

	if (pipe2(fds, O_CLOEXEC | O_NONBLOCK) == -1) {
		log_warn("pipe");
		question_answer(q, PW_TEMP);
		return;
	}
	if ((q->pid = fork()) == -1) {
		log_warn("fork");
		q->pid = 0;
		close(fds[0]);
		close(fds[1]);
		question_answer(q, PW_TEMP);
		return;
	}
	if (q->pid == 0) {
		become_child(fds[1]);
		check(service, user, (char *)(uintptr_t)password, q->host,
		    confdir);
	}
	close(fds[1]);
	q->fd = fds[0];
	watch_init(&q->watch, &q->o->daemon.loop, q->fd, on_reply, q);
	watch_set(&q->watch, LOOP_READ);
}

#else

void
pam_ask(struct question *q, const char *service, const char *user,
    const char *password)
{
	(void)service;
	(void)user;
	(void)password;
	log_warnx("passwords pam: this barid was built without PAM");
	question_answer(q, PW_TEMP);
}

#endif /* HAVE_PAM */

void
pam_forget(struct question *q)
{
	if (q->fd == -1)
		return;
	watch_clear(&q->watch);
	close(q->fd);
	q->fd = -1;
	/* It has answered and is ending, or nobody waits for it any more. */
	if (q->pid == 0)
		return;
	kill(-q->pid, SIGKILL);
	kill(q->pid, SIGKILL); /* it may not have its group yet */
}

void
pam_reap(void *arg)
{
	struct outside *o = arg;
	struct question *q;
	pid_t pid;

	while ((pid = waitpid(-1, NULL, WNOHANG)) > 0)
		for (q = o->questions; q != NULL; q = q->next)
			if (q->pid == pid)
				q->pid = 0;
}
