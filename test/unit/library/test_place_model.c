/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Random moves, loads, unloads, creates, deletes, imports, restarts and cuts against a model of a robot's library: each
 * call says what the model says, and after each every place has what the model has in it, and every tape is where the
 * model has it.  test_library_place_model [FIRST SEED [SEEDS [STEPS]]]; a seed that fails is printed.
 */
#include "lib/chance.h"
#include "places.h"

#define VOLUMES 12
#define CELLS 10	/* of each kind at most */
#define DRIVES 2

static unsigned first_seed = 1, seeds = 40, steps = 250, seed;
static uint64_t chance;

static unsigned pick(unsigned n)
{
	return (unsigned)chance_below(&chance, n);
}

/* ---- the model: a tape knows its place; a place asks all tapes ------------------------------------------------- */

struct tape {
	uint64_t id;			/* 0: there is none of that number */
	bool placed;			/* it has been put somewhere once */
	bool imported, incoming;
	struct library_place at;
	struct library_place source;	/* while it is in a drive */
};

static struct tape tapes[VOLUMES];
static unsigned slots, ports;
static struct tape *last[DRIVES];
static uint64_t last_id[DRIVES];

static bool same(struct library_place a, struct library_place b)
{
	return a.kind == b.kind && (a.kind == LIBRARY_OUTSIDE || a.number == b.number);
}

static struct tape *in(struct library_place at)
{
	for (struct tape *t = tapes; t < tapes + VOLUMES; t++)
		if (t->id && at.kind != LIBRARY_OUTSIDE && same(t->at, at))
			return t;
	return NULL;
}

static bool exists(struct library_place at)
{
	return (at.kind == LIBRARY_SLOT && at.number < slots) || (at.kind == LIBRARY_PORT && at.number < ports) ||
	       (at.kind == LIBRARY_DRIVE && at.number < DRIVES);
}

static struct library_place first_free(void)
{
	for (unsigned n = 0; n < slots; n++)
		if (!in(SLOT(n)))
			return SLOT(n);
	return OUTSIDE;
}

static void put(struct tape *t, struct library_place at)
{
	t->at = at;
	t->placed = true;
	t->imported = false;
}

static void get_first_slot(struct tape *t)
{
	struct library_place to = first_free();

	if (to.kind != LIBRARY_OUTSIDE)
		put(t, to);
}

/* Tapes are named in the order of their numbers here. */
static void fill(void)
{
	for (struct tape *t = tapes; t < tapes + VOLUMES; t++)
		if (t->id && !t->incoming && !t->placed && t->at.kind == LIBRARY_OUTSIDE)
			get_first_slot(t);
}

static void enter(struct tape *t, unsigned n)
{
	if (t->at.kind != LIBRARY_DRIVE)
		t->source = t->at;
	t->at = DRIVE(n);
}

static void leave(struct tape *t)
{
	struct library_place to = t->source;

	last[t->at.number] = t;
	last_id[t->at.number] = t->id;
	t->at = OUTSIDE;
	if (exists(to) && !in(to)) {
		t->at = to;
		return;		/* imported, if it was */
	}
	to = first_free();
	if (to.kind != LIBRARY_OUTSIDE || t->placed)
		put(t, to);
}

struct leg { struct library_place from, to; struct tape *t; };

static int model_legs(struct leg *l, unsigned n)
{
	for (unsigned i = 0; i < n; i++) {
		const struct leg *other = n == 2 ? &l[1 - i] : NULL;

		if (!exists(l[i].from) || !exists(l[i].to))
			return -EINVAL;
		l[i].t = in(l[i].from);
		if (!l[i].t)
			return -ENOENT;
		if ((other && same(other->to, l[i].to)) || (in(l[i].to) && !(other && same(other->from, l[i].to))))
			return -EEXIST;
	}
	for (unsigned i = 0; i < n; i++) {
		if (l[i].from.kind == LIBRARY_DRIVE) {
			last[l[i].from.number] = l[i].t;
			last_id[l[i].from.number] = l[i].t->id;
		}
		if (l[i].to.kind == LIBRARY_DRIVE)
			enter(l[i].t, l[i].to.number);
		else
			put(l[i].t, l[i].to);
	}
	return 0;
}

/* ---- compared -------------------------------------------------------------------------------------------------- */

static void compare_place(struct store *s, struct library_place at)
{
	struct tape *t = in(at);
	struct library_element e = element(s, at);
	bool has_source = t && at.kind == LIBRARY_DRIVE && exists(t->source);

	if (e.volume != (t ? t->id : 0) || e.has_source != has_source || (has_source && !same(e.source, t->source)) ||
	    e.imported != (t && at.kind == LIBRARY_PORT && t->imported))
		fail_msg("seed %u: place %d/%u has %lu, the model %lu; source %d %d/%u, the model %d; imported %d", seed,
			 at.kind, at.number, (unsigned long)e.volume, (unsigned long)(t ? t->id : 0), e.has_source,
			 e.source.kind, e.source.number, has_source, e.imported);
}

static void compare(struct store *s)
{
	struct library_drive d;
	struct library_place at;

	for (unsigned n = 0; n < slots; n++)
		compare_place(s, SLOT(n));
	for (unsigned n = 0; n < ports; n++)
		compare_place(s, PORT(n));
	for (unsigned n = 0; n < DRIVES; n++) {
		compare_place(s, DRIVE(n));
		assert_int_equal(library_drive_info(s->lib, n, &d), 0);
		assert_int_equal(d.volume, element(s, DRIVE(n)).volume);
	}
	for (struct tape *t = tapes; t < tapes + VOLUMES; t++) {
		if (!t->id)
			continue;
		at = where(s, t->id);
		if (!same(at, t->at))
			fail_msg("seed %u: tape %d is in %d/%u, in the model in %d/%u", seed, (int)(t - tapes), at.kind,
				 at.number, t->at.kind, t->at.number);
	}
}

/* ---- what is done ---------------------------------------------------------------------------------------------- */

static struct library_place any_place(void)
{
	switch (pick(8)) {
	case 0:
		return PORT(pick(ports + 1));
	case 1:
	case 2:
		return DRIVE(pick(8) ? pick(DRIVES) : DRIVES);
	default:
		return SLOT(pick(slots + 1));
	}
}

static int do_move(struct store *s)
{
	struct leg l = { .from = any_place(), .to = any_place() };
	int want = model_legs(&l, 1);

	assert_int_equal(library_move(s->lib, l.from, l.to), want);
	return want;
}

static int do_exchange(struct store *s)
{
	struct library_place a = any_place(), b = any_place(), c = pick(2) ? a : any_place();
	struct leg l[2] = { { .from = a, .to = b }, { .from = b, .to = c } };
	int want = same(a, b) ? -EINVAL : model_legs(l, 2);

	assert_int_equal(library_exchange(s->lib, a, b, c), want);
	return want;
}

static int do_load(struct store *s)
{
	struct tape *t = &tapes[pick(VOLUMES)];
	unsigned n = pick(DRIVES);
	int want = 0;

	if (!t->id)
		return 0;
	if (t->incoming || in(DRIVE(n)) || t->at.kind == LIBRARY_DRIVE)
		want = -EBUSY;
	else
		enter(t, n);
	assert_int_equal(library_load(s->lib, n, t->id), want);
	return want;
}

static int do_unload(struct store *s)
{
	unsigned n = pick(DRIVES);

	if (in(DRIVE(n)))
		leave(in(DRIVE(n)));
	assert_int_equal(library_unload(s->lib, n), 0);
	return 0;
}

/* By its program, which then may load it again. */
static int do_eject(struct store *s)
{
	unsigned n = pick(DRIVES);
	struct drive *d;
	int want = 0;

	assert_int_equal(library_drive_open(s->lib, n, pick(2), &d), 0);
	if (pick(2)) {
		if (in(DRIVE(n)))
			leave(in(DRIVE(n)));
		assert_int_equal(library_drive_eject(s->lib, n), 0);
	} else if (!in(DRIVE(n))) {
		if (!last[n])
			want = -EIO;
		else if (last[n]->id != last_id[n])
			want = -ENOENT;
		else if (last[n]->at.kind == LIBRARY_DRIVE)
			want = -EBUSY;
		else
			enter(last[n], n);
		assert_int_equal(library_drive_reload(s->lib, n), want);
	}
	assert_int_equal(library_drive_close(s->lib, n), 0);
	return want;
}

static int do_create(struct store *s)
{
	struct tape *t = &tapes[pick(VOLUMES)];
	bool incoming = pick(6) == 0;
	struct catalog_volume row;
	char name[16];

	if (t->id)
		return 0;
	snprintf(name, sizeof(name), incoming ? ".T%02u~" : "T%02u", (unsigned)(t - tapes));
	assert_int_equal(library_volume_create(s->lib, CATALOG_POOL_DEFAULT, name, NULL, incoming, &row), 0);
	*t = (struct tape){ .id = row.id, .incoming = incoming };
	if (!incoming)
		get_first_slot(t);
	return 0;
}

/* An image becomes a tape, or another tape's content. */
static int do_arrive(struct store *s)
{
	struct tape *t = &tapes[pick(VOLUMES)], *over = &tapes[pick(VOLUMES)];
	char name[16];

	if (!t->id || !t->incoming)
		return 0;
	if (over->id && over != t && !over->incoming && over->at.kind != LIBRARY_DRIVE) {
		assert_int_equal(library_volume_replace(s->lib, over->id, t->id), 0);
		t->id = 0;
		return 0;
	}
	snprintf(name, sizeof(name), "T%02u", (unsigned)(t - tapes));
	assert_int_equal(library_volume_move(s->lib, t->id, CATALOG_POOL_DEFAULT, name), 0);
	t->incoming = false;
	get_first_slot(t);
	return 0;
}

static int do_delete(struct store *s)
{
	struct tape *t = &tapes[pick(VOLUMES)];
	int want = t->at.kind == LIBRARY_DRIVE ? -EBUSY : 0;

	if (!t->id)
		return 0;
	assert_int_equal(library_volume_delete(s->lib, t->id), want);
	if (!want)
		t->id = 0;
	return want;
}

static int do_import(struct store *s)
{
	struct tape *t = &tapes[pick(VOLUMES)];
	unsigned n = pick(ports + 1);
	int want = 0;

	if (!t->id)
		return 0;
	if (n >= ports)
		want = -EINVAL;
	else if (t->incoming)
		want = -EBUSY;
	else if (in(PORT(n)))
		want = -EEXIST;
	else if (t->at.kind != LIBRARY_OUTSIDE)
		want = -ENOENT;
	assert_int_equal(library_import(s->lib, t->id, n), want);
	if (!want) {
		put(t, PORT(n));
		t->imported = true;
	}
	return want;
}

static int do_export(struct store *s)
{
	unsigned n = pick(ports + 1);
	int want = n >= ports ? -EINVAL : in(PORT(n)) ? 0 : -ENOENT;

	assert_int_equal(library_export(s->lib, n), want);
	if (!want)
		put(in(PORT(n)), OUTSIDE);
	return want;
}

static int do_resize(struct store *s)
{
	unsigned more = pick(CELLS + 1), ports_more = pick(4);
	int want = 0;

	for (struct tape *t = tapes; t < tapes + VOLUMES; t++)
		if (t->id && ((t->at.kind == LIBRARY_SLOT && t->at.number >= more) ||
			      (t->at.kind == LIBRARY_PORT && t->at.number >= ports_more)))
			want = -EBUSY;
	assert_int_equal(library_places_set(s->lib, more, ports_more), want);
	if (want)
		return want;
	slots = more;
	ports = ports_more;
	fill();
	return 0;
}

/* A start: those without a place get what is free; what was last in a drive is forgotten. */
static int do_start(struct store *s)
{
	if (pick(2))
		store_restart(s);
	else
		store_cut(s);
	last[0] = last[1] = NULL;
	fill();
	return 0;
}

static int do_check(struct store *s)
{
	struct catalog_check_config cfg = { .repair = true };
	struct catalog_checked done;

	assert_int_equal(catalog_check(s->cat, &cfg, &done), 0);
	assert_int_equal(done.faults, 0);
	return 0;
}

static const struct {
	unsigned weight;
	int (*act)(struct store *s);
} acts[] = {
	{ 12, do_move },  { 6, do_exchange }, { 6, do_load },	{ 4, do_unload }, { 4, do_eject }, { 8, do_create },
	{ 3, do_arrive }, { 3, do_delete },   { 4, do_import }, { 4, do_export }, { 2, do_resize }, { 2, do_start },
	{ 1, do_check },
};

static unsigned done_well[ARRAY_LEN(acts)], refused[ARRAY_LEN(acts)];

static void step(struct store *s)
{
	unsigned all = 0, at, i;

	for (i = 0; i < ARRAY_LEN(acts); i++)
		all += acts[i].weight;
	at = pick(all);
	for (i = 0; at >= acts[i].weight; i++)
		at -= acts[i].weight;
	if (acts[i].act(s))
		refused[i]++;
	else
		done_well[i]++;
	compare(s);
}

static void the_library_is_where_the_model_is(void **state)
{
	for (seed = first_seed; seed < first_seed + seeds; seed++) {
		store_new(state);
		memset(tapes, 0, sizeof(tapes));
		last[0] = last[1] = NULL;
		slots = ports = 0;
		chance = seed;
		for (unsigned n = 0; n < steps; n++)
			step(*state);
		store_free(state);
	}
	for (size_t i = 0; i < ARRAY_LEN(acts); i++)
		assert_true(done_well[i]);
	assert_true(refused[0] && refused[1] && refused[2] && refused[4] && refused[7] && refused[10]);
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(the_library_is_where_the_model_is) };

	if (argc > 1)
		first_seed = (unsigned)atoi(argv[1]);
	if (argc > 2)
		seeds = (unsigned)atoi(argv[2]);
	if (argc > 3)
		steps = (unsigned)atoi(argv[3]);
	log_set_level(LOG_LEVEL_ERROR);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
