/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Events: what happened, numbered without end, the last 100,000 kept.  An event is no promise: it is written without
 * waiting for the disk, and one that cannot be written is only logged.  Its number is never used for another, though:
 * numbers are reserved on disk ahead, so after a crash they go on behind a gap, and who asks for what came since then
 * misses nothing.
 */
#include "catalog/catalog_private.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>

#define EVENTS_KEPT 100000u

static const struct {
	unsigned number;
	enum event_severity severity;
	const char *name;
} events[] = {
	{ EVENT_STORE_CREATED, EVENT_INFO, "store-created" },
	{ EVENT_MOUNTED, EVENT_INFO, "mounted" },
	{ EVENT_UNMOUNTED, EVENT_INFO, "unmounted" },
	{ EVENT_RECOVERED, EVENT_WARNING, "recovered" },
	{ EVENT_POOL_CREATED, EVENT_INFO, "pool-created" },
	{ EVENT_POOL_CHANGED, EVENT_INFO, "pool-changed" },
	{ EVENT_POOL_DESTROYED, EVENT_INFO, "pool-destroyed" },
	{ EVENT_VOLUME_CREATED, EVENT_INFO, "volume-created" },
	{ EVENT_VOLUME_CHANGED, EVENT_INFO, "volume-changed" },
	{ EVENT_VOLUME_ERASED, EVENT_INFO, "volume-erased" },
	{ EVENT_VOLUME_DELETED, EVENT_INFO, "volume-deleted" },
	{ EVENT_VOLUME_MOVED, EVENT_INFO, "volume-moved" },
	{ EVENT_VOLUME_OVERWRITTEN, EVENT_INFO, "volume-overwritten" },
	{ EVENT_VOLUME_IMPORTED, EVENT_INFO, "volume-imported" },
	{ EVENT_VOLUME_REPLACED, EVENT_INFO, "volume-replaced" },
	{ EVENT_VOLUME_RESTORED, EVENT_INFO, "volume-restored" },
	{ EVENT_LOCKED, EVENT_INFO, "locked" },
	{ EVENT_LOCK_REFUSED, EVENT_WARNING, "lock-refused" },
	{ EVENT_VOLUME_EXPIRED, EVENT_INFO, "volume-expired" },
	{ EVENT_VOLUME_SCRATCHED, EVENT_INFO, "volume-scratched" },
	{ EVENT_LABELLED, EVENT_INFO, "labelled" },
	{ EVENT_LOADED, EVENT_INFO, "loaded" },
	{ EVENT_UNLOADED, EVENT_INFO, "unloaded" },
	{ EVENT_SCSI_FAILED, EVENT_ERROR, "scsi-failed" },
	{ EVENT_NO_SCRATCH, EVENT_ERROR, "no-scratch" },
	{ EVENT_WRITE_FAILED, EVENT_ERROR, "write-failed" },
	{ EVENT_CHUNK_DAMAGED, EVENT_ERROR, "chunk-damaged" },
	{ EVENT_NO_SPACE, EVENT_ERROR, "no-space" },
	{ EVENT_PACK_LOST, EVENT_ERROR, "pack-lost" },
	{ EVENT_CLOCK, EVENT_WARNING, "clock" },
	{ EVENT_CHECK_FAILED, EVENT_ERROR, "check-failed" },
	{ EVENT_SPACE_FREED, EVENT_INFO, "space-freed" },
	{ EVENT_SCRUBBED, EVENT_INFO, "scrubbed" },
	{ EVENT_CHECKED, EVENT_INFO, "checked" },
	{ EVENT_REBUILT, EVENT_WARNING, "rebuilt" },
	{ EVENT_EXPIRED, EVENT_INFO, "expired" },
	{ EVENT_CONTENTS_LIMITED, EVENT_WARNING, "contents-limited" },
	{ EVENT_HOOK_FAILED, EVENT_WARNING, "hook-failed" },
	{ EVENT_SITE_ADDED, EVENT_INFO, "site-added" },
	{ EVENT_SITE_CHANGED, EVENT_INFO, "site-changed" },
	{ EVENT_SITE_REMOVED, EVENT_INFO, "site-removed" },
	{ EVENT_CLASH, EVENT_ERROR, "clash" },
	{ EVENT_REGISTERED, EVENT_INFO, "registered" },
	{ EVENT_TAKEN_OVER, EVENT_WARNING, "taken-over" },
};

static const char *const severity_names[] = {
	[EVENT_INFO] = "info",
	[EVENT_WARNING] = "warning",
	[EVENT_ERROR] = "error",
};

const char *event_name(unsigned number)
{
	for (size_t i = 0; i < ARRAY_LEN(events); i++)
		if (events[i].number == number)
			return events[i].name;
	return "unknown";
}

const char *event_severity_name(enum event_severity s)
{
	return (unsigned)s < ARRAY_LEN(severity_names) ? severity_names[s] : "unknown";
}

unsigned event_number_at(size_t i)
{
	return i < ARRAY_LEN(events) ? events[i].number : 0;
}

int event_parse(const char *name, unsigned *number)
{
	for (size_t i = 0; i < ARRAY_LEN(events); i++)
		if (!strcmp(events[i].name, name)) {
			*number = events[i].number;
			return 0;
		}
	return err_explain(-EINVAL, "there is no event \"%s\"; vtape-events(7) lists them", name);
}

int event_severity_parse(const char *word, enum event_severity *out)
{
	for (size_t i = 0; i < ARRAY_LEN(severity_names); i++)
		if (!strcmp(severity_names[i], word)) {
			*out = (enum event_severity)i;
			return 0;
		}
	return err_explain(-EINVAL, "\"%s\" is not a severity (info, warning, error)", word);
}

/* What is not in the table is told as loudly as possible. */
enum event_severity event_severity(unsigned number)
{
	for (size_t i = 0; i < ARRAY_LEN(events); i++)
		if (events[i].number == number)
			return events[i].severity;
	return EVENT_ERROR;
}

static void event_log(const struct catalog_event *e)
{
	static const enum log_level levels[] = { LOG_LEVEL_INFO, LOG_LEVEL_WARN, LOG_LEVEL_ERROR };

	log_news(levels[e->severity], "event %u %s: %s%s%s", e->number, event_name(e->number), e->about,
		 e->about[0] ? ": " : "", e->text);
}

/* The row that falls out of the ring has the number that is EVENTS_KEPT lower; after a gap there may be none. */
static int event_store(struct catalog *c, const struct catalog_event *e)
{
	CLEANUP(kv_batch_freep) struct kv_batch *b = NULL;
	CLEANUP(buf_fini) struct buf row = BUF_INIT;
	struct row_key key = key_event(e->seq), old;
	int r;

	r = kv_batch_new(&b);
	if (!r)
		r = event_encode(e, &row);
	if (!r)
		r = row_put(b, &key, &row);
	if (!r && e->seq > EVENTS_KEPT) {
		old = key_event(e->seq - EVENTS_KEPT);
		r = row_delete(b, &old);
	}
	return r ? r : kv_write(c->kv, b, false);
}

/* Rows that a gap in the numbers jumped over. */
static int event_trim(struct catalog *c, uint64_t below)
{
	CLEANUP(kv_batch_freep) struct kv_batch *b = NULL;
	struct row_key prefix = key_events(), end = key_event(below);
	CLEANUP(row_walk_end) struct row_walk w = ROW_WALK(&prefix);
	int r = kv_batch_new(&b);

	while (!r && row_walk_next(c, &w)) {
		if (w.key_len != end.len || memcmp(w.key, end.b, end.len) >= 0)
			break;
		r = kv_batch_delete(b, KV_CATALOG, w.key, w.key_len);
	}
	if (!r)
		r = w.error;
	return r || !kv_batch_count(b) ? r : kv_write(c->kv, b, false);
}

static int event_number(struct catalog *c, uint64_t *seq)
{
	int r;

	r = counter_take(c, &c->event_seqs, seq);
	if (!r && *seq != c->event_last + 1 && *seq > EVENTS_KEPT)
		r = event_trim(c, *seq - EVENTS_KEPT);
	return r;
}

void catalog_event(struct catalog *c, enum event_number n, const char *about, const char *fmt, ...)
{
	struct catalog_event e = { .time_ns = clock_now_ns(), .number = (uint16_t)n, .severity = event_severity(n) };
	va_list ap;
	int r;

	snprintf(e.about, sizeof(e.about), "%s", about ? about : "");
	va_start(ap, fmt);
	vsnprintf(e.text, sizeof(e.text), fmt, ap);
	va_end(ap);
	event_log(&e);

	LOCK_SCOPE(&c->event_lock);
	r = event_number(c, &e.seq);
	if (!r)
		r = event_store(c, &e);
	if (r) {
		log_warn("event %u is not stored: %s", e.number, err_text(r));
		e.seq = 0;
	} else {
		c->event_last = e.seq;
	}
	if (c->tell)
		c->tell(c->tell_ctx, &e);
}

void catalog_event_listen(struct catalog *c, void (*tell)(void *ctx, const struct catalog_event *e), void *ctx)
{
	LOCK_SCOPE(&c->event_lock);
	c->tell = tell;
	c->tell_ctx = ctx;
}

/* A damaged key is passed over: what it was is the check's to tell, and no event keeps a catalog from being opened. */
int event_find_last(struct catalog *c, uint64_t *seq)
{
	CLEANUP(kv_iter_freep) struct kv_iter *it = NULL;
	struct row_key prefix = key_events(), last = key_event(NUMBER_MAX);
	const uint8_t *key;
	size_t len;
	int r;

	r = kv_iter_new(c->kv, KV_CATALOG, &it);
	if (r)
		return r;
	*seq = 0;
	for (kv_iter_seek_back(it, last.b, last.len); kv_iter_in(it, prefix.b, prefix.len); kv_iter_prev(it)) {
		key = kv_iter_key(it, &len);
		if (len == last.len) {
			*seq = get_be64(key + prefix.len);
			break;
		}
	}
	return kv_iter_error(it);
}

int catalog_event_each(struct catalog *c, uint64_t since_seq, int (*each)(void *ctx, const struct catalog_event *e),
		       void *ctx)
{
	struct row_key prefix = key_events(), from = key_event(since_seq);
	CLEANUP(row_walk_end) struct row_walk w = ROW_WALK_FROM(&prefix, &from);
	struct catalog_event e;
	int r = 0;

	while (!r && row_walk_next(c, &w)) {
		if (w.key_len != from.len)
			return err_explain(-EUCLEAN, "catalog: the key of an event is damaged");
		r = event_decode(get_be64(w.key + prefix.len), w.row, w.row_len, &e);
		if (!r)
			r = each(ctx, &e);
	}
	return r ? r : w.error;
}

uint64_t catalog_event_last(struct catalog *c)
{
	LOCK_SCOPE(&c->event_lock);
	return c->event_last;
}
