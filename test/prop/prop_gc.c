/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Writers, readers, deletions, crashes and collections together, against a model that knows every byte of every
 * generation of every volume.  prop_gc [SEED [STEPS]]
 *
 * Volumes have one or two partitions; they are written, formatted, erased, restored, replaced and destroyed, in the
 * second half also between any two steps of a collection.  After every step a volume reads back, all of it; after a
 * collection or a crash every generation of every volume.  Collections run with faults and cuts at any of their steps,
 * and nothing is ever called damaged.  After one without, while nobody writes, the packs hold what is in use, once, and
 * garbage only where a pack has little of it, give or take 5 %.  In the end all is destroyed, and no pack and no row is
 * left.
 */
#include <errno.h>
#include <inttypes.h>
#include <limits.h>
#include <stdio.h>

#include "prop/prop.h"
#include "tape/volume_format.h"

#define VOLUMES 6u
#define GENERATIONS_MAX 6u
#define PARTS 2u
#define OBJECTS_MAX 100u	/* of a partition */
#define RECORD_MAX 60000u

struct content { struct obj o[PARTS][OBJECTS_MAX]; uint64_t n[PARTS], generation; unsigned parts; };
/* gen[0] is current, then the newer ones first. */
struct model { struct content gen[GENERATIONS_MAX]; unsigned gens; };
struct tape {
	struct model now, durable;	/* durable: as of the last commit */
	struct volume *vol;		/* NULL: closed */
	struct volume_reader *reader;
	unsigned reader_part;
	uint64_t reader_at;		/* object */
};

static struct tape tapes[VOLUMES];
static bool beside;		/* tapes are written during collections: in the second half */

/* ---- up and down ------------------------------------------------------------------------------------------------- */

static uint64_t id_of(const struct tape *t)
{
	return (uint64_t)(t - tapes) + 1;
}

/* It may have been moved to a pool where things are stored in another way. */
static void open_tape(struct tape *t)
{
	static const enum chunk_codec codecs[] = { CHUNK_PLAIN, CHUNK_LZ4, CHUNK_ZSTD };
	struct volume_attr attr;

	if (t->vol)
		return;
	t->vol = open_volume(id_of(t));
	attr = *volume_attr(t->vol);
	attr.store.codec = codecs[below(ARRAY_LEN(codecs))];
	volume_set_attr(t->vol, &attr);
}

static void close_tape(struct tape *t)
{
	int r = 0;

	if (!t->vol)
		return;
	t->reader = volume_reader_free(t->reader);
	t->vol = volume_close(t->vol, &r);
	CHECK(r == 0);
	t->durable = t->now;
}

static void create_tape(struct tape *t)
{
	new_volume(id_of(t));
	t->now = (struct model){ .gens = 1, .gen[0] = { .generation = 1, .parts = 1 } };
	t->durable = t->now;
}

/* ---- is that what is on it? -------------------------------------------------------------------------------------- */

static void compare(struct volume *v, const struct content *c)
{
	CHECK(volume_partitions(v) == c->parts);
	for (unsigned p = 0; p < c->parts; p++)
		check_objects(v, p, c->o[p], c->n[p]);
}

static void compare_old(struct tape *t, const struct content *c)
{
	struct volume *v = view_open(id_of(t), c->generation);

	compare(v, c);
	view_close(v, c->generation);
}

static void compare_current(struct tape *t)
{
	struct volume *v = t->vol ? t->vol : open_volume(id_of(t));

	CHECK(generation_of(v) == t->now.gen[0].generation);
	compare(v, &t->now.gen[0]);
	if (!t->vol)
		volume_close(v, NULL);
}

/* Old generations of which the rows tell already. */
static void compare_all(void)
{
	for (struct tape *t = tapes; t < tapes + VOLUMES; t++) {
		compare_current(t);
		for (unsigned g = 1; g < t->now.gens; g++)
			if (!t->vol || t->now.gen[g].generation < t->durable.gen[0].generation)
				compare_old(t, &t->now.gen[g]);
	}
}

/* ---- what is in use: heads, pages and packs read as they are, nothing remembered --------------------------------- */

struct used_chunk { struct pack_ref ref; struct digest digest; uint32_t stored; };
static struct used_chunk *chunks;
static size_t chunk_count, chunk_room;

static void use_chunk(struct pack *p, uint64_t number, uint32_t slot, uint32_t *raw)
{
	struct pack_entry e;

	CHECK(pack_entry(p, slot, &e) == 0);
	*raw = e.raw_len;
	if (chunk_count == chunk_room) {
		chunk_room = chunk_room ? 2 * chunk_room : 1024;
		chunks = realloc(chunks, chunk_room * sizeof(*chunks));
	}
	chunks[chunk_count++] = (struct used_chunk){ { number, slot }, e.digest, e.stored_len + PACK_ENTRY_GAP };
}

static void use_run(const struct chunk_run *run, uint64_t bytes)
{
	struct pack *p;

	CHECK(pack_open(packs, run->pack, &p) == 0);
	for (uint32_t i = 0, raw; bytes; i++) {
		CHECK(i < run->slots);
		use_chunk(p, run->pack, run->slot + i, &raw);
		bytes -= bytes < raw ? bytes : raw;
	}
	pack_release(p);
}

static void use_stretch(uint64_t map, uint64_t from, uint64_t to)
{
	struct map_key pages = key_pages(PAGE_CHUNKS, map);
	struct kv_iter *it;

	CHECK(kv_iter_new(kv, KV_MAP, &it) == 0);
	for (kv_iter_seek(it, pages.b, pages.len); kv_iter_in(it, pages.b, pages.len); kv_iter_next(it)) {
		size_t klen, vlen;
		const uint8_t *k = kv_iter_key(it, &klen), *v = kv_iter_value(it, &vlen);
		struct page *p;

		CHECK(page_unpack(v, vlen, PAGE_CHUNKS, map, get_be64(k + 9), &p) == 0);
		for (uint32_t i = 0; i < p->runs; i++) {
			const struct chunk_run *run = &p->chunk[i];

			if (run->at < to && run->at + run->bytes > from)
				use_run(run, run->at + run->bytes < to ? run->bytes : to - run->at);
		}
		page_free(p);
	}
	kv_iter_free(it);
}

static void use_partition(const struct head_partition *p)
{
	for (uint32_t s = 0; s < p->stretches; s++)
		use_stretch(p->stretch[s].map, p->stretch[s].from.bytes,
			    s + 1 < p->stretches ? p->stretch[s + 1].from.bytes : p->end.bytes);
}

static int by_place(const void *a, const void *b)
{
	const struct pack_ref *x = &((const struct used_chunk *)a)->ref, *y = &((const struct used_chunk *)b)->ref;

	if (x->pack != y->pack)
		return (x->pack > y->pack) - (x->pack < y->pack);
	return (x->slot > y->slot) - (x->slot < y->slot);
}

static int by_digest(const void *a, const void *b)
{
	return memcmp(&((const struct used_chunk *)a)->digest, &((const struct used_chunk *)b)->digest,
		      sizeof(struct digest));
}

static void each_once(int (*order)(const void *a, const void *b))
{
	size_t kept = 0;

	if (chunk_count)
		qsort(chunks, chunk_count, sizeof(*chunks), order);
	for (size_t i = 0; i < chunk_count; i++)
		if (!i || order(&chunks[i], &chunks[kept - 1]))
			chunks[kept++] = chunks[i];
	chunk_count = kept;
}

static void find_used(void)
{
	struct kv_iter *it;

	chunk_count = 0;
	CHECK(kv_iter_new(kv, KV_MAP, &it) == 0);
	for (kv_iter_seek(it, "H", 1); kv_iter_in(it, "H", 1); kv_iter_next(it)) {
		size_t klen, vlen;
		const uint8_t *k = kv_iter_key(it, &klen), *v = kv_iter_value(it, &vlen);
		struct head h;

		CHECK(head_unpack(v, vlen, get_be64(k + 9), &h) == 0);
		for (uint32_t part = 0; part < h.partitions; part++)
			use_partition(&h.part[part]);
		head_fini(&h);
	}
	kv_iter_free(it);
	each_once(by_place);
}

/* What packs may keep: all that is in use, and the garbage in those that have @percent or more in use.  What a
 * collection that was stopped copied may be in use at both places, until one ends that copies; and what is written
 * during one is never shared with what it empties, so it may be there twice for good. */
static uint64_t allowed(unsigned percent)
{
	uint64_t pack = 0, bytes, sum = 0;

	find_used();
	for (; chunk_store_next_pack(cs, pack, &pack, &bytes) == 0; pack++) {
		uint64_t live = 0, all = 0, n;

		for (size_t i = 0; i < chunk_count; i++)
			live += chunks[i].ref.pack == pack ? chunks[i].stored : 0;
		CHECK(chunk_pack_live(cs, pack, NULL, 0, &n, &all) == 0);
		if (live * 100 >= all * percent)
			sum += all - live;
	}
	if (percent && !beside)
		each_once(by_digest);
	for (size_t i = 0; i < chunk_count; i++)
		sum += chunks[i].stored;
	return sum;
}

static uint64_t bytes_of_packs(void)
{
	uint64_t pack = 0, bytes, sum = 0;

	for (; chunk_store_next_pack(cs, pack, &pack, &bytes) == 0; pack++)
		sum += bytes;
	return sum;
}

/* ---- steps: tapes ------------------------------------------------------------------------------------------------ */

static struct tape *any_tape(void)
{
	return &tapes[below(VOLUMES)];
}

static struct content *current(struct tape *t)
{
	return &t->now.gen[0];
}

static unsigned any_part(struct tape *t)
{
	return (unsigned)below(current(t)->parts);
}

static void append(struct tape *t, unsigned p, struct obj o)
{
	struct content *c = current(t);

	if (c->n[p] == OBJECTS_MAX)
		return;
	CHECK((o.len ? volume_append_record(t->vol, p, obj_bytes(o), o.len) : volume_append_filemark(t->vol, p)) == 0);
	c->o[p][c->n[p]++] = o;
}

/* Of files that come again, on this tape or another, and of some that do not. */
static void write_files(struct tape *t, unsigned p)
{
	for (uint64_t n = 1 + below(3); n > 0; n--) {
		uint64_t file = below(3) ? below(30) : 1000 + below(1u << 30);
		uint64_t records = 1 + (file * 7 + below(3)) % 12;

		for (uint64_t i = 0; i < records; i++)
			append(t, p, (struct obj){ (uint32_t)(1 + (file * 977 + i * 7919) % RECORD_MAX), file * 100 + i });
		if (below(2))
			append(t, p, (struct obj){ 0 });
	}
}

static void op_write(void)
{
	struct tape *t = any_tape();

	open_tape(t);
	write_files(t, any_part(t));
}

static void push_generation(struct model *m)
{
	unsigned kept = m->gens < GENERATIONS_MAX ? m->gens : GENERATIONS_MAX - 1;

	memmove(&m->gen[1], &m->gen[0], kept * sizeof(m->gen[0]));
	m->gens++;
	CHECK(m->gens <= GENERATIONS_MAX);
}

/* Does it end there?  By all that a tally tells: of marks that a volume took back, others are in the place. */
static bool ends_at(const struct content *c, unsigned p, const struct tape_tally *end)
{
	struct tape_tally t = { .objects = end->objects };

	for (uint64_t i = 0; i < end->objects && i < c->n[p]; i++) {
		t.marks += !c->o[p][i].len;
		t.bytes += c->o[p][i].len;
	}
	return end->objects <= c->n[p] && t.marks == end->marks && t.bytes == end->bytes;
}

/* Rows have as much of the content that the tape has now, or that of before. */
static void take_what_is_durable(struct tape *t, const struct head *h)
{
	struct content *c = current(t);
	bool now = true;

	for (unsigned p = 0; p < h->partitions; p++)
		now = now && p < PARTS && ends_at(c, p, &h->part[p].end);
	if (!now)
		return;
	t->durable = t->now;
	t->durable.gen[0].parts = h->partitions;
	for (unsigned p = 0; p < PARTS; p++)
		t->durable.gen[0].n[p] = h->part[p].end.objects;
}

static void look_what_is_durable_of(struct tape *t)
{
	struct map_key key = key_head(id_of(t), current(t)->generation);
	struct buf row = BUF_INIT;
	struct head h = { 0 };
	int r = kv_get(kv, KV_MAP, key.b, key.len, &row);

	CHECK(r >= 0);
	if (r == 0) {
		CHECK(head_unpack(row.data, row.len, current(t)->generation, &h) == 0);
		take_what_is_durable(t, &h);
	}
	head_fini(&h);
	buf_fini(&row);
}

/* Did that take a new generation?  The old one was committed before, and has all that was on it. */
static void may_have_begun(struct tape *t)
{
	if (generation_of(t->vol) != current(t)->generation) {
		t->durable = t->now;
		push_generation(&t->now);
		current(t)->generation++;
	}
	CHECK(generation_of(t->vol) == current(t)->generation);
}

static void op_overwrite(void)
{
	struct tape *t = any_tape();
	unsigned p = any_part(t);
	uint64_t at;

	open_tape(t);
	if (t->now.gens == GENERATIONS_MAX || !current(t)->n[p])
		return;
	at = below(3) ? below(current(t)->n[p]) : 0;
	CHECK(volume_truncate(t->vol, p, at) == 0);
	may_have_begun(t);
	current(t)->n[p] = at;
	write_files(t, p);
}

static void make_blank(struct content *c, unsigned parts)
{
	c->n[0] = c->n[1] = 0;
	c->parts = parts;
}

static void op_format(void)
{
	struct tape *t = any_tape();
	unsigned parts = 1 + (unsigned)below(PARTS);

	open_tape(t);
	if (t->now.gens == GENERATIONS_MAX)
		return;
	t->reader = volume_reader_free(t->reader);
	CHECK(volume_format(t->vol, parts) == 0);
	may_have_begun(t);
	make_blank(current(t), parts);
	/* What was blank before may have been committed so. */
	look_what_is_durable_of(t);
	if (below(2))
		write_files(t, parts - 1);
}

static void op_commit(void)
{
	struct tape *t = any_tape();

	if (!t->vol)
		return;
	CHECK(volume_commit(t->vol) == 0);
	t->durable = t->now;
}

/* Another thread commits what is stored by then, which may not be all. */
static void op_commit_beside(void)
{
	struct tape *t = any_tape();

	if (!t->vol)
		return;
	CHECK(volume_commit_beside(t->vol) == 0);
	look_what_is_durable_of(t);
	for (unsigned p = 0; p < current(t)->parts; p++)
		CHECK(volume_committed(t->vol, p) <= current(t)->n[p]);
}

static void op_close(void)
{
	close_tape(any_tape());
}

static void drop_old(struct tape *t)
{
	struct kv_batch *b = batch_new();
	uint64_t dropped;

	CHECK(volume_drop_generations(kv, b, id_of(t), UINT64_MAX, &dropped) == 0);
	batch_write(b);
	CHECK(dropped == t->now.gens - 1);
	t->now.gens = 1;
	t->durable = t->now;
}

static void op_drop(void)
{
	struct tape *t = any_tape();

	if (t->vol)
		CHECK(volume_commit(t->vol) == 0);
	drop_old(t);
}

static void op_destroy(void)
{
	struct tape *t = any_tape();
	struct kv_batch *b = batch_new();

	close_tape(t);
	CHECK(volume_destroy(kv, b, id_of(t)) == 0);
	batch_write(b);
	create_tape(t);
}

static void op_restore(void)
{
	struct tape *t = any_tape();
	struct content old;
	struct kv_batch *b;
	uint64_t newest;

	close_tape(t);
	if (t->now.gens < 2 || t->now.gens == GENERATIONS_MAX)
		return;
	old = t->now.gen[1 + below(t->now.gens - 1)];
	newest = current(t)->generation;
	b = batch_new();
	CHECK(volume_restore(kv, b, id_of(t), old.generation) == 0);
	batch_write(b);
	push_generation(&t->now);
	*current(t) = old;
	current(t)->generation = newest + 1;
	t->durable = t->now;
}

/* Erased without being opened. */
static void op_clear(void)
{
	struct tape *t = any_tape();
	struct kv_batch *b;

	close_tape(t);
	if (t->now.gens == GENERATIONS_MAX)
		return;
	b = batch_new();
	CHECK(volume_clear(kv, b, id_of(t)) == 0);
	batch_write(b);
	push_generation(&t->now);
	current(t)->generation++;
	make_blank(current(t), 1);
	t->durable = t->now;
}

/* A whole volume arrives and takes the place of another. */
static void op_replace(void)
{
	struct tape *t = any_tape(), *from = any_tape();
	struct kv_batch *b;

	if (t == from || t->now.gens == GENERATIONS_MAX)
		return;
	close_tape(t);
	close_tape(from);
	b = batch_new();
	CHECK(volume_replace(kv, b, id_of(t), id_of(from)) == 0);
	batch_write(b);
	push_generation(&t->now);
	*current(t) = *current(from);
	current(t)->generation = t->now.gen[1].generation + 1;
	t->durable = t->now;
	create_tape(from);
}

/* Goes on where it was, whatever happened since; sometimes elsewhere. */
static void op_read(void)
{
	struct tape *t = any_tape();
	struct tape_tally at;
	uint64_t n;

	open_tape(t);
	if (!t->reader) {
		t->reader_part = any_part(t);
		CHECK(volume_reader_new(t->vol, t->reader_part, &t->reader) == 0);
	}
	n = current(t)->n[t->reader_part];
	if (!below(5) || t->reader_at > n)
		t->reader_at = below(n + 1);
	for (unsigned i = 0; i < 8 && t->reader_at < n; i++, t->reader_at++) {
		CHECK(volume_tally(t->vol, t->reader_part, t->reader_at, &at) == 0);
		check_record(t->reader, at.bytes, current(t)->o[t->reader_part][t->reader_at]);
	}
}

static const struct prop_op tape_ops[] = {
	{ 30, "write", op_write }, { 14, "overwrite", op_overwrite }, { 8, "commit", op_commit },
	{ 4, "commit beside", op_commit_beside }, { 8, "close", op_close }, { 8, "drop generations", op_drop },
	{ 5, "destroy", op_destroy }, { 6, "restore", op_restore }, { 4, "replace", op_replace },
	{ 20, "read on", op_read }, { 6, "format", op_format }, { 4, "clear", op_clear },
};

static void op_tape(void)
{
	prop_run_one(tape_ops, ARRAY_LEN(tape_ops));
}

/* ---- steps: the power -------------------------------------------------------------------------------------------- */

static bool is_now(struct volume *v, const struct model *m)
{
	const struct content *c = &m->gen[0];
	bool so = generation_of(v) == c->generation && volume_partitions(v) == c->parts;
	struct tape_tally end;

	for (unsigned p = 0; so && p < c->parts; p++) {
		CHECK(volume_end(v, p, &end) == 0);
		so = end.objects == c->n[p] && ends_at(c, p, &end);
	}
	return so;
}

static void let_go(void)
{
	for (struct tape *t = tapes; t < tapes + VOLUMES; t++) {
		t->reader = volume_reader_free(t->reader);
		t->vol = volume_close(t->vol, NULL);
	}
}

/* What was committed, or what was written since, if a collection committed it. */
static void op_power_cut(void)
{
	store_cut(let_go);
	for (struct tape *t = tapes; t < tapes + VOLUMES; t++) {
		struct volume *v = open_volume(id_of(t));

		if (!is_now(v, &t->now)) {
			CHECK(is_now(v, &t->durable));
			t->now = t->durable;
		}
		t->durable = t->now;
		volume_close(v, NULL);
	}
	compare_all();
}

static void op_restart(void)
{
	for (struct tape *t = tapes; t < tapes + VOLUMES; t++)
		close_tape(t);
	store_down();
	store_up();
}

/* A collection may have committed of open tapes what was written by then. */
static void look_what_is_durable(void)
{
	for (struct tape *t = tapes; t < tapes + VOLUMES; t++)
		look_what_is_durable_of(t);
}

/* ---- steps: collections ------------------------------------------------------------------------------------------ */

static int stop_at_once(void *ctx, const struct tape_gc_report *so_far)
{
	uint64_t *left = ctx;

	CHECK(so_far->freed_packs <= so_far->candidates);
	return *left && --*left == 0;
}

static unsigned any_percent(void)
{
	static const unsigned percents[] = { 0, 20, 50, 80, 95, 100 };

	return percents[below(ARRAY_LEN(percents))];
}

static void op_collect(void)
{
	uint64_t left = below(3) ? 0 : 1 + below(200);
	const struct tape_gc_config cfg = {
		.live_percent = any_percent(), .merge_packs = below(2) ? UINT_MAX : 4, .dry_run = !below(6),
		.progress = stop_at_once, .ctx = &left,
	};
	struct tape_gc_report done;
	struct tape_checked rows;

	CHECK(tape_gc(shelf, &cfg, &done) == 0);
	look_what_is_durable();
	check_rows(&rows);
	compare_all();
}

/* Between any two steps somebody does anything else with the tapes. */
static int meanwhile(void *ctx, const struct tape_gc_report *so_far)
{
	unsigned *left = ctx;

	if (!*left || below(4))
		return 0;
	--*left;
	look_what_is_durable();
	op_tape();
	return 0;
}

static void op_collect_beside(void)
{
	unsigned left = 20;
	const struct tape_gc_config cfg = {
		.live_percent = any_percent(), .merge_packs = 4, .progress = meanwhile, .ctx = &left,
	};
	struct tape_gc_report done;
	struct tape_checked rows;

	if (!beside)
		return;
	CHECK(tape_gc(shelf, &cfg, &done) == 0);
	look_what_is_durable();
	check_rows(&rows);
	compare_all();
}

/* Something fails at any moment; then the power may go. */
static void op_collect_badly(void)
{
	const struct tape_gc_config cfg = { .live_percent = any_percent(), .merge_packs = below(2) ? UINT_MAX : 4 };
	struct tape_gc_report done;
	struct tape_checked rows;
	unsigned kind = (unsigned)below(3);

	if (kind == 0)
		kv_mem_plan_fault(kv, 1 + below(30), -EIO);
	else if (kind == 1)
		packs_mem_plan_fault(packs, 1 + below(200), -EIO);
	else
		packs_mem_plan_sync_fault(packs, 1 + below(4), -EIO);
	(void)tape_gc(shelf, &cfg, &done);
	store_no_faults();
	look_what_is_durable();
	/* A writer whose pack failed says so from then on. */
	if (kind || below(2))
		op_power_cut();
	else
		compare_all();
	check_rows(&rows);
}

static size_t any_ended(struct tape_gc_ended ended[VOLUMES])
{
	size_t n = 0;

	for (struct tape *t = tapes; t < tapes + VOLUMES; t++)
		if (!below(4))
			ended[n++] = (struct tape_gc_ended){ id_of(t), UINT64_MAX };
	return n;
}

/* Nobody writes; what a dry run tells is done, with generations that go before, and the space is what it should be. */
static void op_collect_all(void)
{
	struct tape_gc_ended ended[VOLUMES];
	struct tape_gc_config cfg = { .live_percent = any_percent(), .merge_packs = UINT_MAX, .dry_run = true };
	struct tape_gc_report dry, done;
	uint64_t before, may, is;

	op_restart();
	before = bytes_of_packs();
	cfg.ended = ended;
	cfg.ended_count = any_ended(ended);
	CHECK(tape_gc(shelf, &cfg, &dry) == 0);
	CHECK(bytes_of_packs() == before);
	for (size_t i = 0; i < cfg.ended_count; i++)
		drop_old(&tapes[ended[i].volume - 1]);
	may = allowed(cfg.live_percent);
	cfg.dry_run = false;
	cfg.ended_count = 0;
	CHECK(tape_gc(shelf, &cfg, &done) == 0);
	CHECK(done.candidates == dry.candidates && done.garbage_bytes == dry.garbage_bytes);
	CHECK(done.copy_bytes == dry.copy_bytes && done.freed_packs == done.candidates);
	store_down();
	store_up();
	is = bytes_of_packs();
	/* Tables of contents and packs that are all head and tail. */
	if (is > may + may / 20 + 100000)
		printf("%" PRIu64 " bytes left, %" PRIu64 " allowed, %u %%\n", is, may, cfg.live_percent);
	CHECK(is <= may + may / 20 + 100000);
	compare_all();
	cfg.dry_run = true;
	CHECK(tape_gc(shelf, &cfg, &dry) == 0);
	CHECK(dry.candidates == 0);
}

/* ---- all of it --------------------------------------------------------------------------------------------------- */

static const struct prop_op ops[] = {
	{ 115, "tape", op_tape }, { 4, "power cut", op_power_cut }, { 4, "restart", op_restart },
	{ 12, "collect", op_collect }, { 8, "collect beside", op_collect_beside },
	{ 8, "collect badly", op_collect_badly }, { 6, "collect all", op_collect_all },
};

static void nothing_is_left(void)
{
	const struct tape_gc_config cfg = { 0 };
	struct tape_gc_report done;
	struct kv_batch *b = batch_new();

	prop_doing = "the end";
	for (struct tape *t = tapes; t < tapes + VOLUMES; t++) {
		close_tape(t);
		CHECK(volume_destroy(kv, b, id_of(t)) == 0);
	}
	batch_write(b);
	CHECK(tape_gc(shelf, &cfg, &done) == 0);
	store_down();
	store_up();
	CHECK(tape_gc(shelf, &cfg, &done) == 0);
	CHECK(bytes_of_packs() == 0);
	CHECK(kv_any(kv, KV_MAP, NULL, 0) == KV_E_NONE);
}

int main(int argc, char **argv)
{
	uint64_t steps = prop_begin(argc, argv, 2000);

	store_new();
	for (struct tape *t = tapes; t < tapes + VOLUMES; t++)
		create_tape(t);
	for (prop_step = 1; prop_step <= steps; prop_step++) {
		beside = prop_step > steps / 2;
		prop_run_one(ops, ARRAY_LEN(ops));
		compare_current(any_tape());
	}
	op_collect_all();
	nothing_is_left();
	store_free();
	free(chunks);
	return 0;
}
