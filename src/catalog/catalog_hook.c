/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Hooks as rows: which program is run for which events.  A row that is kept is one that can be used: known events, an
 * absolute path, a time limit.  Whether there is such a program is for who runs it.
 */
#include "catalog/catalog_private.h"

#include <errno.h>

/* ---- which events ---- */

/* Calls @each with every name of a list with commas; non-zero stops. */
static int names_each(const char *list, int (*each)(void *ctx, const char *name), void *ctx)
{
	char name[64];
	int r = 0;

	while (*list && !r) {
		size_t n = strcspn(list, ",");

		if (n >= sizeof(name))
			return err_explain(-EINVAL, "\"%.*s\" is no name of an event", (int)n, list);
		memcpy(name, list, n);
		name[n] = '\0';
		r = each(ctx, name);
		list += n;
		if (*list == ',' && !*++list)
			return err_explain(-EINVAL, "a list of events ends with a comma");
	}
	return r;
}

static int name_is_known(void *ctx, const char *name)
{
	unsigned number;

	(void)ctx;
	return event_parse(name, &number);
}

int event_list_check(const char *list)
{
	return names_each(list, name_is_known, NULL);
}

/* One that a newer version knew and we do not is passed over. */
static int name_is_it(void *number, const char *name)
{
	return !strcmp(event_name(*(const unsigned *)number), name);
}

bool event_list_has(const char *list, unsigned number)
{
	return !list[0] || names_each(list, name_is_it, &number) == 1;
}

bool catalog_hook_wants(const struct catalog_hook *h, const struct catalog_event *e)
{
	return !h->off && e->number != EVENT_HOOK_FAILED && e->severity >= h->least &&
	       event_list_has(h->events, e->number);
}

/* ---- rows ---- */

static int hook_check(const struct catalog_hook *h)
{
	if (!parse_is_name(h->name))
		return err_explain(-EINVAL, "\"%s\" is no name for a hook (1 to %d of A-Z a-z 0-9 . _ - +)", h->name,
				   BARCODE_MAX);
	if (h->program[0] != '/')
		return err_explain(-EINVAL, "\"%s\": a hook's program is an absolute path", h->program);
	if (h->timeout_s < 1 || h->timeout_s > CATALOG_HOOK_TIMEOUT_MAX_S)
		return err_explain(-EINVAL, "a hook's time limit is from 1 second to a day");
	return event_list_check(h->events);
}

int catalog_hook_get(struct catalog *c, const char *name, struct catalog_hook *out)
{
	CLEANUP(buf_fini) struct buf row = BUF_INIT;
	struct row_key key = key_hook(name);
	int r = row_get(c, &key, &row);

	return r ? r : hook_decode(name, row.data, row.len, out);
}

static int count_hook(void *ctx, const struct catalog_hook *h)
{
	(void)h;
	++*(unsigned *)ctx;
	return 0;
}

int catalog_hook_put(struct catalog *c, const struct catalog_hook *h)
{
	CLEANUP(buf_fini) struct buf row = BUF_INIT;
	struct row_key key = key_hook(h->name);
	struct catalog_hook was;
	unsigned count = 0;
	int r = hook_check(h);

	if (r)
		return r;
	LOCK_SCOPE(&c->lock);
	r = catalog_hook_get(c, h->name, &was);
	if (r == CATALOG_E_NONE) {
		r = catalog_hook_each(c, count_hook, &count);
		if (!r && count >= CATALOG_HOOKS_MAX)
			r = err_explain(-ENOSPC, "there are %u hooks already, and no more can be", count);
	}
	if (r && r != -EUCLEAN)	/* a damaged one is replaced */
		return r;
	r = hook_encode(h, &row);
	return r ? r : row_write(c, &key, row.data, row.len);
}

int catalog_hook_remove(struct catalog *c, const char *name)
{
	struct row_key key = key_hook(name);
	struct catalog_hook was;
	int r;

	LOCK_SCOPE(&c->lock);
	r = catalog_hook_get(c, name, &was);
	return r && r != -EUCLEAN ? r : row_write(c, &key, NULL, 0);
}

int catalog_hook_each(struct catalog *c, int (*each)(void *ctx, const struct catalog_hook *h), void *ctx)
{
	struct row_key prefix = key_hook("");
	CLEANUP(row_walk_end) struct row_walk w = ROW_WALK(&prefix);
	char name[BARCODE_MAX + 1];
	struct catalog_hook h;
	int r = 0;

	while (!r && row_walk_next(c, &w)) {
		if (w.key_len < 2 || w.key_len > sizeof(name))
			continue;
		memcpy(name, w.key + 1, w.key_len - 1);
		name[w.key_len - 1] = '\0';
		if (!hook_decode(name, w.row, w.row_len, &h))
			r = each(ctx, &h);
	}
	return r ? r : w.error;
}
