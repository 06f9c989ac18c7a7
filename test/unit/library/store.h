/* SPDX-License-Identifier: BSD-2-Clause */
/* store: a whole store in memory with a library on it, which can lose its power. */
#ifndef TEST_LIBRARY_STORE_H
#define TEST_LIBRARY_STORE_H

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <unistd.h>
#include <cmocka.h>

#include <vtape/library.h>

#include "lib/chance.h"
#include "lib/twins.h"

struct store {
	struct kv *kv;
	struct packs *packs;
	struct workers *workers;
	struct chunk_store *cs;
	struct catalog *cat;
	struct library *lib;
	uint64_t reserve_bytes;		/* for the next store_up() */
};

static inline void store_up(struct store *s)
{
	struct chunk_store_config cfg = { chunk_params_of(CHUNK_AVG_DEFAULT), { 1, 2, 3 }, s->reserve_bytes };

	assert_int_equal(workers_serial_new(&s->workers), 0);
	assert_int_equal(chunk_store_open(s->kv, s->packs, s->workers, &cfg, &s->cs), 0);
	assert_int_equal(catalog_open(s->kv, &s->cat), 0);
	assert_int_equal(library_open(s->cat, s->kv, s->cs, 2, &s->lib), 0);
}

static inline void store_down(struct store *s)
{
	s->lib = library_close(s->lib);
	s->cat = catalog_close(s->cat);
	s->cs = chunk_store_close(s->cs);
	s->workers = workers_free(s->workers);
}

static inline void store_init(struct store *s)
{
	s->reserve_bytes = 0;
	assert_int_equal(kv_mem_new(&s->kv), 0);
	assert_int_equal(packs_mem_new(&s->packs), 0);
	store_up(s);
}

static inline void store_fini(struct store *s)
{
	store_down(s);
	s->packs = packs_close(s->packs);
	s->kv = kv_close(s->kv);
}

static inline int store_new(void **state)
{
	static struct store s;

	store_init(&s);
	*state = &s;
	return 0;
}

static inline int store_free(void **state)
{
	store_fini(*state);
	return 0;
}

static inline void store_restart(struct store *s)
{
	store_down(s);
	store_up(s);
}

/* The power fails now; then it is switched on again. */
static inline void store_cut(struct store *s)
{
	struct twins left = twins_cut(s->kv, s->packs, 1);

	store_down(s);
	twins_replace(&s->kv, &s->packs, left);
	store_up(s);
}

static inline uint64_t make(struct store *s, const char *name)
{
	struct catalog_volume row;

	assert_int_equal(library_volume_create(s->lib, CATALOG_POOL_DEFAULT, name, NULL, false, &row), 0);
	return row.id;
}

static inline struct catalog_volume row_of(struct store *s, uint64_t id)
{
	struct catalog_volume row;

	assert_int_equal(catalog_volume_by_id(s->cat, id, &row), 0);
	return row;
}

static inline struct volume_stat stat_of(struct store *s, uint64_t id)
{
	struct volume_stat st;

	assert_int_equal(library_stat(s->lib, id, &st), 0);
	return st;
}

static inline struct volume *claim(struct store *s, uint64_t id, enum claim how)
{
	struct volume *v = NULL;
	int r = library_claim(s->lib, id, how, &v);

	if (r)
		fail_msg("claim: %s", err_text(r));
	return v;
}

static inline void release(struct store *s, uint64_t id, enum claim how)
{
	assert_int_equal(library_release(s->lib, id, how), 0);
}

/* Cut at 0, one record with this text, one mark; claim and release around it. */
static inline void write_text(struct store *s, uint64_t id, const char *text)
{
	struct volume *v = claim(s, id, CLAIM_WRITE);

	assert_int_equal(volume_truncate(v, 0, 0), 0);
	assert_int_equal(volume_append_record(v, 0, text, strlen(text)), 0);
	assert_int_equal(volume_append_filemark(v, 0), 0);
	release(s, id, CLAIM_WRITE);
}

/* Is that what is on it? */
static inline void assert_text(struct store *s, uint64_t id, const char *text)
{
	struct volume *v = claim(s, id, CLAIM_READ);
	struct volume_reader *r;
	struct tape_tally end;
	char got[256] = "";

	assert_int_equal(volume_end(v, 0, &end), 0);
	assert_int_equal(end.bytes, strlen(text));
	assert_int_equal(volume_reader_new(v, 0, &r), 0);
	if (end.bytes)
		assert_int_equal(volume_reader_read(r, 0, got, end.bytes), 0);
	volume_reader_free(r);
	assert_string_equal(got, text);
	release(s, id, CLAIM_READ);
}

#define ON_A_STORE(test) cmocka_unit_test_setup_teardown(test, store_new, store_free)

/* @r is that error, and its words have @words among them. */
#define assert_refused(call, error, words) assert_refused_at(call, error, words, __LINE__)
static inline void assert_refused_at(int r, int error, const char *words, int line)
{
	if (r != error || !strstr(err_text(r), words))
		fail_msg("line %d: %d \"%s\", not %d with \"%s\"", line, r, r ? err_text(r) : "", error, words);
}

struct event_wanted { unsigned number; const char *about; unsigned count; };
static inline int event_count(void *ctx, const struct catalog_event *e)
{
	struct event_wanted *w = ctx;

	w->count += e->number == w->number && (!w->about || !strcmp(w->about, e->about));
	return 0;
}
static inline unsigned events(struct store *s, unsigned number, const char *about)
{
	struct event_wanted w = { number, about, 0 };

	assert_int_equal(catalog_event_each(s->cat, 0, event_count, &w), 0);
	return w.count;
}

/* The text of the last event with that number; "" if there is none. */
struct event_text { unsigned number; char text[256]; };
static inline int event_last_text(void *ctx, const struct catalog_event *e)
{
	struct event_text *t = ctx;

	if (e->number == t->number)
		snprintf(t->text, sizeof(t->text), "%s", e->text);
	return 0;
}
static inline const char *last_event(struct store *s, unsigned number)
{
	static struct event_text t;

	t = (struct event_text){ .number = number };
	assert_int_equal(catalog_event_each(s->cat, 0, event_last_text, &t), 0);
	return t.text;
}

/* Waits for a thread of the library to tell it. */
static inline const char *await_event(struct store *s, unsigned number)
{
	for (int i = 0; i < 100 && !events(s, number, NULL); i++)
		usleep(50000);
	return last_event(s, number);
}

/* @mib MiB that no two @seed share, in records of 256 KiB, behind what is there. */
static inline void write_noise_at_end(struct store *s, uint64_t id, unsigned seed, unsigned mib)
{
	struct volume *v = claim(s, id, CLAIM_WRITE);
	static uint8_t noise[1 << 18];
	uint64_t chance = chance_mix(seed + 1);

	for (unsigned i = 0; i < 4 * mib; i++) {
		chance_bytes(&chance, noise, sizeof(noise));
		assert_int_equal(volume_append_record(v, 0, noise, sizeof(noise)), 0);
	}
	assert_int_equal(volume_append_filemark(v, 0), 0);
	release(s, id, CLAIM_WRITE);
}

static inline void set_protect(struct catalog_volume *row, void *ctx) { row->protect = ctx != NULL; }
static inline void set_worm(struct catalog_volume *row, void *ctx) { row->worm = ctx != NULL; }
#define ON ((void *)1)
#define OFF NULL

#endif
