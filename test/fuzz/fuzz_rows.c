/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Everything small that is read from a disk and that no other driver is for: the rows of the catalog and of the index of
 * chunks, where a scrub stands, the head of a store.  The first byte of the input says which (the table at the end), the
 * rest is the bytes; 0x80 in the first byte: the head's sum is made right before.
 *
 * What is taken holds together and packs into the same bytes, but for rows of an older version, which unpack to the
 * same; what is refused is refused with -EUCLEAN.  And a whole catalog of foreign rows, keys and all, is checked, mended
 * and read without harm.
 */
#include <errno.h>

#include "catalog/catalog_rows.h"
#include "chunk/chunk_index_format.h"
#include "daemon/store.h"
#include "fuzz/rows.h"
#include "library/holding.h"

static bool taken(int r)
{
	fuzz_require(r == 0 || r == -EUCLEAN);
	return r == 0;
}

static void same(const void *again, size_t len, const uint8_t *p, size_t n)
{
	fuzz_require(len == n && !memcmp(again, p, n));
}

static void same_row(const struct buf *again, const uint8_t *p, size_t n)
{
	same(again->data, again->len, p, n);
}

/* ---- catalog ---- */

static void try_pool(const uint8_t *p, size_t n)
{
	CLEANUP(buf_fini) struct buf row = BUF_INIT, twice = BUF_INIT;
	struct catalog_pool got;

	if (!taken(pool_decode(p, n, &got)))
		return;
	fuzz_require(pool_encode(&got, &row) == 0 && row.len <= ROW_MAX);
	if (p[0] == row.data[0])
		same_row(&row, p, n);
	fuzz_require(pool_decode(row.data, row.len, &got) == 0 && pool_encode(&got, &twice) == 0);
	same_row(&row, twice.data, twice.len);
}

static void try_volume(const uint8_t *p, size_t n)
{
	CLEANUP(buf_fini) struct buf row = BUF_INIT, twice = BUF_INIT;
	struct catalog_volume got;

	if (!taken(volume_decode(p, n, &got)))
		return;
	fuzz_require(volume_encode(&got, &row) == 0 && row.len <= ROW_MAX);
	if (p[0] == row.data[0])
		same_row(&row, p, n);
	fuzz_require(volume_decode(row.data, row.len, &got) == 0 && volume_encode(&got, &twice) == 0);
	same_row(&row, twice.data, twice.len);
}

static void try_file(const uint8_t *p, size_t n)
{
	CLEANUP(buf_fini) struct buf row = BUF_INIT;
	struct catalog_file got;

	if (!taken(file_decode(p, n, &got)))
		return;
	fuzz_require(file_encode(&got, &row) == 0 && row.len <= ROW_MAX);
	same_row(&row, p, n);
}

static void try_event(const uint8_t *p, size_t n)
{
	CLEANUP(buf_fini) struct buf row = BUF_INIT;
	struct catalog_event got;

	if (!taken(event_decode(7, p, n, &got)))
		return;
	fuzz_require(got.seq == 7 && event_name(got.number) && event_severity_name(got.severity));
	fuzz_require(event_encode(&got, &row) == 0 && row.len <= ROW_MAX);
	same_row(&row, p, n);
}

static void try_site(const uint8_t *p, size_t n)
{
	CLEANUP(buf_fini) struct buf row = BUF_INIT;
	struct catalog_site got;

	if (!taken(site_decode(3, p, n, &got)))
		return;
	fuzz_require(got.number == 3 && site_encode(&got, &row) == 0 && row.len <= ROW_MAX);
	same_row(&row, p, n);
}

static void try_clash(const uint8_t *p, size_t n)
{
	CLEANUP(buf_fini) struct buf row = BUF_INIT;
	struct catalog_clash got = { .site = 1 };

	if (!taken(clash_decode(p, n, &got)))
		return;
	fuzz_require(clash_encode(&got, &row) == 0 && row.len <= ROW_MAX);
	same_row(&row, p, n);
}

static void try_hook(const uint8_t *p, size_t n)
{
	CLEANUP(buf_fini) struct buf row = BUF_INIT;
	struct catalog_event e = { .number = EVENT_CLASH, .severity = EVENT_ERROR };
	struct catalog_hook got;

	if (!taken(hook_decode("mail", p, n, &got)))
		return;
	catalog_hook_wants(&got, &e);
	fuzz_require(hook_encode(&got, &row) == 0);
	same_row(&row, p, n);
}

static void try_schema(const uint8_t *p, size_t n)
{
	CLEANUP(buf_fini) struct buf row = BUF_INIT;
	uint32_t got;

	if (!taken(schema_decode(p, n, &got)))
		return;
	fuzz_require(schema_encode(got, &row) == 0);
	same_row(&row, p, n);
}

static void try_number(const uint8_t *p, size_t n)
{
	CLEANUP(buf_fini) struct buf row = BUF_INIT;
	uint64_t got;

	if (!taken(number_decode(p, n, &got)))
		return;
	fuzz_require(number_encode(got, &row) == 0);
	same_row(&row, p, n);
}

static void try_store(const uint8_t *p, size_t n)
{
	CLEANUP(buf_fini) struct buf row = BUF_INIT;
	struct catalog_store got;

	if (!taken(store_decode(p, n, &got)))
		return;
	fuzz_require(store_encode(&got, &row) == 0);
	same_row(&row, p, n);
}

static void try_clock(const uint8_t *p, size_t n)
{
	CLEANUP(buf_fini) struct buf row = BUF_INIT;
	struct clock_row got;

	if (!taken(clock_decode(p, n, &got)))
		return;
	fuzz_require(clock_encode(&got, &row) == 0);
	same_row(&row, p, n);
}

static void try_scrub(const uint8_t *p, size_t n)
{
	CLEANUP(buf_fini) struct buf row = BUF_INIT;
	struct scrub got = { .next = 0 };

	if (!taken(scrub_row_unpack(p, n, &got)))
		return;
	fuzz_require(scrub_row_pack(&got, &row) == 0);
	same_row(&row, p, n);
}

static void try_place(const uint8_t *p, size_t n)
{
	CLEANUP(buf_fini) struct buf row = BUF_INIT;
	struct catalog_place got;

	if (!taken(place_decode(p, n, &got)))
		return;
	fuzz_require(got.number < (got.kind == PLACE_SLOT ? CATALOG_SLOTS_MAX : CATALOG_PORTS_MAX));
	fuzz_require(place_encode(&got, &row) == 0);
	same_row(&row, p, n);
}

static void try_mam(const uint8_t *p, size_t n)
{
	CLEANUP(buf_fini) struct buf row = BUF_INIT;
	enum catalog_mam_format format;
	const uint8_t *bytes;
	size_t len;

	if (!taken(mam_decode(p, n, &format, &bytes, &len)))
		return;
	fuzz_require(bytes >= p && bytes + len == p + n && len >= 1 && len <= CATALOG_MAM_MAX);
	fuzz_require(mam_encode(format, bytes, len, &row) == 0);
	same_row(&row, p, n);
}

static void try_unit(const uint8_t *p, size_t n)
{
	CLEANUP(buf_fini) struct buf row = BUF_INIT;
	struct catalog_unit got;

	if (!taken(unit_decode(7, p, n, &got)))
		return;
	fuzz_require(got.number == 7 && got.model[0]);
	fuzz_require(unit_encode(&got, &row) == 0 && row.len <= ROW_MAX);
	same_row(&row, p, n);
}

static void try_scsi(const uint8_t *p, size_t n)
{
	CLEANUP(buf_fini) struct buf row = BUF_INIT;
	struct catalog_scsi got;

	if (!taken(scsi_decode(p, n, &got)))
		return;
	fuzz_require(got.slots <= CATALOG_SLOTS_MAX && got.ports <= CATALOG_PORTS_MAX);
	fuzz_require(scsi_encode(&got, &row) == 0);
	same_row(&row, p, n);
}

static void try_stacker(const uint8_t *p, size_t n)
{
	CLEANUP(buf_fini) struct buf row = BUF_INIT;
	struct catalog_stacker got;

	if (!taken(stacker_decode(p, n, &got)))
		return;
	fuzz_require(got.mode != STACKER_OFF && stacker_encode(&got, &row) == 0);
	same_row(&row, p, n);
}

/* ---- the index of chunks ---- */

static void try_index_value(const uint8_t *p, size_t n)
{
	uint8_t row[INDEX_VALUE_LEN];
	struct digest d = { { 0 } };
	struct index_value got;

	if (!taken(index_value_unpack(p, n, &got)))
		return;
	fuzz_require(got.ref.pack <= PACK_NUMBER_MAX && got.raw_len >= 1 && got.raw_len <= PACK_CHUNK_MAX);
	memcpy(d.b + INDEX_KEY_LEN, got.mac, INDEX_MAC_LEN);
	index_value_pack(row, got.ref, got.raw_len, &d);
	same(row, sizeof(row), p, n);
}

static void try_open_key(const uint8_t *p, size_t n)
{
	uint8_t row[BAD_KEY_LEN];
	uint64_t number;
	uint32_t slots;

	if (!taken(open_key_unpack(p, n, &number, &slots)))
		return;
	fuzz_require(number <= PACK_NUMBER_MAX);
	open_key_pack(row, number, slots);
	if (n == PACK_KEY_LEN)		/* the first nine of them: no promise */
		fuzz_require(slots == 0);
	same(row, n, p, n);
}

static void try_pack_key(const uint8_t *p, size_t n)
{
	enum pack_key kind = n ? (enum pack_key)p[0] : PACK_KEY_SEALED;
	uint8_t row[PACK_KEY_LEN];
	uint64_t got;

	try_open_key(p, n);
	if (!taken(pack_key_unpack(p, n, kind, &got)))
		return;
	fuzz_require(got <= PACK_NUMBER_MAX);
	pack_key_pack(row, kind, got);
	same(row, sizeof(row), p, n);
}

static void try_slot_key(const uint8_t *p, size_t n)
{
	uint8_t row[BAD_KEY_LEN];
	struct pack_ref got;

	if (taken(bad_key_unpack(p, n, &got))) {
		bad_key_pack(row, got);
		same(row, sizeof(row), p, n);
	} else if (taken(lost_key_unpack(p, n, &got))) {
		lost_key_pack(row, got);
		same(row, sizeof(row), p, n);
	}
}

static void try_lost_chunk(const uint8_t *p, size_t n)
{
	uint8_t row[LOST_LEN];
	struct lost_chunk got;

	if (!taken(lost_chunk_unpack(p, n, &got)))
		return;
	fuzz_require(got.raw_len >= 1 && got.raw_len <= PACK_CHUNK_MAX);
	lost_chunk_pack(row, &got);
	same(row, sizeof(row), p, n);
}

static void try_tally(const uint8_t *p, size_t n)
{
	uint8_t row[PACK_TALLY_LEN];
	struct pack_tally got;

	if (!taken(pack_tally_unpack(p, n, &got))) {
		fuzz_require(pack_tally_len(p, n, 0) == 0);
		return;
	}
	for (size_t at = 0, slots = (n - PACK_TALLY_LEN) / LEN_BYTES + 2; at < slots; at++)
		fuzz_require(pack_tally_len(p, n, (uint32_t)at) <= PACK_CHUNK_MAX);
	fuzz_require(pack_tally_len(p, n, got.chunks) == 0 && pack_tally_len(p, n, UINT32_MAX) == 0);
	pack_tally_pack(row, &got);
	same(row, sizeof(row), p, PACK_TALLY_LEN);
}

static void try_totals(const uint8_t *p, size_t n)
{
	uint8_t row[TOTALS_LEN];
	struct chunk_totals got = { 0 };

	if (!taken(totals_unpack(p, n, &got)))
		return;
	totals_pack(row, &got);
	same(row, sizeof(row), p, n);
}

/* ---- the head of a store ---- */

static void try_head(const uint8_t *p, size_t n)
{
	uint8_t again[STORE_HEAD_LEN];
	struct store_head got, twice;
	int r = store_head_unpack(&got, p, n);

	fuzz_require(r == 0 || r == -EMEDIUMTYPE || r == -EPROTO || r == -EBADMSG);
	if (r)
		return;
	store_head_pack(&got, again);
	fuzz_require(store_head_unpack(&twice, again, sizeof(again)) == 0);
	fuzz_require(twice.created_ns == got.created_ns && twice.chunk_avg == got.chunk_avg);
	fuzz_require(!memcmp(twice.uuid, got.uuid, sizeof(got.uuid)) && !memcmp(twice.key, got.key, sizeof(got.key)));
}

/* ---- a whole catalog ---- */

/* @p: u8 length, key, u16 length, value, and so on. */
static void put_rows(struct kv *kv, const uint8_t *p, size_t n)
{
	CLEANUP(kv_batch_freep) struct kv_batch *b = NULL;
	struct cursor c = cursor_of(p, n);

	fuzz_require(kv_batch_new(&b) == 0);
	while (cursor_left(&c)) {
		size_t klen = cursor_u8(&c);
		const uint8_t *key = cursor_bytes(&c, klen);
		size_t vlen = cursor_le16(&c);
		const uint8_t *value = cursor_bytes(&c, vlen);

		if (c.bad)
			break;
		fuzz_require(kv_batch_put(b, KV_CATALOG, key, klen, value, vlen) == 0);
	}
	fuzz_require(kv_write(kv, b, true) == 0);
}

static int odd_ones_have_heads(void *ctx, uint64_t volume)
{
	return volume % 2 ? 0 : 1;
}

static void hear(void *ctx, const char *what, bool repaired)
{
	fuzz_require(what[0]);
}

static int see_volume(void *ctx, const struct catalog_volume *v)
{
	struct catalog_file f;

	catalog_file_get(ctx, v->id, 0, &f);
	catalog_file_find_before(ctx, v->id, "file", UINT64_MAX, &f);
	return 0;
}

static int see_pool(void *ctx, const struct catalog_pool *p)
{
	catalog_volume_each(ctx, p->id, "", see_volume, ctx);
	return 0;
}

static int see_event(void *ctx, const struct catalog_event *e)
{
	return 0;
}

static int see_mam(void *ctx, const struct catalog_mam *a, const void *p, size_t n)
{
	fuzz_require(p ? n >= 1 && n <= CATALOG_MAM_MAX : !n);	/* NULL: that row is damaged */
	return 0;
}

static int see_place(void *ctx, uint64_t volume, const struct catalog_place *p)
{
	fuzz_require(p->kind <= PLACE_PORT);
	return 0;
}

static void read_scsi(struct catalog *c)
{
	CLEANUP(buf_fini) struct buf value = BUF_INIT;
	enum catalog_mam_format format;
	struct catalog_place place;
	struct catalog_unit unit;
	struct catalog_scsi scsi;

	catalog_place_each(c, see_place, NULL);
	catalog_place_get(c, 1, &place);
	catalog_mam_each(c, 1, 0, 0, see_mam, NULL);
	catalog_mam_get(c, 1, 0, 0x0801, &format, &value);
	catalog_unit_get(c, 0, &unit);
	catalog_unit_get(c, CATALOG_UNIT_CHANGER, &unit);
	catalog_scsi_get(c, &scsi);
}

static void read_catalog(struct catalog *c)
{
	struct catalog_store props;
	struct catalog_volume v;
	uint64_t loaded;

	catalog_pool_each(c, see_pool, c);
	catalog_volume_get(c, "A00001", &v);
	catalog_event_each(c, 0, see_event, NULL);
	catalog_drive_get(c, 0, &loaded);
	catalog_store_get(c, &props);
	read_scsi(c);
}

/* Mending comes to an end: nothing that is mended needs mending again. */
static void mend_catalog(struct catalog *c)
{
	struct catalog_check_config how = { .has_head = odd_ones_have_heads, .found = hear };
	struct catalog_checked done;
	unsigned rounds = 0;
	int r;

	r = catalog_check(c, &how, &done);
	fuzz_require(r || !done.repaired);
	how.repair = true;
	do {
		r = catalog_check(c, &how, &done);
		fuzz_require(done.repaired <= done.faults && ++rounds < 8);
	} while (!r && done.repaired);
}

static void try_catalog(const uint8_t *rows, size_t n)
{
	struct catalog_pool p;
	struct catalog *c;
	struct kv *kv;
	bool whole;
	int r;

	fuzz_require(kv_mem_new(&kv) == 0);
	put_rows(kv, rows, n);
	if (!catalog_open(kv, &c)) {
		read_catalog(c);
		mend_catalog(c);
		read_catalog(c);
		whole = !catalog_pool_get(c, CATALOG_POOL_DEFAULT, &p);
		catalog_close(c);
		/* Without the pool there may be no number left for a new one. */
		r = catalog_open(kv, &c);
		fuzz_require(r == 0 || (r == -EUCLEAN && !whole));
		if (!r)
			catalog_close(c);
	}
	kv_close(kv);
}

static const struct fuzz_row parsers[] = {
	{ 'P', try_pool },	{ 'V', try_volume },	{ 'F', try_file },	{ 'E', try_event },
	{ 'S', try_schema },	{ 'N', try_number },	{ 'X', try_store },	{ 'R', try_clock },
	{ 'W', try_scrub },	{ 'L', try_place },	{ 'A', try_mam },	{ 'I', try_unit },
	{ 'B', try_scsi },	{ 'C', try_catalog },	{ 'i', try_index_value }, { 'k', try_pack_key },
	{ 'b', try_slot_key },	{ 'l', try_lost_chunk }, { 'p', try_tally },	{ 't', try_totals },
	{ 'h', try_head, true }, { 'K', try_site },	{ 'c', try_clash },	{ 'H', try_hook },
	{ 'Y', try_stacker },
};

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	return fuzz_one_row(parsers, ARRAY_LEN(parsers), data, size);
}
