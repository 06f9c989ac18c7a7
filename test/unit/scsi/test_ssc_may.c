/* SPDX-License-Identifier: BSD-2-Clause */
/* ssc_may: every command that changes a tape, on tapes of every kind; and what was there comes back afterwards. */
#include "unit/scsi/rig.h"

#define N24(n) (uint8_t)((n) >> 16), (uint8_t)((n) >> 8), (uint8_t)(n)
#define REWIND 0x01, 0, 0, 0, 0, 0
#define LOCATE(object) 0x2b, 0, 0, 0, 0, 0, object, 0, 0, 0
#define TO_END 0x11, 3, 0, 0, 0, 0
#define WRITE 0x0a, 0, N24(100), 0
#define SPACE_MARKS(n) 0x11, 1, N24(n), 0
#define UNTIL (clock_retention_ns() + 3600000000000ull)

/* Where each act begins: "hello" is on it, a mark, one more record, a mark; "older" was before. */
struct bench { struct rig *g; uint64_t volume, generation; };

static void put(struct rig *g, const char *text)
{
	memset(g->data, 0, 100);
	memcpy(g->data, text, strlen(text));
	GOOD(g, 100, WRITE);
}

static int start(void **state)
{
	struct rig *g = rig_loaded(state, "ibm-lto7");

	put(g, "older");
	GOOD(g, 0, 0x10, 0, N24(1), 0);
	GOOD(g, 0, REWIND);
	put(g, "hello");
	GOOD(g, 0, 0x10, 0, N24(1), 0);
	put(g, "again");
	GOOD(g, 0, 0x10, 0, N24(1), 0);
	/* Out and in: nothing of it is of this session. */
	GOOD(g, 0, 0x1b, 0, 0, 0, 0, 0);
	GOOD(g, 0, 0x1b, 0, 0, 0, 1, 0);
	rig_settle(g);
	GOOD(g, 0, REWIND);
	return 0;
}

static struct bench bench_of(struct rig *g)
{
	struct bench b = { .g = g, .volume = g->u->ssc.volume };

	b.generation = stat_of(g->store, b.volume).generation;
	return b;
}

/* ---- kinds ------------------------------------------------------------------------------------------------------ */

static void be_free(struct bench *b) { (void)b; }
static void be_locked(struct bench *b)
{
	assert_int_equal(library_volume_lock(b->g->store->lib, b->volume, UNTIL), 0);
}
static void be_in_a_locked_pool(struct bench *b)
{
	assert_int_equal(library_pool_lock(b->g->store->lib, CATALOG_POOL_DEFAULT, UNTIL), 0);
}
static void be_worm(struct bench *b)
{
	assert_int_equal(library_volume_change(b->g->store->lib, b->volume, set_worm, ON), 0);
}
static void be_protected(struct bench *b)
{
	assert_int_equal(library_volume_change(b->g->store->lib, b->volume, set_protect, ON), 0);
}

static int give_away(struct catalog_pool *p, void *ctx)
{
	p->access = ACCESS_SECONDARY;
	p->site = *(uint32_t *)ctx;
	return 0;
}

static void be_of_another_site(struct bench *b)
{
	struct catalog_site site = { .number = UINT32_MAX, .name = "munich" };

	assert_int_equal(catalog_site_put(b->g->store->cat, &site), 0);
	assert_int_equal(library_pool_change(b->g->store->lib, CATALOG_POOL_DEFAULT, give_away, &site.number), 0);
}

/* Mode page 10/01, as an initiator sets it: a word of the drive's, not of the tape's. */
static void append_only(struct rig *g, uint8_t mode)
{
	memset(g->data, 0, 48);
	GOOD(g, 48, 0x5a, 0x08, 0x10, 0x01, 0, 0, 0, 0, 48, 0);
	assert_int_equal(g->data[8], 0x50);
	put_be16(g->data, 0);
	g->data[13] = (uint8_t)((g->data[13] & 0x0f) | mode << 4);
	GOOD(g, g->t.data_in, 0x55, 0x10, 0, 0, 0, 0, 0, 0, (uint8_t)g->t.data_in, 0);
}
static void be_append_only(struct bench *b) { append_only(b->g, 1); }

static const struct { const char *name; void (*be)(struct bench *b); uint16_t code; } kinds[7] = {
	{ "free", be_free, 0 },
	{ "locked", be_locked, ASC_WRITE_PROTECTED },
	{ "in a locked pool", be_in_a_locked_pool, ASC_WRITE_PROTECTED },
	{ "WORM", be_worm, ASC_WORM_OVERWRITE },
	{ "protected", be_protected, ASC_WRITE_PROTECTED },
	{ "another site's", be_of_another_site, ASC_WRITE_PROTECTED },
	{ "append-only", be_append_only, ASC_WORM_OVERWRITE },
};
enum { FREE, LOCKED, LOCKED_POOL, WORM, PROTECTED, SITE, APPEND_ONLY };

/* ---- acts ------------------------------------------------------------------------------------------------------- */

static void act_write(struct bench *b) { CMD(b->g, 100, WRITE); }
static void act_write_fixed(struct bench *b)
{
	memset(b->g->data, 0, 12);
	b->g->data[3] = 8;
	put_be32(b->g->data + 8, 50);
	GOOD(b->g, 12, 0x15, 0x10, 0, 0, 12, 0);
	CMD(b->g, 100, 0x0a, 1, N24(2), 0);
}
static void act_write_there(struct bench *b)
{
	GOOD(b->g, 0, TO_END);
	CMD(b->g, 100, 0x8a, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, N24(100), 0);
}
static void act_write_in_the_middle(struct bench *b)
{
	GOOD(b->g, 0, LOCATE(2));
	CMD(b->g, 100, WRITE);
}
static void act_mark(struct bench *b) { CMD(b->g, 0, 0x10, 0, N24(1), 0); }
static void act_mark_at_once(struct bench *b) { CMD(b->g, 0, 0x10, 1, N24(1), 0); }
static void act_mark_16(struct bench *b) { CMD(b->g, 0, 0x80, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, N24(1), 0); }
static void act_erase(struct bench *b) { CMD(b->g, 0, 0x19, 0, 0, 0, 0, 0); }
static void act_erase_long(struct bench *b) { CMD(b->g, 0, 0x19, 1, 0, 0, 0, 0); }
static void act_format(struct bench *b) { CMD(b->g, 0, 0x04, 0, 0, 0, 0, 0); }
static void act_set_capacity(struct bench *b) { CMD(b->g, 0, 0x0b, 0, 0, 0x80, 0, 0); }
static void act_whole_capacity(struct bench *b) { CMD(b->g, 0, 0x0b, 0, 0, 0xff, 0xff, 0); }

/* Page 11h: so many partitions more. */
static void want(struct rig *g, uint8_t more)
{
	uint8_t len, *page = g->data + 16;

	GOOD(g, 255, 0x5a, 0, 0x11, 0, 0, 0, 0, 0, 255, 0);
	len = (uint8_t)g->t.data_in;
	put_be16(g->data, 0);
	page[3] = more;
	page[4] = 0x20 | (page[4] & 0x1f);
	page[6] = 9;
	for (int i = 0; i * 2 + 1 < page[1] - 6; i++)
		put_be16(page + 8 + 2 * i, i ? 1 : 0xffff);
	GOOD(g, len, 0x55, 0x10, 0, 0, 0, 0, 0, 0, len, 0);
}
static void act_partition(struct bench *b)
{
	want(b->g, 1);
	CMD(b->g, 0, 0x04, 0, 1, 0, 0, 0);
}
static void act_partition_2(struct bench *b)
{
	want(b->g, 1);
	CMD(b->g, 0, 0x04, 0, 2, 0, 0, 0);
}

static void act_allowed_write(struct bench *b)
{
	GOOD(b->g, 0, 0x82, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0);
	CMD(b->g, 100, WRITE);
}
static void act_allowed_format(struct bench *b)
{
	GOOD(b->g, 0, 0x82, 0, 2, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0);
	CMD(b->g, 0, 0x04, 0, 0, 0, 0, 0);
}
static void act_mode_off_and_write(struct bench *b)
{
	append_only(b->g, 0);
	CMD(b->g, 100, WRITE);
}
static void act_reload_and_write(struct bench *b)
{
	GOOD(b->g, 0, 0x1b, 0, 0, 0, 0, 0);
	GOOD(b->g, 0, 0x1b, 0, 0, 0, 1, 0);
	rig_settle(b->g);
	GOOD(b->g, 0, REWIND);
	CMD(b->g, 100, WRITE);
}
static void act_killed_and_write(struct bench *b)
{
	rig_kill(b->g, SCSI_DRIVE, "ibm-lto7");
	rig_settle(b->g);
	GOOD(b->g, 0, REWIND);
	CMD(b->g, 100, WRITE);
}
static void act_over_the_last_mark(struct bench *b)
{
	GOOD(b->g, 0, LOCATE(3));
	CMD(b->g, 100, WRITE);
}
static void act_append(struct bench *b)
{
	GOOD(b->g, 0, TO_END);
	CMD(b->g, 100, WRITE);
}
static void act_label_of_memory(struct bench *b)
{
	static const uint8_t label[] = { 0, 0, 0, 21, 0x08, 0x09, 1, 0, 16, 'i', 'n', 'd', 'e', 'x', ' ', ' ', ' ', ' ', ' ',
					 ' ', ' ', ' ', ' ', ' ', ' ' };

	memcpy(b->g->data, label, sizeof(label));
	CMD(b->g, sizeof(label), 0x8d, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, sizeof(label), 0, 0);
}
static void act_append_only_mode(struct bench *b)
{
	append_only(b->g, 1);
}

#define BIT(kind) (1u << (kind))
#define CUTS BIT(FREE)				/* free alone */
#define ASKED (BIT(FREE) | BIT(APPEND_ONLY))	/* who asks for it may, where it is his own word */
#define GROWS (BIT(FREE) | BIT(LOCKED) | BIT(LOCKED_POOL) | BIT(WORM) | BIT(APPEND_ONLY))
#define ALL 0x7fu
static const struct act {
	const char *name;
	void (*act)(struct bench *b);
	unsigned may;		/* kinds on which it is done */
	bool keeps;		/* done, it leaves what is there */
	uint16_t worm_code;	/* if it is not that of the kind */
} acts[] = {
	{ "WRITE(6)", act_write, CUTS, false, 0 },
	{ "WRITE(6) of blocks", act_write_fixed, CUTS, false, 0 },
	{ "WRITE(16) with an address", act_write_there, CUTS, false, 0 },
	{ "WRITE(6) in the middle", act_write_in_the_middle, CUTS, false, 0 },
	{ "WRITE FILEMARKS(6)", act_mark, CUTS, false, 0 },
	{ "WRITE FILEMARKS(6) at once", act_mark_at_once, CUTS, false, 0 },
	{ "WRITE FILEMARKS(16)", act_mark_16, CUTS, false, 0 },
	{ "ERASE", act_erase, CUTS, false, 0 },
	{ "ERASE long", act_erase_long, CUTS, false, 0 },
	{ "FORMAT MEDIUM", act_format, CUTS, false, 0 },
	{ "FORMAT MEDIUM into partitions", act_partition, CUTS, false, 0 },
	{ "FORMAT MEDIUM, both ways", act_partition_2, CUTS, false, 0 },
	{ "SET CAPACITY", act_set_capacity, CUTS, false, 0 },
	{ "SET CAPACITY to all", act_whole_capacity, CUTS, false, 0 },
	{ "ALLOW OVERWRITE, WRITE", act_allowed_write, ASKED, false, 0 },
	{ "ALLOW OVERWRITE, FORMAT MEDIUM", act_allowed_format, ASKED, false, 0 },
	{ "MODE SELECT, WRITE", act_mode_off_and_write, ASKED, false, 0 },
	{ "MODE SELECT of append-only", act_append_only_mode, ALL, true, 0 },
	{ "unloaded, loaded, WRITE", act_reload_and_write, CUTS, false, 0 },
	{ "killed, WRITE", act_killed_and_write, CUTS, false, 0 },
	{ "WRITE over the last mark", act_over_the_last_mark, CUTS, true, ASC_APPEND_POSITION },
	{ "WRITE at the end", act_append, GROWS, true, 0 },
	{ "WRITE ATTRIBUTE", act_label_of_memory, GROWS, true, 0 },
};

/* ---- what is there ---------------------------------------------------------------------------------------------- */

/* Both records; what is behind them may be more. */
static void assert_whole(struct store *s, uint64_t volume)
{
	struct volume *v = claim(s, volume, CLAIM_READ);
	struct volume_reader *r;
	char got[200];

	assert_int_equal(volume_partitions(v), 1);
	assert_int_equal(volume_reader_new(v, 0, &r), 0);
	assert_int_equal(volume_reader_read(r, 0, got, sizeof(got)), 0);
	assert_string_equal(got, "hello");
	assert_string_equal(got + 100, "again");
	volume_reader_free(r);
	release(s, volume, CLAIM_READ);
}

static int count(void *ctx, const struct volume_stat *st) { (*(unsigned *)ctx)++; return 0; }
static unsigned generations(struct store *s, uint64_t volume)
{
	unsigned n = 0;

	assert_int_equal(volume_history(s->kv, volume, count, &n), 0);
	return n;
}

/* Of what was cut the generation before is there, and comes back as it was. */
static void assert_comes_back(struct store *s, const struct bench *b)
{
	assert_int_equal(generations(s, b->volume), 3);
	assert_int_equal(stat_of(s, b->volume).generation, b->generation + 1);
	assert_int_equal(library_volume_restore(s->lib, b->volume, b->generation), 0);
}

static void try_one(void **state, const struct act *a, size_t kind)
{
	struct rig *g = rig_of(state);
	struct bench b = bench_of(g);
	uint16_t code = kind == WORM && a->worm_code ? a->worm_code : kinds[kind].code;
	bool done;

	kinds[kind].be(&b);
	a->act(&b);
	done = g->t.status == SCSI_GOOD;
	if (done != !!(a->may & BIT(kind)))
		fail_msg("%s, %s: status %d, sense %x/%04x", a->name, kinds[kind].name, g->t.status,
			 g->t.sense[2] & 0x0f, get_be16(g->t.sense + 12));
	if (!done && ((g->t.sense[2] & 0x0f) != DATA_PROTECT || get_be16(g->t.sense + 12) != code))
		fail_msg("%s, %s: sense %x/%04x, not %04x", a->name, kinds[kind].name, g->t.sense[2] & 0x0f,
			 get_be16(g->t.sense + 12), code);
	if (!done && (kind == LOCKED || kind == LOCKED_POOL))
		assert_int_equal(events(g->store, EVENT_LOCK_REFUSED, "default/A00001L7"), 1);
	g->u = scsi_unit_free(g->u, true);
	assert_int_equal(library_unload(g->store->lib, 0), 0);
	store_cut(g->store);
	if (done && !a->keeps)
		assert_comes_back(g->store, &b);
	else
		assert_true(generations(g->store, b.volume) >= 2);
	assert_whole(g->store, b.volume);
}

static void every_command_on_every_kind_of_tape(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(acts); i++)
		for (size_t kind = 0; kind < ARRAY_LEN(kinds); kind++) {
			void *s;

			start(&s);
			try_one(&s, &acts[i], kind);
			rig_free(&s);
		}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_command_on_every_kind_of_tape),
	};

	log_set_level(LOG_LEVEL_ERROR);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
