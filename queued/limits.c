/*
 * queued/limits.c - letters and recipients of each account, in windows that slide:
 * an hour in steps of five minutes, a day in steps of an hour. The step that is
 * still open is one more than the window has, so that no hour and no day, wherever
 * it begins, sees more than the limit.
 */
#include "queued/limits.h"

#include <stdlib.h>

#include "lib/mem.h"
#include "queued/letter.h"

#define HOUR_STEP_S 300
#define HOUR_STEPS  (3600 / HOUR_STEP_S + 1)
#define DAY_STEP_S  3600
#define DAY_STEPS   (86400 / DAY_STEP_S + 1)

struct count {
	uint32_t letters, rcpts;
};

struct limits_account {
	struct hash_node node;
	struct limits_account *next, *prev; /* by when they last sent */
	char *name;
	int64_t hour_step, day_step; /* the open ones */
	struct count hour[HOUR_STEPS], day[DAY_STEPS];
};

static void
unlink_account(struct limits *all, struct limits_account *a)
{
	if (a->prev == NULL)
		all->first = a->next;
	else
		a->prev->next = a->next;
	if (a->next == NULL)
		all->last = a->prev;
	else
		a->next->prev = a->prev;
}

static void
link_last(struct limits *all, struct limits_account *a)
{
	a->next = NULL;
	a->prev = all->last;
	if (all->last == NULL)
		all->first = a;
	else
		all->last->next = a;
	all->last = a;
}

static void
account_free(struct limits *all, struct limits_account *a)
{
	unlink_account(all, a);
	hash_remove(&all->accounts, &a->node);
	free(a->name);
	free(a);
}

static struct limits_account *
account_get(struct limits *all, struct span name)
{
	uint64_t key = span_hash_lower(name);
	struct hash_node *n = hash_find(&all->accounts, key);
	struct limits_account *a;

	while (n != NULL && !span_caseeq(name, hash_entry(n,
	    struct limits_account, node)->name))
		n = hash_next(n);
	if (n != NULL) {
		a = hash_entry(n, struct limits_account, node);
		unlink_account(all, a);
		link_last(all, a);
		return a;
	}
	if (all->accounts.n >= LIMITS_ACCOUNTS_MAX)
		account_free(all, all->first);
	a = xcalloc(1, sizeof(*a));
	a->name = span_dup(name);
	hash_add(&all->accounts, &a->node, key);
	link_last(all, a);
	return a;
}

/* The step of now is the open one; those that the window has left are empty. */
static void
advance(struct count *list, size_t n, int64_t *open, int64_t step)
{
	size_t i;

	if (step - *open > (int64_t)n)
		*open = step - (int64_t)n;
	while (*open < step) {
		++*open;
		i = (size_t)*open % n;
		list[i] = (struct count){ 0, 0 };
	}
}

static bool
is_over(uint32_t limit, uint64_t sent)
{
	return limit != 0 && sent > limit;
}

/* Of the window, with this letter in it. */
static void
sum(const struct count *list, size_t n, uint32_t rcpts, uint64_t *letters,
    uint64_t *all_rcpts)
{
	*letters = 1;
	*all_rcpts = rcpts;
	while (n-- > 0) {
		*letters += list[n].letters;
		*all_rcpts += list[n].rcpts;
	}
}

static void
count(struct count *c, uint32_t rcpts)
{
	c->letters++;
	c->rcpts += rcpts;
}

uint8_t
limits_take(struct limits *all, const struct conf_accounts *conf,
    struct span account, uint32_t rcpts, int64_t now_s)
{
	struct limits_account *a = account_get(all, account);
	uint64_t letters, to;

	if (now_s < 0)
		now_s = 0;
	advance(a->hour, HOUR_STEPS, &a->hour_step, now_s / HOUR_STEP_S);
	advance(a->day, DAY_STEPS, &a->day_step, now_s / DAY_STEP_S);
	sum(a->hour, HOUR_STEPS, rcpts, &letters, &to);
	if (is_over(conf->letters_hour, letters))
		return HELD_LETTERS_HOUR;
	if (is_over(conf->recipients_hour, to))
		return HELD_RCPTS_HOUR;
	sum(a->day, DAY_STEPS, rcpts, &letters, &to);
	if (is_over(conf->letters_day, letters))
		return HELD_LETTERS_DAY;
	if (is_over(conf->recipients_day, to))
		return HELD_RCPTS_DAY;
	count(&a->hour[(size_t)a->hour_step % HOUR_STEPS], rcpts);
	count(&a->day[(size_t)a->day_step % DAY_STEPS], rcpts);
	return HELD_NO;
}

void
limits_clear(struct limits *all)
{
	while (all->first != NULL)
		account_free(all, all->first);
	hash_clear(&all->accounts);
}
