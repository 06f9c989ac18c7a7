/* SPDX-License-Identifier: BSD-2-Clause */
/* Writes the corpus of fuzz_rows: one file for each parser.  seed_rows FOLDER */
#include "catalog/catalog_rows.h"
#include "chunk/chunk_index_format.h"
#include "daemon/store.h"
#include "library/holding.h"
#include "seed.h"

static void save_row(const char *name, char parser, int r, const struct buf *row)
{
	must(r);
	seed_row(name, (uint8_t)parser, row->data, row->len);
}

#define PERM { 0644, 1000, 1000, 1700000000000000000, 1700000000000000001 }

static const struct catalog_pool pool = { .id = 1, .name = "default", .perm = PERM, .codec = 2, .level = -1,
	.worm = true, .record_bytes = 256u << 10, .keep_s = 604800, .volumes = 2, .locked_until_ns = 1,
	.contents = true, .expire_s = 2592000, .scratch = "free", .barcode = "A00001L8" };

static const struct catalog_volume volume = { .id = 1, .pool = 1, .name = "A00001", .serial = "0123456789ABCDEF",
	.state = STATE_ASSIGNED, .image_eom = true, .image_eom_generation = 3, .capacity_bytes = 1u << 30, .perm = PERM,
	.expires_ns = CATALOG_NEVER, .assigned_ns = 1, .site = 1, .site_generation = 3, .site_written_ns = 2 };

static const struct catalog_file file = { .file = 1, .mark_object = 17, .stretch = 2, .name = "home.tar",
	.perm = PERM };

static const struct catalog_event event = { .time_ns = 1, .number = EVENT_LOADED, .severity = EVENT_INFO,
	.about = "default/A00001", .text = "loaded in drive 0" };

/* Bytes of the rows above that version 3 added. */
#define LIFE_OF_POOL (1 + 8 + 5 + 9 + 1 + 4)
#define LIFE_OF_VOLUME (8 + 8 + 4 + 8 + 8)

static void save_old(const char *name, char parser, uint8_t version, struct buf *row, size_t without)
{
	row->data[0] = version;
	seed_row(name, (uint8_t)parser, row->data, row->len - without);
}

static void save_catalog_rows(void)
{
	const struct catalog_store store = { 86400, 32u << 20, 64u << 20, 70, true };
	const struct clock_row clock = { .time_ns = 5, .boot_ns = 3, .boot = "0123456789abcde", .gap = true };
	const struct catalog_site site = { .number = 1, .name = "munich", .id = "00112233445566778899aabbccddeeff",
		.note = "the second hall", .added_ns = 5, .heard_ns = 6 };
	const struct catalog_clash clash = { .site = 1, .name = "A00001", .serial = "0123456789ABCDEF", .found_ns = 7 };
	const struct catalog_hook hook = { .name = "mail", .least = EVENT_WARNING, .events = "clash,no-space",
		.program = "/bin/mail -s tapes", .timeout_s = 60 };
	const struct scrub scrub = { .goes_on = true, .next = 17, .now = { .rate_bytes = 1u << 20, .started_ns = 2,
		.finished_ns = 1, .done_packs = 16, .chunks = 100 } };
	struct buf b = BUF_INIT;

	save_row("pool", 'P', pool_encode(&pool, &b), &b);
	save_old("pool-2", 'P', 2, &b, LIFE_OF_POOL);
	save_old("pool-1", 'P', 1, &b, LIFE_OF_POOL + 8);
	save_row("volume", 'V', volume_encode(&volume, &b), &b);
	save_old("volume-2", 'V', 2, &b, LIFE_OF_VOLUME);
	save_old("volume-1", 'V', 1, &b, LIFE_OF_VOLUME + 8);
	save_row("file", 'F', file_encode(&file, &b), &b);
	save_row("event", 'E', event_encode(&event, &b), &b);
	save_row("schema", 'S', schema_encode(CATALOG_SCHEMA, &b), &b);
	save_row("number", 'N', number_encode(1000, &b), &b);
	save_row("store", 'X', store_encode(&store, &b), &b);
	save_row("clock", 'R', clock_encode(&clock, &b), &b);
	save_row("site", 'K', site_encode(&site, &b), &b);
	save_row("clash", 'c', clash_encode(&clash, &b), &b);
	save_row("hook", 'H', hook_encode(&hook, &b), &b);
	b.len = 0;
	save_row("scrub", 'W', scrub_row_pack(&scrub, &b), &b);
	buf_fini(&b);
}

static const struct catalog_place place = { PLACE_PORT, 3, true };

static const struct catalog_unit unit = { .number = 0, .model = "ibm-lto6", .vendor = "IBM", .product = "ULT3580-TD6",
	.revision = "J451", .serial = "0123456789", .naa = 0x5000123456789abc };

static const struct catalog_scsi scsi = { .up = true, .slots = 60, .ports = 4 };

static void save_scsi_rows(void)
{
	struct buf b = BUF_INIT;

	save_row("place", 'L', place_encode(&place, &b), &b);
	save_row("mam", 'A', mam_encode(MAM_ASCII, "LTFS", 4, &b), &b);
	save_row("unit", 'I', unit_encode(&unit, &b), &b);
	save_row("scsi", 'B', scsi_encode(&scsi, &b), &b);
	save_row("stacker", 'Y', stacker_encode(&(struct catalog_stacker){ STACKER_ALL, 1 }, &b), &b);
	buf_fini(&b);
}

static void save_chunk_rows(void)
{
	const struct pack_ref ref = { 0x123456789a, 77 };
	const struct digest d = { { 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17, 18, 19, 20, 21, 22 } };
	const struct pack_tally tally = { .chunks = 3, .raw_bytes = 3000, .file_bytes = 2000 };
	const struct chunk_totals totals = { .packs = 2, .chunks = 6, .unique_bytes = 6000, .stored_bytes = 4000 };
	const struct lost_chunk lost = { .part = "12345678901234567890", .raw_len = 1000 };
	uint8_t row[64] = { 0 };

	index_value_pack(row, ref, 1000, &d);
	seed_row("index", 'i', row, INDEX_VALUE_LEN);
	pack_key_pack(row, PACK_KEY_DOOMED, ref.pack);
	seed_row("key", 'k', row, PACK_KEY_LEN);
	bad_key_pack(row, ref);
	seed_row("bad", 'b', row, BAD_KEY_LEN);
	lost_key_pack(row, ref);
	seed_row("lost", 'b', row, BAD_KEY_LEN);
	lost_chunk_pack(row, &lost);
	seed_row("lost-chunk", 'l', row, LOST_LEN);
	memset(row, 0, sizeof(row));
	pack_tally_pack(row, &tally);
	seed_row("tally", 'p', row, PACK_TALLY_LEN);
	for (unsigned i = 0; i < 3; i++)
		put_le16(row + PACK_TALLY_LEN + (size_t)i * LEN_BYTES, 1000);
	seed_row("tally-lens", 'p', row, PACK_TALLY_LEN + (size_t)3 * LEN_BYTES);
	totals_pack(row, &totals);
	seed_row("totals", 't', row, TOTALS_LEN);
}

static void save_head(void)
{
	const struct store_head head = { .uuid = "0123456789abcde", .created_ns = 1, .chunk_avg = 32u << 10, .key = "key" };
	uint8_t bytes[STORE_HEAD_LEN];

	store_head_pack(&head, bytes);
	seed_row("head", 'h' | 0x80, bytes, sizeof(bytes));
}

/* ---- a whole catalog: a pool, two volumes, the names of files, what is loaded, an event, places, SCSI units ---- */

static void fill_scsi(struct catalog *c, uint64_t a, uint64_t b)
{
	const struct catalog_place slot = { .kind = PLACE_SLOT, .number = 7 };
	const struct catalog_unit changer = { .number = CATALOG_UNIT_CHANGER, .model = "vtape" };
	const struct catalog_mam mam = { 0, 0x0801, MAM_ASCII };

	if (catalog_scsi_put(c, &scsi) || catalog_place_put(c, a, &place) || catalog_place_put(c, b, &slot) ||
	    catalog_unit_put(c, &unit) || catalog_unit_put(c, &changer) || catalog_mam_put(c, a, &mam, "LTFS", 4))
		abort();
}

static void fill(struct catalog *c)
{
	struct catalog_volume a = volume, b = volume;
	struct catalog_pool p;

	if (catalog_pool_get(c, CATALOG_POOL_DEFAULT, &p) || catalog_volume_new_id(c, &a.id) ||
	    catalog_volume_new_id(c, &b.id))
		abort();
	a.pool = b.pool = p.id;
	strcpy(b.name, "A00002");
	if (catalog_volume_add(c, &a, NULL) || catalog_volume_add(c, &b, NULL) || catalog_file_put(c, a.id, &file) ||
	    catalog_drive_put(c, 0, b.id) || catalog_tail_put(c, b.id, "tail", 4) || catalog_work_put(c, "scrub", "x", 1))
		abort();
	catalog_event(c, EVENT_LOADED, "default/A00001", "loaded in drive 0");
	fill_scsi(c, a.id, b.id);
}

static void save_catalog(void)
{
	struct buf b = BUF_INIT;
	struct kv_iter *it;
	struct catalog *c;
	struct kv *kv;

	if (kv_mem_new(&kv) || catalog_open(kv, &c))
		abort();
	fill(c);
	catalog_close(c);
	if (kv_iter_new(kv, KV_CATALOG, &it))
		abort();
	for (kv_iter_seek(it, "", 0); kv_iter_valid(it); kv_iter_next(it)) {
		size_t klen, vlen;
		const uint8_t *key = kv_iter_key(it, &klen), *value = kv_iter_value(it, &vlen);

		if (buf_put_u8(&b, (uint8_t)klen) || buf_append(&b, key, klen) || buf_put_le16(&b, (uint16_t)vlen) ||
		    buf_append(&b, value, vlen))
			abort();
	}
	kv_iter_free(it);
	kv_close(kv);
	save_row("catalog", 'C', 0, &b);
	buf_fini(&b);
}

int main(int argc, char **argv)
{
	seed_into(argc, argv);
	save_catalog_rows();
	save_scsi_rows();
	save_chunk_rows();
	save_head();
	save_catalog();
	return 0;
}
