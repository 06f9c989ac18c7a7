/* SPDX-License-Identifier: BSD-2-Clause */
/* Runs the table of tape behaviours through a door.  The language is explained in conform.h. */
#include "conform/conform.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char *const names[] = {
	[COND_OK] = "ok", [COND_MARK] = "mark", [COND_EOD] = "eod", [COND_BOP] = "bop", [COND_EARLY] = "early",
	[COND_FULL] = "full", [COND_PROT] = "prot", [COND_LONG] = "long", [COND_FAILED] = "a failure",
};
#define CONDITIONS (sizeof(names) / sizeof(names[0]))

/* One word of a script. */
struct word {
	char verb[16];
	long n;			/* the number behind the verb */
	long times;
	enum condition expected;
	long record;		/* that a read shall give; 0: not said */
	long file, block;
};

struct run {
	const struct conform_door *door;
	void *ctx;
	long written;		/* records so far */
	size_t *len;		/* of each of them, from 1 */
	char *wanted, *got;	/* record_max bytes each */
	char why[160];
	unsigned failed, skipped;
};

/* ---- words ------------------------------------------------------------------------------------------------------ */

static enum condition condition_named(const char *s, size_t n)
{
	for (size_t i = 0; i < CONDITIONS; i++)
		if (strlen(names[i]) == n && !memcmp(names[i], s, n))
			return (enum condition)i;
	printf("the table speaks of =%.*s\n", (int)n, s);
	abort();
}

static void word_parse(const char *s, struct word *w)
{
	size_t verb = strcspn(s, "0123456789*=:@,");
	char *p;

	*w = (struct word){ .times = 1 };
	snprintf(w->verb, sizeof(w->verb), "%.*s", (int)verb, s);
	w->n = strtol(s + verb, &p, 10);
	while (*p)
		switch (*p++) {
		case '*':
			w->times = strtol(p, &p, 10);
			break;
		case ':':
			w->record = strtol(p, &p, 10);
			break;
		case '=':
			w->expected = condition_named(p, strcspn(p, ":*"));
			p += strlen(names[w->expected]);
			break;
		case '@':
			snprintf(w->verb, sizeof(w->verb), "@");
			w->file = strtol(p, &p, 10);
			w->block = strtol(p + (*p == ','), &p, 10);
			break;
		}
}

/* ---- doing them ------------------------------------------------------------------------------------------------- */

static void fill(char *p, size_t n, long record)
{
	uint64_t x = (uint64_t)record * 0x9e3779b97f4a7c15u;

	for (size_t i = 0; i < n; i++) {
		x ^= x << 13;
		x ^= x >> 7;
		x ^= x << 17;
		p[i] = (char)x;
	}
}

static enum condition do_write(struct run *r, const struct word *w)
{
	size_t *len = realloc(r->len, ((size_t)r->written + 2) * sizeof(*len));

	if (!len)
		abort();
	r->len = len;
	len[++r->written] = (size_t)w->n;
	fill(r->wanted, (size_t)w->n, r->written);
	return r->door->write(r->ctx, r->wanted, (size_t)w->n);
}

static enum condition do_read(struct run *r, const struct word *w)
{
	size_t len = 0, n;
	enum condition c = r->door->read(r->ctx, r->got, (size_t)w->n, &len);

	if (c != COND_OK || !w->record)
		return c;
	n = r->len[w->record];
	fill(r->wanted, n, w->record);
	if (len == n && !memcmp(r->got, r->wanted, n))
		return c;
	snprintf(r->why, sizeof(r->why), "%zu bytes that are not record %ld of %zu", len, w->record, n);
	return COND_FAILED;
}

static enum condition do_tell(struct run *r, const struct word *w)
{
	struct conform_pos pos;

	if (r->door->tell(r->ctx, &pos)) {
		snprintf(r->why, sizeof(r->why), "no position");
		return COND_FAILED;
	}
	if ((pos.file < 0 || pos.file == w->file) && (pos.block < 0 || pos.block == w->block))
		return COND_OK;
	snprintf(r->why, sizeof(r->why), "it is at file %ld, block %ld", (long)pos.file, (long)pos.block);
	return COND_FAILED;
}

static enum condition do_word(struct run *r, const struct word *w)
{
	static const struct { const char *verb; enum conform_move move; int sign; } moves[] = {
		{ "fsr", MOVE_RECORDS, 1 }, { "bsr", MOVE_RECORDS, -1 },
		{ "fsf", MOVE_MARKS, 1 }, { "bsf", MOVE_MARKS, -1 },
		{ "rew", MOVE_REWIND, 1 }, { "eod", MOVE_EOD, 1 }, { "loc", MOVE_LOCATE, 1 },
	};

	for (size_t i = 0; i < sizeof(moves) / sizeof(moves[0]); i++)
		if (!strcmp(w->verb, moves[i].verb))
			return r->door->move(r->ctx, moves[i].move, moves[i].sign * w->n);
	if (!strcmp(w->verb, "w"))
		return do_write(r, w);
	if (!strcmp(w->verb, "r"))
		return do_read(r, w);
	if (!strcmp(w->verb, "@"))
		return do_tell(r, w);
	if (!strcmp(w->verb, "m"))
		return r->door->marks(r->ctx, (unsigned)w->n);
	if (!strcmp(w->verb, "erase"))
		return r->door->erase(r->ctx);
	if (!strcmp(w->verb, "reload"))
		return r->door->reload(r->ctx);
	if (!strcmp(w->verb, "protect"))
		return r->door->protect(r->ctx);
	if (!strcmp(w->verb, "lock"))
		return r->door->lock(r->ctx);
	printf("the table speaks of %s\n", w->verb);
	abort();
}

/* ---- rows ------------------------------------------------------------------------------------------------------- */

static bool words_fit(const struct conform_door *door, const char *script)
{
	char copy[1024], *save, *s;
	struct word w;

	snprintf(copy, sizeof(copy), "%s", script);
	for (s = strtok_r(copy, " ", &save); s; s = strtok_r(NULL, " ", &save)) {
		word_parse(s, &w);
		if ((*w.verb == 'w' || (*w.verb == 'r' && !w.verb[1])) && (size_t)w.n > door->record_max)
			return false;
		if (!strcmp(w.verb, "protect") && !door->protect)
			return false;
		if (!strcmp(w.verb, "lock") && !door->lock)
			return false;
	}
	return true;
}

static bool run_script(struct run *r, const struct conform_row *row)
{
	char copy[1024], *save, *s;
	enum condition c;
	struct word w;

	snprintf(copy, sizeof(copy), "%s", row->script);
	for (s = strtok_r(copy, " ", &save); s; s = strtok_r(NULL, " ", &save)) {
		word_parse(s, &w);
		for (long i = 0; i < w.times; i++) {
			snprintf(r->why, sizeof(r->why), "not %s", names[w.expected]);
			c = do_word(r, &w);
			if (c == w.expected)
				continue;
			printf("not ok  %s: %s\n        at \"%s\" in \"%s\": %s, %s\n", r->door->name, row->name, s,
			       row->script, names[c], r->why);
			return false;
		}
	}
	return true;
}

static void run_row(struct run *r, const struct conform_row *row)
{
	int blank = words_fit(r->door, row->script) ? r->door->blank(r->ctx, row->capacity, row->worm) : 1;

	if (blank > 0) {
		printf("skip    %s: %s\n", r->door->name, row->name);
		r->skipped++;
		return;
	}
	r->written = 0;
	if (blank < 0) {
		printf("not ok  %s: %s\n        no blank tape\n", r->door->name, row->name);
		r->failed++;
	} else if (run_script(r, row)) {
		printf("ok      %s: %s\n", r->door->name, row->name);
	} else {
		r->failed++;
	}
	fflush(stdout);
}

unsigned conform_run(const struct conform_door *door, void *ctx, const char *only)
{
	struct run r = { .door = door, .ctx = ctx };

	r.wanted = malloc(door->record_max);
	r.got = malloc(door->record_max);
	if (!r.wanted || !r.got)
		abort();
	for (size_t i = 0; i < conform_rows; i++)
		if (!only || !strcmp(only, conform_table[i].name))
			run_row(&r, &conform_table[i]);
	free(r.len);
	free(r.wanted);
	free(r.got);
	printf("%s: %u of %zu rows failed, %u skipped\n", door->name, r.failed, conform_rows, r.skipped);
	return r.failed;
}
