/* SPDX-License-Identifier: BSD-2-Clause */
/* Retention locks.  What was asked for cannot be taken back, so the answer says until when it holds. */
#include "cli/cli.h"

#include <errno.h>

#define YEAR_S (365u * 86400u)
#define SLIP_YEARS 30u

/* How long a lock is wished for: one of the two is not 0. */
struct lock_time { uint64_t until_ns, for_s; };

static int lock_time_parse(const struct args *a, struct lock_time *t)
{
	int r;

	*t = (struct lock_time){ 0 };
	if (args_has(a, OPT_UNTIL) == args_has(a, OPT_FOR))
		return err_explain(-EINVAL, "until when? One of --until DATE and --for DURATION is needed");
	if (args_has(a, OPT_FOR))
		r = parse_duration(a->value[OPT_FOR], &t->for_s);
	else
		r = when_parse(a->value[OPT_UNTIL], &t->until_ns, &t->for_s);
	if (!r && !t->until_ns && !t->for_s)
		r = err_explain(-EINVAL, "a lock of no length at all locks nothing");
	return r;
}

/* Nobody can undo a year 2207 that was meant to be 2027. */
static int slip_check(const struct args *a, const struct lock_time *t)
{
	uint64_t now_s = clock_now_ns() / 1000000000u, years;
	uint64_t until_s = t->until_ns / 1000000000u;

	years = (t->for_s ? t->for_s : until_s > now_s ? until_s - now_s : 0) / YEAR_S;
	if (years < SLIP_YEARS)
		return 0;
	return confirm(a, "Lock it for %llu years, which nobody can take back", (unsigned long long)years);
}

static int say_locked(void *ctx, const char *key, json_t *value)
{
	char when[32];

	if (!strcmp(key, "row"))
		printf("%s is locked until %s\n", json_string_value(json_object_get(value, "name")),
		       format_time((uint64_t)json_integer_value(json_object_get(value, "locked_until_ns")), when));
	return 0;
}

static int lock(const struct args *a, const char *verb, const char *key, json_t *what)
{
	struct lock_time t;
	json_t *request;
	int r;

	r = lock_time_parse(a, &t);
	if (!r)
		r = slip_check(a, &t);
	if (r) {
		json_decref(what);
		return r;
	}
	request = json_pack("{s:s, s:o}", "verb", verb, key, what);
	json_object_set_new(request, t.for_s ? "for_s" : "until_ns",
			    json_integer((json_int_t)(t.for_s ? t.for_s : t.until_ns)));
	return store_ask(a, request, say_locked, NULL, NULL);
}

int verb_volume_lock(const struct args *a)
{
	return lock(a, "volume.lock", "names", json_words(a->operand, a->operands));
}

int verb_pool_lock(const struct args *a)
{
	return lock(a, "pool.lock", "name", json_string(a->operand[0]));
}
