/* SPDX-License-Identifier: BSD-2-Clause */
#include "catalog_fixture.h"

static uint64_t volumes_of(void **state, uint32_t pool)
{
	struct catalog_pool p;

	assert_int_equal(catalog_pool_by_id(cat_of(state), pool, &p), 0);
	return p.volumes;
}

static uint32_t make_pool(void **state, const char *name)
{
	struct catalog_pool p;

	assert_int_equal(catalog_pool_create(cat_of(state), name, &some_perm, &p), 0);
	return p.id;
}

static void a_volume_comes_back_as_it_was_added(void **state)
{
	struct catalog_volume v = {
		.pool = default_pool(state),
		.name = "A00001L8",
		.serial = "0123456789ABCDEF",
		.state = STATE_ERROR,
		.access = ACCESS_RESTRICTED,
		.protect = true,
		.worm = true,
		.image_eom = true,
		.image_eom_generation = 5,
		.capacity_bytes = 1ull << 40,
		.record_bytes = 65536,
		.key_id = 9,
		.created_ns = 123456789,
		.perm = some_perm,
	}, w;

	assert_int_equal(catalog_volume_new_id(cat_of(state), &v.id), 0);
	assert_int_equal(catalog_volume_add(cat_of(state), &v, NULL), 0);
	restart(state, true);
	assert_int_equal(catalog_volume_get(cat_of(state), "A00001L8", &w), 0);
	assert_same_volume(&v, &w);
	assert_int_equal(catalog_volume_by_id(cat_of(state), v.id, &w), 0);
	assert_same_volume(&v, &w);
	assert_int_equal(volumes_of(state, v.pool), 1);
	assert_int_equal(catalog_volume_get(cat_of(state), "A00001L9", &w), CATALOG_E_NONE);
	assert_int_equal(catalog_volume_by_id(cat_of(state), v.id + 1, &w), CATALOG_E_NONE);
}

static void a_new_volume_gets_a_serial_and_a_time(void **state)
{
	struct catalog_volume v, w;

	clock_set(4242);
	add_volume(state, default_pool(state), "A1");
	add_volume(state, default_pool(state), "A2");
	clock_set(0);
	assert_int_equal(catalog_volume_get(cat_of(state), "A1", &v), 0);
	assert_int_equal(catalog_volume_get(cat_of(state), "A2", &w), 0);
	assert_int_equal(v.created_ns, 4242);
	assert_int_equal(strlen(v.serial), 16);
	assert_int_equal(strspn(v.serial, "0123456789ABCDEF"), 16);
	assert_string_not_equal(v.serial, w.serial);
}

static void a_name_is_unique_in_the_store(void **state)
{
	struct catalog_volume v = { .pool = make_pool(state, "other"), .name = "A1" };

	add_volume(state, default_pool(state), "A1");
	assert_int_equal(catalog_volume_new_id(cat_of(state), &v.id), 0);
	assert_int_equal(catalog_volume_add(cat_of(state), &v, NULL), CATALOG_E_EXISTS);
	assert_string_equal(v.serial, "");
	assert_int_equal(volumes_of(state, v.pool), 0);
	strcpy(v.name, "a/b");
	assert_int_equal(catalog_volume_add(cat_of(state), &v, NULL), -EINVAL);
	strcpy(v.name, "A2");
	v.pool = 999;
	assert_int_equal(catalog_volume_add(cat_of(state), &v, NULL), CATALOG_E_NONE);
	assert_int_equal(raw_count(state, 'V'), 1);
}

static struct kv_batch *others_rows(void)
{
	struct kv_batch *b;

	assert_int_equal(kv_batch_new(&b), 0);
	assert_int_equal(kv_batch_put(b, KV_MAP, "head", 4, "x", 1), 0);
	return b;
}

static void rows_of_others_go_with_the_volume_or_not_at_all(void **state)
{
	CLEANUP(kv_batch_freep) struct kv_batch *with = others_rows();
	struct catalog_volume v = { .pool = default_pool(state), .name = "A1" };

	assert_int_equal(catalog_volume_new_id(cat_of(state), &v.id), 0);
	kv_mem_plan_fault(kv_of(state), 1, -ENOSPC);
	assert_int_equal(catalog_volume_add(cat_of(state), &v, with), -ENOSPC);
	assert_int_equal(kv_any(kv_of(state), KV_MAP, "head", 4), KV_E_NONE);
	assert_int_equal(raw_count(state, 'V') + raw_count(state, 'U') + raw_count(state, 'M'), 0);
	assert_int_equal(volumes_of(state, v.pool), 0);

	/* The batch is still what the caller put into it, so it can be tried again. */
	assert_int_equal(kv_batch_count(with), 1);
	assert_int_equal(catalog_volume_add(cat_of(state), &v, with), 0);
	restart(state, true);
	assert_int_equal(kv_any(kv_of(state), KV_MAP, "head", 4), 0);
	kv_batch_clear(with);
	assert_int_equal(kv_batch_delete(with, KV_MAP, "head", 4), 0);
	assert_int_equal(catalog_volume_remove(cat_of(state), v.id, with), 0);
	assert_int_equal(kv_any(kv_of(state), KV_MAP, "head", 4), KV_E_NONE);
}

static void a_volume_is_renamed_and_moved(void **state)
{
	uint32_t a = default_pool(state), b = make_pool(state, "b");
	uint64_t id = add_volume(state, a, "A1");
	struct catalog_volume v, w;

	add_volume(state, a, "A2");
	assert_int_equal(catalog_volume_by_id(cat_of(state), id, &v), 0);
	strcpy(v.name, "A2");
	assert_int_equal(catalog_volume_put(cat_of(state), &v, NULL), CATALOG_E_EXISTS);
	strcpy(v.name, "-x");
	assert_int_equal(catalog_volume_put(cat_of(state), &v, NULL), -EINVAL);
	strcpy(v.name, "B1");
	v.pool = b;
	v.state = STATE_EXPIRED;
	assert_int_equal(catalog_volume_put(cat_of(state), &v, NULL), 0);
	restart(state, true);
	assert_int_equal(catalog_volume_get(cat_of(state), "A1", &w), CATALOG_E_NONE);
	assert_int_equal(catalog_volume_get(cat_of(state), "B1", &w), 0);
	assert_same_volume(&v, &w);
	assert_int_equal(volumes_of(state, a), 1);
	assert_int_equal(volumes_of(state, b), 1);
	assert_int_equal(raw_count(state, 'M'), 2);
	assert_int_equal(raw_count(state, 'U'), 2);

	v.pool = 999;
	assert_int_equal(catalog_volume_put(cat_of(state), &v, NULL), CATALOG_E_NONE);
	v.id = 999;
	assert_int_equal(catalog_volume_put(cat_of(state), &v, NULL), CATALOG_E_NONE);
	add_volume(state, a, "A1");
}

/* rsync's temporary names begin with a dot; a tape's never. */
static void only_what_is_still_arriving_may_be_named_like_any_file(void **state)
{
	struct catalog_volume v = { .pool = default_pool(state), .name = ".A1.tap.Xy12", .state = STATE_INCOMING }, w;

	assert_int_equal(catalog_volume_new_id(cat_of(state), &v.id), 0);
	assert_int_equal(catalog_volume_add(cat_of(state), &v, NULL), 0);
	restart(state, true);
	assert_int_equal(catalog_volume_get(cat_of(state), ".A1.tap.Xy12", &w), 0);
	w.state = STATE_ASSIGNED;
	assert_int_equal(catalog_volume_put(cat_of(state), &w, NULL), -EINVAL);
	strcpy(w.name, "A1");
	assert_int_equal(catalog_volume_put(cat_of(state), &w, NULL), 0);
	strcpy(w.name, "..");
	w.state = STATE_INCOMING;
	assert_int_equal(catalog_volume_put(cat_of(state), &w, NULL), -EINVAL);
}

static void a_removed_volume_leaves_nothing_behind(void **state)
{
	uint64_t id = add_volume(state, default_pool(state), "A1");
	uint64_t other = add_volume(state, default_pool(state), "A2");
	struct catalog_file f = { .file = 1, .name = "etc.tar" };

	assert_int_equal(catalog_file_put(cat_of(state), id, &f), 0);
	assert_int_equal(catalog_file_put(cat_of(state), other, &f), 0);
	assert_int_equal(catalog_tail_put(cat_of(state), id, "tail", 4), 0);
	assert_int_equal(catalog_volume_remove(cat_of(state), id, NULL), 0);
	assert_int_equal(catalog_volume_remove(cat_of(state), id, NULL), CATALOG_E_NONE);
	restart(state, true);
	assert_int_equal(raw_count(state, 'V'), 1);
	assert_int_equal(raw_count(state, 'U'), 1);
	assert_int_equal(raw_count(state, 'M'), 1);
	assert_int_equal(raw_count(state, 'T'), 0);
	assert_int_equal(raw_count(state, 'F'), 1);
	assert_int_equal(raw_count(state, 'G'), 1);
	assert_int_equal(volumes_of(state, default_pool(state)), 1);
}

static int collect(void *ctx, const struct catalog_volume *v)
{
	strcat(ctx, v->name);
	strcat(ctx, " ");
	return !strcmp(v->name, "stop") ? 42 : 0;
}

static void volumes_are_listed_by_name_from_any_on(void **state)
{
	uint32_t pool = make_pool(state, "p"), other = make_pool(state, "q");
	char names[200] = "";

	add_volume(state, pool, "B");
	add_volume(state, pool, "A2");
	add_volume(state, pool, "A");
	add_volume(state, pool, "A10");
	add_volume(state, other, "AA");
	assert_int_equal(catalog_volume_each(cat_of(state), pool, "", collect, names), 0);
	assert_string_equal(names, "A A10 A2 B ");
	names[0] = '\0';
	assert_int_equal(catalog_volume_each(cat_of(state), pool, "A", collect, names), 0);
	assert_string_equal(names, "A10 A2 B ");
	names[0] = '\0';
	/* One that is gone is as good a place to go on from. */
	assert_int_equal(catalog_volume_each(cat_of(state), pool, "A11", collect, names), 0);
	assert_string_equal(names, "A2 B ");
	names[0] = '\0';
	assert_int_equal(catalog_volume_each(cat_of(state), pool, "Z", collect, names), 0);
	assert_string_equal(names, "");
	add_volume(state, pool, "stop");
	add_volume(state, pool, "t");
	assert_int_equal(catalog_volume_each(cat_of(state), pool, "B", collect, names), 42);
	assert_string_equal(names, "stop ");
	assert_int_equal(catalog_volume_each(cat_of(state), 999, "", collect, names), 0);
}

struct remover { void **state; unsigned seen; };

static int remove_it(void *ctx, const struct catalog_volume *v)
{
	struct remover *m = ctx;

	m->seen++;
	return catalog_volume_remove(cat_of(m->state), v->id, NULL);
}

static void a_walk_may_remove_what_it_finds(void **state)
{
	struct remover m = { state, 0 };

	for (int i = 0; i < 50; i++) {
		char name[16];

		snprintf(name, sizeof(name), "A%02d", i);
		add_volume(state, default_pool(state), name);
	}
	assert_int_equal(catalog_volume_each(cat_of(state), default_pool(state), "", remove_it, &m), 0);
	assert_int_equal(m.seen, 50);
	assert_int_equal(raw_count(state, 'V'), 0);
}

static int count(void *ctx, const struct catalog_volume *v)
{
	++*(unsigned *)ctx;
	return 0;
}

static void ten_thousand_volumes_are_listed_at_once(void **state)
{
	uint32_t pool = default_pool(state);
	unsigned n = 0;
	uint64_t begun;

	for (int i = 0; i < 10000; i++) {
		char name[16];

		snprintf(name, sizeof(name), "A%05dL8", i);
		add_volume(state, pool, name);
	}
	begun = clock_mono_ns();
	assert_int_equal(catalog_volume_each(cat_of(state), pool, "", count, &n), 0);
	assert_int_equal(n, 10000);
	assert_true(clock_mono_ns() - begun < 2000000000u); /* 0.02 s, were it not for sanitizers and busy machines */
	assert_int_equal(volumes_of(state, pool), 10000);
}

/* Threads that add, rename and remove; afterwards each kind of row says the same. */
struct worker { void **state; unsigned me; };

static void *churn(void *arg)
{
	struct worker *w = arg;
	struct catalog *c = cat_of(w->state);
	intptr_t bad = 0;

	for (unsigned i = 0; i < 300; i++) {
		struct catalog_volume v = { .pool = 1 + i % 2 };

		bad += catalog_volume_new_id(c, &v.id) != 0;
		snprintf(v.name, sizeof(v.name), "T%uV%u", w->me, i);
		bad += catalog_volume_add(c, &v, NULL) != 0;
		v.pool = 1 + (i + w->me) % 2;
		snprintf(v.name, sizeof(v.name), "T%uW%u", w->me, i);
		bad += catalog_volume_put(c, &v, NULL) != 0;
		if (i % 3)
			bad += catalog_volume_remove(c, v.id, NULL) != 0;
	}
	return (void *)bad;
}

struct seen { unsigned count; struct catalog_volume v[3]; };

static int see(void *ctx, const struct catalog_volume *v)
{
	struct seen *s = ctx;

	s->v[s->count++] = *v;
	return 0;
}

static void a_damaged_row_does_not_hide_the_volume_or_others(void **state)
{
	struct row_key row = key_volume(add_volume(state, default_pool(state), "A2")), name;
	struct seen s = { 0 };
	struct catalog_volume v;

	add_volume(state, default_pool(state), "A1");
	add_volume(state, default_pool(state), "A3");
	raw_put(state, &row, "damaged", 7);
	assert_int_equal(catalog_volume_each(cat_of(state), default_pool(state), "", see, &s), 0);
	assert_int_equal(s.count, 3);
	assert_string_equal(s.v[1].name, "A2");
	assert_int_equal(s.v[1].state, STATE_ERROR);
	assert_true(s.v[1].id == 1 && s.v[1].pool == default_pool(state) && s.v[1].protect);
	assert_int_equal(s.v[2].state, STATE_SCRATCH);
	assert_int_equal(catalog_volume_get(cat_of(state), "A2", &v), -EUCLEAN);
	name = key_member(default_pool(state), "A3");
	raw_put(state, &name, "bad", 3);
	s.count = 0;
	assert_int_equal(catalog_volume_each(cat_of(state), default_pool(state), "", see, &s), 0);
	assert_int_equal(s.count, 2);
}

static void threads_leave_rows_that_agree(void **state)
{
	struct worker w[3] = { { state, 0 }, { state, 1 }, { state, 2 } };
	pthread_t t[3];
	void *bad;

	assert_int_equal(make_pool(state, "two"), 2);
	for (int i = 0; i < 3; i++)
		pthread_create(&t[i], NULL, churn, &w[i]);
	for (int i = 0; i < 3; i++) {
		pthread_join(t[i], &bad);
		assert_null(bad);
	}
	assert_int_equal(raw_count(state, 'V'), 300);
	assert_int_equal(raw_count(state, 'U'), 300);
	assert_int_equal(raw_count(state, 'M'), 300);
	assert_int_equal(volumes_of(state, 1) + volumes_of(state, 2), 300);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		ON_CATALOG(a_volume_comes_back_as_it_was_added),
		ON_CATALOG(a_new_volume_gets_a_serial_and_a_time),
		ON_CATALOG(a_name_is_unique_in_the_store),
		ON_CATALOG(rows_of_others_go_with_the_volume_or_not_at_all),
		ON_CATALOG(a_volume_is_renamed_and_moved),
		ON_CATALOG(only_what_is_still_arriving_may_be_named_like_any_file),
		ON_CATALOG(a_removed_volume_leaves_nothing_behind),
		ON_CATALOG(volumes_are_listed_by_name_from_any_on),
		ON_CATALOG(a_walk_may_remove_what_it_finds),
		ON_CATALOG(ten_thousand_volumes_are_listed_at_once),
		ON_CATALOG(a_damaged_row_does_not_hide_the_volume_or_others),
		ON_CATALOG(threads_leave_rows_that_agree),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
