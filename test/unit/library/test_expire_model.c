/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Expiry against a model: volumes are written, locked, given dates, loaded, protected, moved, while days go by and what
 * has expired is let go.  Whatever happens: what a lock holds keeps its content and its pool, what is not due is left
 * alone, what is due and free is blank, and an old generation of a locked one is still there.
 * test_library_expire_model [SEED]: a few fixed ones otherwise; printed.
 */
#include "lib/chance.h"
#include "store.h"

#define DAY_NS (24ull * 3600 * 1000000000ull)
#define T0 (20000ull * DAY_NS)
#define VOLUMES 12u
#define POOLS 3u
#define STEPS 600u

static const char *given_seed;
static uint64_t chance;

static unsigned pick(unsigned n)
{
	return (unsigned)chance_below(&chance, n);
}

/* What ought to be.  @text is what was written last, "" for blank. */
struct model_volume {
	uint64_t id, locked_until, expires, begun, written, assigned;
	unsigned pool;
	char text[16];
	bool protect, loaded;
};
struct model_pool { const char *name; uint64_t locked_until, expire; int scratch; };
struct model {
	struct store *s;
	uint64_t now;
	struct model_volume v[VOLUMES];
	struct model_pool pool[POOLS];
	unsigned writes;
};

static uint64_t later(uint64_t a, uint64_t b)
{
	return a > b ? a : b;
}

static bool is_locked(const struct model *m, const struct model_volume *v)
{
	return later(v->locked_until, m->pool[v->pool].locked_until) > m->now;
}

static bool is_due(const struct model *m, const struct model_volume *v)
{
	uint64_t expire = m->pool[v->pool].expire;

	if (!v->text[0])
		return false;
	if (v->expires && v->expires >= v->begun)
		return v->expires <= m->now;
	return expire && later(later(v->written, v->begun), v->assigned) + expire <= m->now;
}

/* ---- what is done ---------------------------------------------------------------------------------------------- */

static void do_write(struct model *m, struct model_volume *v)
{
	bool had = v->text[0];

	if (v->protect || v->loaded || (had && is_locked(m, v)))
		return;
	snprintf(v->text, sizeof(v->text), "text %u", ++m->writes);
	write_text(m->s, v->id, v->text);
	v->written = m->now;
	if (had) {
		v->begun = m->now;
		v->expires = v->expires == CATALOG_NEVER ? v->expires : 0;
	} else {
		v->assigned = m->now;
	}
}

static void do_lock(struct model *m, struct model_volume *v)
{
	uint64_t until = m->now + (1 + pick(40)) * DAY_NS;

	if (!library_volume_lock(m->s->lib, v->id, until))
		v->locked_until = later(v->locked_until, until);
}

static void do_lock_pool(struct model *m, struct model_volume *v)
{
	struct model_pool *p = &m->pool[v->pool];
	uint64_t until = m->now + (1 + pick(10)) * DAY_NS;

	if (!library_pool_lock(m->s->lib, p->name, until))
		p->locked_until = later(p->locked_until, until);
}

static void set_expires(struct catalog_volume *row, void *ctx) { row->expires_ns = *(uint64_t *)ctx; }

static void do_date(struct model *m, struct model_volume *v)
{
	uint64_t at = pick(8) ? m->now + pick(30) * DAY_NS : pick(2) ? CATALOG_NEVER : 0;

	assert_int_equal(library_volume_change(m->s->lib, v->id, set_expires, &at), 0);
	v->expires = at;
}

static void do_protect(struct model *m, struct model_volume *v)
{
	assert_int_equal(library_volume_change(m->s->lib, v->id, set_protect, v->protect ? OFF : ON), 0);
	v->protect = !v->protect;
}

static void do_load(struct model *m, struct model_volume *v)
{
	if (v->loaded)
		v->loaded = library_unload(m->s->lib, 0) != 0;
	else
		v->loaded = library_load(m->s->lib, 0, v->id) == 0;
}

static void do_move(struct model *m, struct model_volume *v)
{
	unsigned to = pick(POOLS);
	char name[16];

	snprintf(name, sizeof(name), "V%u", (unsigned)(v - m->v));
	if (!library_volume_move(m->s->lib, v->id, m->pool[to].name, name))
		v->pool = to;
	else
		assert_true(is_locked(m, v));
}

static void do_restart(struct model *m, struct model_volume *v)
{
	clock_retention_set(0);
	if (pick(2))
		store_cut(m->s);
	else
		store_restart(m->s);
	clock_retention_set(0);
}

static void do_day(struct model *m, struct model_volume *v)
{
	m->now += (1 + pick(9)) * DAY_NS;
	clock_set(m->now);
}

/* ---- expiry, and what it may have done ------------------------------------------------------------------------- */

static void assert_untouched(struct model *m, struct model_volume *v)
{
	struct catalog_pool p;

	assert_text(m->s, v->id, v->text);
	assert_int_equal(catalog_pool_by_id(m->s->cat, row_of(m->s, v->id).pool, &p), 0);
	assert_string_equal(p.name, m->pool[v->pool].name);
}

static void assert_let_go(struct model *m, struct model_volume *v)
{
	struct catalog_volume row = row_of(m->s, v->id);
	struct catalog_pool p;

	assert_int_equal(row.state, STATE_SCRATCH);
	assert_int_equal(stat_of(m->s, v->id).end.objects, 0);
	if (m->pool[v->pool].scratch >= 0)
		v->pool = (unsigned)m->pool[v->pool].scratch;
	assert_int_equal(catalog_pool_by_id(m->s->cat, row.pool, &p), 0);
	assert_string_equal(p.name, m->pool[v->pool].name);
	v->text[0] = 0;
	v->expires = v->assigned = 0;
	v->begun = v->written = m->now;
}

static void expire(struct model *m)
{
	const struct library_expire_config cfg = { .dry_run = !pick(3) };
	struct library_expire_report done;
	uint64_t due = 0, goes = 0;

	for (unsigned i = 0; i < VOLUMES; i++) {
		const struct model_volume *v = &m->v[i];

		due += is_due(m, v);
		goes += is_due(m, v) && !is_locked(m, v) && !v->protect && !v->loaded;
	}
	assert_int_equal(library_expire(m->s->lib, &cfg, &done), 0);
	assert_int_equal(done.scratched, goes);
	assert_int_equal(done.kept, due - goes);
	assert_int_equal(done.failed, 0);
	for (unsigned i = 0; i < VOLUMES; i++) {
		struct model_volume *v = &m->v[i];

		if (is_due(m, v) && !is_locked(m, v) && !v->protect && !v->loaded && !cfg.dry_run)
			assert_let_go(m, v);
		else
			assert_untouched(m, v);
	}
}

static const struct { void (*act)(struct model *m, struct model_volume *v); unsigned weight; } acts[] = {
	{ do_write, 12 }, { do_lock, 4 }, { do_lock_pool, 1 }, { do_date, 5 }, { do_protect, 2 },
	{ do_load, 3 },	  { do_move, 2 }, { do_restart, 1 },   { do_day, 6 },
};

static int prop(struct catalog_pool *p, void *ctx)
{
	const struct model_pool *mp = ctx;

	p->expire_s = mp->expire / 1000000000ull;
	return 0;
}

static int name_scratch(struct catalog_pool *p, void *ctx)
{
	return catalog_pool_prop_set(p, "scratch", ctx);
}

static void set_scratch(struct model *m, unsigned from, unsigned to)
{
	assert_int_equal(library_pool_change(m->s->lib, m->pool[from].name, name_scratch, (void *)m->pool[to].name), 0);
	m->pool[from].scratch = (int)to;
}

static void begin(struct model *m)
{
	static const struct model_pool pools[POOLS] = {
		{ "default", 0, 0, -1 }, { "month", 0, 30 * DAY_NS, -1 }, { "week", 0, 7 * DAY_NS, -1 },
	};
	struct catalog_volume row;

	memcpy(m->pool, pools, sizeof(pools));
	for (unsigned i = 0; i < POOLS; i++) {
		if (i)
			assert_int_equal(library_pool_create(m->s->lib, pools[i].name, NULL, NULL), 0);
		assert_int_equal(library_pool_change(m->s->lib, pools[i].name, prop, (void *)&pools[i]), 0);
	}
	set_scratch(m, 2, 0);
	for (unsigned i = 0; i < VOLUMES; i++) {
		char name[16];

		snprintf(name, sizeof(name), "V%u", i);
		assert_int_equal(library_volume_create(m->s->lib, pools[i % POOLS].name, name, NULL, false, &row), 0);
		m->v[i] = (struct model_volume){ .id = row.id, .pool = i % POOLS, .begun = m->now, .written = m->now };
	}
}

static void step(struct model *m)
{
	unsigned all = 0, n;

	for (size_t i = 0; i < ARRAY_LEN(acts); i++)
		all += acts[i].weight;
	n = pick(all);
	for (size_t i = 0; i < ARRAY_LEN(acts); i++) {
		if (n < acts[i].weight) {
			acts[i].act(m, &m->v[pick(VOLUMES)]);
			return;
		}
		n -= acts[i].weight;
	}
}

static void no_lock_is_ever_violated(void **state)
{
	static const char *const seeds[] = { "1", "2", "3", "4", "5", "6" };

	for (size_t round = 0; round < (given_seed ? 1 : ARRAY_LEN(seeds)); round++) {
		struct model m = { .now = T0 };

		chance = chance_seed(given_seed ? given_seed : seeds[round]);
		clock_set(m.now);
		clock_retention_set(0);
		assert_int_equal(store_new((void **)&m.s), 0);
		clock_retention_set(0);
		begin(&m);
		for (unsigned i = 0; i < STEPS; i++) {
			step(&m);
			if (!pick(4))
				expire(&m);
		}
		store_free((void **)&m.s);
		clock_set(0);
	}
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(no_lock_is_ever_violated),
	};

	given_seed = argc > 1 ? argv[1] : NULL;
	log_set_level(LOG_LEVEL_ERROR);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
