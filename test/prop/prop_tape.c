/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Random operations on a drive, side by side with tape_model.h.  prop_tape [SEED [OPERATIONS]]
 *
 * After every operation: the same outcome and the same position.  After a power cut: what the last durable point had,
 * or a prefix of what was written that goes at least that far.  Old generations stay readable, whole, until they are
 * dropped, and any of them can be restored; tape_check() finds nothing at any time; at the end everything is destroyed
 * and the store must be empty: no row of KV_MAP, no pack.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>

#include "prop/tape_model.h"

#define VOLUME 7u
#define OTHER 8u		/* arrives as a whole image and replaces VOLUME */
#define OBJECTS_MAX 6000u

static struct volume *vol;
static struct drive *drive;

static struct model m;
static struct content disk;		/* at the last durable point */
static uint64_t disk_generation;
static bool cut_since;			/* something went away since then */
static struct { uint64_t generation; struct content content; } *old;
static size_t olds;

static uint64_t generation(void)
{
	return generation_of(vol);
}

/* ---- up and down ------------------------------------------------------------------------------------------------ */

static void volume_up(void)
{
	vol = open_volume(VOLUME);
	CHECK(drive_load(drive, vol) == 0);
	m.p = 0;
	m.at = 0;
}

static int volume_down(void)
{
	int r = drive_unload(drive), closed;

	vol = volume_close(vol, &closed);
	return r ? r : closed;
}

static void durable(void)
{
	content_copy(&disk, &m.now);
	disk_generation = generation();
	cut_since = false;
}

/* ---- is that what is on it? ------------------------------------------------------------------------------------- */

static void compare(struct volume *v, const struct content *c)
{
	CHECK(volume_partitions(v) == c->parts);
	for (uint32_t p = 0; p < c->parts; p++)
		check_objects(v, p, c->part[p].o, c->part[p].n);
}

static bool same_start(const struct strip *a, const struct strip *b, uint64_t n)
{
	return a->n >= n && b->n >= n && (!n || !memcmp(a->o, b->o, n * sizeof(*a->o)));
}

static void compare_old(uint64_t g, const struct content *c)
{
	struct volume *v = view_open(VOLUME, g);

	compare(v, c);
	view_close(v, g);
}

/* The rows as they are, whatever is in memory only. */
static void check_store(void)
{
	struct tape_checked done;

	check_rows(&done);
	CHECK(done.volumes == 1 && done.generations >= 1);
}

static void compare_all(void)
{
	check_store();
	compare(vol, &m.now);
	for (size_t i = 0; i < olds; i++)
		compare_old(old[i].generation, &old[i].content);
}

/* ---- what a cut may and may not do ------------------------------------------------------------------------------ */

static void remember_old(uint64_t g, const struct content *c)
{
	old = realloc(old, (olds + 1) * sizeof(*old));
	memset(&old[olds], 0, sizeof(*old));
	old[olds].generation = g;
	content_copy(&old[olds++].content, c);
}

/* The volume was @before in generation @g; now something may have been cut off.  A record that was durable is never
 * lost: either its generation is kept, whole, or it is still there. */
static void after_cut(uint64_t g, const struct content *before)
{
	cut_since = true;
	if (generation() != g) {
		CHECK(generation() == g + 1);
		remember_old(g, before);
		content_copy(&disk, before);
		disk_generation = g;
		return;
	}
	if (disk_generation != g)
		return;
	CHECK(m.now.parts == disk.parts);
	for (uint32_t p = 0; p < disk.parts; p++)
		for (uint64_t i = 0; i < disk.part[p].n; i++)
			CHECK(!disk.part[p].o[i].len || same_start(&disk.part[p], &m.now.part[p], i + 1));
}

static uint64_t end_now(void)
{
	return objects_of(vol, m.p);
}

/* Runs @op, which cuts the model as it must cut the tape. */
static int cutting(int (*op)(void))
{
	struct content before = { 0 };
	uint64_t g = generation();
	bool cuts = m.at < strip_of(&m)->n;
	int r;

	content_copy(&before, &m.now);
	r = op();
	if (r && generation() == g && end_now() > strip_of(&m)->n) {
		content_copy(&m.now, &before);	/* refused before anything was cut */
		cuts = false;
	}
	if (cuts || generation() != g)
		after_cut(g, &before);
	content_free(&before);
	return r;
}

/* Something failed: the end may have moved back, but never before what is durable. */
static void after_failure(void)
{
	struct tape_pos pos;

	for (uint32_t p = 0; p < m.now.parts; p++) {
		uint64_t end = objects_of(vol, p);

		CHECK(end <= m.now.part[p].n);
		if (generation() == disk_generation && !cut_since)
			CHECK(end >= disk.part[p].n);
		m.now.part[p].n = end;
	}
	CHECK(drive_position(drive, &pos) == 0);
	CHECK(pos.object == m.at || pos.object == strip_of(&m)->n);
	m.at = pos.object;
	store_no_faults();
}

/* ---- operations ------------------------------------------------------------------------------------------------- */

static struct obj new_record(void)
{
	uint64_t kind = below(1000);
	struct obj o = { .seed = below(4) ? rnd() : below(20) };

	if (kind < 2)
		o.len = (uint32_t)(1 + below(OBJ_MAX));
	else if (kind < 30)
		o.len = (uint32_t)(1 + below(100000));
	else if (kind < 200)
		o.len = 4096;
	else
		o.len = (uint32_t)(1 + below(kind < 600 ? 3 : 300));
	return o;
}

static struct obj record;
static unsigned marks;
static bool immed;

static int write_record(void)
{
	int r = drive_write_record(drive, obj_bytes(record), record.len);

	if (r == 0)
		model_append(&m, record);
	else
		strip_of(&m)->n = m.at < strip_of(&m)->n ? m.at : strip_of(&m)->n;
	return r;
}

static void op_write(void)
{
	uint64_t n = below(20) ? 1 + below(8) : 1 + below(400);

	if (strip_of(&m)->n > OBJECTS_MAX)
		n = 1;
	while (n-- > 0) {
		record = new_record();
		prop_step++;
		if (cutting(write_record)) {
			after_failure();
			return;
		}
	}
}

/* After a failure: how many of the marks are there?  What lies behind @at may as well be what was there before. */
static unsigned marks_written(uint64_t at)
{
	uint64_t end = end_now();
	struct tape_object o;

	if (end <= at || end > at + marks)
		return 0;
	for (uint64_t i = at; i < end; i++) {
		CHECK(volume_object(vol, m.p, i, &o) == 0);
		if (!o.mark)
			return 0;
	}
	return (unsigned)(end - at);
}

static int write_marks(void)
{
	uint64_t at = m.at;
	int r = drive_write_filemarks(drive, marks, immed);

	if (r) {	/* some of them may be there */
		marks = marks_written(at);
		strip_of(&m)->n = at < strip_of(&m)->n ? at : strip_of(&m)->n;
	}
	for (unsigned i = 0; i < marks; i++)
		model_append(&m, (struct obj){ 0 });
	return r;
}

static void op_marks(void)
{
	bool was_at_end = m.at == strip_of(&m)->n;

	marks = (unsigned)below(3);
	immed = below(3) == 0;
	if (!marks && !was_at_end)
		marks = 1;
	if (cutting(write_marks))
		after_failure();
	else if (!immed)
		durable();
}

static void op_flush(void)
{
	if (drive_flush(drive))
		after_failure();
	else
		durable();
}

static int erase(void)
{
	int r = drive_erase(drive);

	strip_of(&m)->n = m.at;
	return r;
}

static void op_erase(void)
{
	if (cutting(erase))
		after_failure();
	else
		durable();
}

static int format(void)
{
	unsigned parts = 1 + (unsigned)below(TAPE_PARTITIONS_MAX);
	int r = drive_format(drive, parts);

	for (unsigned p = 0; p < TAPE_PARTITIONS_MAX; p++)
		m.now.part[p].n = 0;
	m.now.parts = parts;
	return r;
}

static void op_format(void)
{
	if (below(20))
		return;
	CHECK(drive_locate(drive, 0, 0) == 0);
	m.p = 0;
	m.at = 0;
	if (cutting(format))
		after_failure();
	else
		durable();
}

static int retract(void)
{
	int r = drive_retract_filemark(drive);

	if (!r)
		strip_of(&m)->n = --m.at;
	return r;
}

/* Always: write a mark, take it back. */
static void op_retract(void)
{
	uint64_t g = generation();
	struct content before = { 0 };

	if (m.at != strip_of(&m)->n)
		return;
	marks = 1;
	immed = below(2);
	if (write_marks()) {
		after_failure();
		return;
	}
	if (!immed)
		durable();
	content_copy(&before, &m.now);
	if (retract())
		CHECK(!"a filemark that this drive wrote is taken back");
	CHECK(generation() == g);
	after_cut(g, &before);
	content_free(&before);
}

static void op_read(void)
{
	static uint8_t got[OBJ_MAX];
	size_t len, cap = below(8) ? OBJ_MAX : 1 + below(300);

	for (uint64_t n = 1 + below(10); n > 0; n--, prop_step++) {
		int r = drive_read_record(drive, got, cap, &len);
		const struct obj *o;

		if (r < 0) {	/* what it waited for could not be stored */
			after_failure();
			return;
		}
		if (m.at == strip_of(&m)->n) {
			CHECK(r == TAPE_E_EOD);
			return;
		}
		o = &strip_of(&m)->o[m.at++];
		if (!o->len) {
			CHECK(r == TAPE_E_FILEMARK);
			continue;
		}
		CHECK(r == (o->len > cap ? TAPE_E_LENGTH : 0));
		CHECK(len == o->len);
		CHECK(!memcmp(obj_bytes(*o), got, len < cap ? len : cap));
	}
}

static void op_space_records(void)
{
	int64_t n = (int64_t)below(200) - 100, wish, done;
	int r = model_space_records(&m, n, &wish);

	CHECK(drive_space_records(drive, n, &done) == r && done == wish);
}

static void op_space_filemarks(void)
{
	int64_t n = (int64_t)below(20) - 10, wish, done;
	int r = model_space_filemarks(&m, n, &wish);

	CHECK(drive_space_filemarks(drive, n, &done) == r && done == wish);
}

static void op_locate(void)
{
	uint64_t object;

	m.p = (uint32_t)below(m.now.parts);
	object = below(strip_of(&m)->n + 3);
	m.at = object < strip_of(&m)->n ? object : strip_of(&m)->n;
	CHECK(drive_locate(drive, m.p, object) == (object > strip_of(&m)->n ? TAPE_E_EOD : 0));
}

static void op_locate_file(void)
{
	uint32_t p = (uint32_t)below(m.now.parts);
	uint64_t file = below(30);
	int r = model_locate_file(&m, p, file);

	CHECK(drive_locate_file(drive, p, file) == r);
}

static void op_eod(void)
{
	m.at = strip_of(&m)->n;
	CHECK(drive_space_eod(drive) == 0);
	CHECK(drive_at_eod(drive));
}

static void op_rewind(void)
{
	m.at = 0;
	if (drive_rewind(drive))
		after_failure();
	else
		durable();
}

static void op_tally(void)
{
	uint64_t object = below(strip_of(&m)->n + 1);
	struct tape_tally want = model_tally(strip_of(&m), object), t;

	CHECK(volume_tally(vol, m.p, object, &t) == 0);
	CHECK(!memcmp(&t, &want, sizeof(t)));
	CHECK(volume_tally(vol, m.p, strip_of(&m)->n + 1, &t) == -ERANGE);
}

static bool bytes_up_to(const struct tape_tally *t, void *ctx)
{
	return t->bytes <= *(uint64_t *)ctx;
}

static void op_find(void)
{
	struct tape_tally end = model_tally(strip_of(&m), strip_of(&m)->n), t;
	uint64_t bytes = below(end.bytes + 2), object = strip_of(&m)->n;

	while (model_tally(strip_of(&m), object).bytes > bytes)
		object -= object > 64 && model_tally(strip_of(&m), object - 64).bytes > bytes ? 64 : 1;
	CHECK(volume_find(vol, m.p, bytes_up_to, &bytes, &t) == 0);
	CHECK(t.objects == object);
}

static void op_reopen(void)
{
	int r = volume_down();

	if (r == 0 && below(2)) {
		store_down();
		store_up();
	}
	volume_up();
	if (r)		/* a planned fault hit the last commit: as after a crash */
		store_no_faults();
}

static void take_from_tape(const struct content *from)
{
	struct content c = { 0 };

	content_copy(&c, from);
	c.parts = volume_partitions(vol);
	for (uint32_t p = 0; p < c.parts; p++) {
		uint64_t end = objects_of(vol, p);

		CHECK(end <= c.part[p].n);
		c.part[p].n = end;
	}
	compare(vol, &c);
	content_copy(&m.now, &c);
	content_free(&c);
}

/* The same objects, by their lengths: what was durable differs from what came later in its filemarks only. */
static bool looks_like(uint32_t p, const struct strip *s)
{
	uint64_t end = objects_of(vol, p);
	struct tape_object o;

	CHECK(cut_since || end >= s->n);
	for (uint64_t i = 0; i < end && end == s->n; i++) {
		CHECK(volume_object(vol, p, i, &o) == 0);
		if (o.len != s->o[i].len)
			return false;
	}
	return end == s->n;
}

/* What is there after a crash or a failed close. */
static void after_crash(void)
{
	bool as_on_disk = generation() == disk_generation && volume_partitions(vol) == disk.parts;

	for (uint32_t p = 0; as_on_disk && p < disk.parts; p++)
		as_on_disk = looks_like(p, &disk.part[p]);
	check_store();
	take_from_tape(as_on_disk ? &disk : &m.now);
	while (olds && old[olds - 1].generation >= generation())
		content_free(&old[--olds].content);
	durable();
}

static void let_go(void)
{
	volume_down();
}

static void op_power_cut(void)
{
	if (below(4))
		return;
	store_cut(let_go);
	volume_up();
	after_crash();
}

static void op_reopen_checked(void)
{
	bool clean;

	op_flush();
	clean = !cut_since && disk_generation == generation();
	op_reopen();
	if (clean)
		compare(vol, &m.now);
	after_crash();
}

static void op_fault(void)
{
	if (below(3))
		return;
	if (below(2))
		packs_mem_plan_fault(packs, 1 + below(20), below(2) ? -ENOSPC : -EIO);
	else
		kv_mem_plan_fault(kv, 1 + below(3), -EIO);
}

struct ended { uint64_t generation, ns; };

static int when_ended(void *ctx, const struct volume_stat *st)
{
	struct ended *e = ctx;

	if (st->generation == e->generation)
		e->ns = st->ended_ns;
	return 0;
}

/* The oldest ones, by the time at which the last of them ended. */
static void drop_generations(size_t count)
{
	struct ended e = { .generation = old[count - 1].generation };
	struct kv_batch *b = batch_new();
	uint64_t dropped;

	CHECK(volume_history(kv, VOLUME, when_ended, &e) == 0 && e.ns);
	CHECK(volume_drop_generations(kv, b, VOLUME, e.ns, &dropped) == 0);
	batch_write(b);
	CHECK(dropped == count);
	for (size_t i = 0; i < count; i++)
		content_free(&old[i].content);
	olds -= count;
	memmove(old, old + count, olds * sizeof(*old));
}

static void op_gc(void)
{
	const struct tape_gc_config cfg = { .live_percent = below(2) ? 0 : (unsigned)below(101) };
	struct tape_gc_report done;

	if (below(6))
		return;
	store_no_faults();
	op_flush();
	if (olds && below(2))
		drop_generations(1 + below(olds));
	check_store();
	CHECK(tape_gc(shelf, &cfg, &done) == 0);
	compare_all();
}

/* Another volume is written whole and takes this one's place. */
static void op_replace(void)
{
	struct content before = { 0 };
	struct kv_batch *b;
	struct volume *v;

	if (below(10))
		return;
	store_no_faults();
	CHECK(volume_down() == 0);
	content_copy(&before, &m.now);
	new_volume(OTHER);
	v = open_volume(OTHER);
	m = (struct model){ .now = m.now };
	m.now.parts = 1;
	for (uint32_t p = 0; p < TAPE_PARTITIONS_MAX; p++)
		m.now.part[p].n = 0;
	for (uint64_t n = below(50); n > 0; n--) {
		record = new_record();
		CHECK(volume_append_record(v, 0, obj_bytes(record), record.len) == 0);
		model_append(&m, record);
	}
	volume_close(v, NULL);
	b = batch_new();
	CHECK(volume_replace(kv, b, VOLUME, OTHER) == 0);
	batch_write(b);
	volume_up();
	remember_old(generation() - 1, &before);
	durable();
	content_free(&before);
	compare_all();
}

/* An old generation comes back; what was there before becomes one. */
static void op_restore(void)
{
	struct content before = { 0 };
	struct kv_batch *b;
	size_t pick;

	if (!olds || below(3))
		return;
	store_no_faults();
	CHECK(volume_down() == 0);
	pick = below(olds);
	content_copy(&before, &m.now);
	b = batch_new();
	CHECK(volume_restore(kv, b, VOLUME, old[pick].generation) == 0);
	if (below(2)) {		/* the power fails before the batch is written: as if it was never asked for */
		kv_batch_free(b);
		volume_up();
		compare(vol, &before);
	} else {
		batch_write(b);
		volume_up();
		content_copy(&m.now, &old[pick].content);
		remember_old(generation() - 1, &before);
	}
	durable();
	content_free(&before);
	if (below(4) == 0)
		compare_all();
}

static void op_check(void)
{
	if (below(4) == 0)
		check_store();
}

static void op_history(void)
{
	store_no_faults();
	op_flush();
	if (below(10) == 0)
		compare_all();
}

static const struct prop_op ops[] = {
	{ 30, "write", op_write }, { 10, "marks", op_marks }, { 20, "read", op_read },
	{ 10, "space records", op_space_records }, { 10, "space filemarks", op_space_filemarks },
	{ 8, "locate", op_locate }, { 5, "locate file", op_locate_file }, { 18, "eod", op_eod },
	{ 3, "rewind", op_rewind }, { 1, "erase", op_erase }, { 1, "format", op_format }, { 4, "retract", op_retract },
	{ 5, "flush", op_flush }, { 4, "tally", op_tally }, { 2, "find", op_find }, { 2, "reopen", op_reopen_checked },
	{ 4, "power cut", op_power_cut }, { 1, "fault", op_fault }, { 1, "no fault", store_no_faults }, { 2, "gc", op_gc },
	{ 1, "replace", op_replace }, { 1, "history", op_history }, { 2, "restore", op_restore },
	{ 1, "check", op_check },
};

static void one_step(void)
{
	struct tape_pos want, pos;

	prop_run_one(ops, ARRAY_LEN(ops));
	want = model_pos(&m);
	CHECK(drive_position(drive, &pos) == 0);
	CHECK(pos.partition == want.partition && pos.object == want.object);
	CHECK(pos.file == want.file && pos.block == want.block);
}

/* Everything goes; nothing may be left. */
static void the_store_is_empty_in_the_end(void)
{
	static const char kinds[] = "HOCUD";
	const struct tape_gc_config cfg = { 0 };
	struct tape_gc_report done;
	uint64_t bytes, number;
	struct kv_batch *b = batch_new();

	prop_doing = "end";
	store_no_faults();
	CHECK(volume_down() == 0);
	CHECK(volume_destroy(kv, b, VOLUME) == 0);
	batch_write(b);
	store_down();
	store_up();
	CHECK(tape_gc(shelf, &cfg, &done) == 0);
	for (const char *k = kinds; *k; k++)
		CHECK(kv_any(kv, KV_MAP, k, 1) == KV_E_NONE);
	CHECK(chunk_store_next_pack(cs, 0, &number, &bytes) == CHUNK_E_END);
}

int main(int argc, char **argv)
{
	uint64_t steps = prop_begin(argc, argv, 110000), begun = clock_mono_ns();

	store_new();
	new_volume(VOLUME);
	CHECK(drive_new(&drive) == 0);
	m.now.parts = 1;
	volume_up();
	durable();
	for (prop_step = 0; prop_step < steps; prop_step++)
		one_step();
	the_store_is_empty_in_the_end();
	printf("%" PRIu64 " operations in %.1f s\n", prop_step, (double)(clock_mono_ns() - begun) / 1e9);

	drive_free(drive);
	store_free();
	content_free(&m.now);
	content_free(&disk);
	while (olds)
		content_free(&old[--olds].content);
	free(old);
	return 0;
}
