/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * mam_history: what a cartridge's memory knows of its life: how often it was loaded and where, what went to and from
 * it,
 * and the volume change reference by which a host knows whether the tape is still the one that it wrote (mam.h has its
 * steps).  The rows are foreign bytes: one that makes no sense counts as none.
 */
#include <errno.h>

#include "scsi/mam.h"
#include "scsi/mode.h"

#define ROW_REFERENCE 0x0009
#define ROW_HISTORY 0x0c00
#define HISTORY_VERSION 1

static struct catalog *catalog_of(const struct scsi_unit *u)
{
	return library_catalog(u->cfg.lib);
}

static int row_put(struct scsi_unit *u, uint16_t id, const struct buf *row)
{
	struct catalog_mam a = { .partition = 0, .id = id, .format = MAM_BINARY };

	return err_fold(catalog_mam_put(catalog_of(u), u->ssc.volume, &a, row->data, row->len));
}

int mam_row(struct scsi_unit *u, uint32_t partition, uint16_t id, enum catalog_mam_format *format, struct buf *out)
{
	int r = catalog_mam_get(catalog_of(u), u->ssc.volume, partition, id, format, out);

	if (r != -EUCLEAN)
		return r;
	if (!u->ssc.memory_damage_told)
		log_warn("drive nst%u: the cartridge's memory is damaged, attribute %04x counts as none "
			 "(vtape check --repair)", u->ssc.number, id);
	u->ssc.memory_damage_told = true;
	return CATALOG_E_NONE;
}

/* No row: an empty one. */
static int row_get(struct scsi_unit *u, uint16_t id, struct buf *row)
{
	enum catalog_mam_format format;
	int r = mam_row(u, 0, id, &format, row);

	if (r == CATALOG_E_NONE) {
		row->len = 0;
		return 0;
	}
	return err_fold(r);
}

/* ---- the history ------------------------------------------------------------------------------------------------ */

static int put_traffic(struct buf *b, const struct mam_traffic *t)
{
	int r = buf_put_le64(b, t->written_bytes);

	if (!r)
		r = buf_put_le64(b, t->read_bytes);
	if (!r)
		r = buf_put_le64(b, t->write_errors);
	return r ? r : buf_put_le64(b, t->read_errors);
}

static int history_encode(const struct mam_history *h, struct buf *b)
{
	const struct mam_traffic *traffic[] = { &h->before, &h->load, &h->previous };
	const uint64_t numbers[] = { h->loads, h->formats, h->alerts, h->alerts_previous };
	int r = buf_put_u8(b, HISTORY_VERSION);

	for (size_t i = 0; !r && i < ARRAY_LEN(numbers); i++)
		r = buf_put_le64(b, numbers[i]);
	for (size_t i = 0; !r && i < ARRAY_LEN(traffic); i++)
		r = put_traffic(b, traffic[i]);
	return r ? r : buf_append(b, h->devices, sizeof(h->devices));
}

static void get_traffic(struct cursor *c, struct mam_traffic *t)
{
	t->written_bytes = cursor_le64(c);
	t->read_bytes = cursor_le64(c);
	t->write_errors = cursor_le64(c);
	t->read_errors = cursor_le64(c);
}

static void history_decode(const struct buf *row, struct mam_history *h)
{
	struct cursor c = cursor_of(row->data, row->len);
	bool known = cursor_u8(&c) == HISTORY_VERSION;
	const uint8_t *devices;

	h->loads = cursor_le64(&c);
	h->formats = cursor_le64(&c);
	h->alerts = cursor_le64(&c);
	h->alerts_previous = cursor_le64(&c);
	get_traffic(&c, &h->before);
	get_traffic(&c, &h->load);
	get_traffic(&c, &h->previous);
	devices = cursor_bytes(&c, sizeof(h->devices));
	if (!known || c.bad || cursor_left(&c) || !devices)
		*h = (struct mam_history){ 0 };
	else
		memcpy(h->devices, devices, sizeof(h->devices));
}

static int history_get(struct scsi_unit *u, struct mam_history *h)
{
	CLEANUP(buf_fini) struct buf row = BUF_INIT;
	int r = row_get(u, ROW_HISTORY, &row);

	*h = (struct mam_history){ 0 };
	if (!r && row.len)
		history_decode(&row, h);
	return r;
}

static int history_put(struct scsi_unit *u, const struct mam_history *h)
{
	CLEANUP(buf_fini) struct buf row = BUF_INIT;
	int r = history_encode(h, &row);

	return r ? r : row_put(u, ROW_HISTORY, &row);
}

static void count_now(const struct scsi_unit *u, struct mam_history *h)
{
	const struct ssc_counters *c = &u->ssc.count;

	h->load = (struct mam_traffic){ c->written_bytes, c->read_bytes, c->write_errors, c->read_errors };
	h->alerts |= u->ssc.alerts;
}

int mam_history(struct scsi_unit *u, struct mam_history *out)
{
	int r = history_get(u, out);

	if (!r)
		count_now(u, out);
	return r;
}

static int history_keep(struct scsi_unit *u, uint64_t alerts)
{
	struct mam_history kept, now;
	int r = history_get(u, &kept);

	if (r)
		return r;
	now = kept;
	count_now(u, &now);
	now.alerts |= alerts;
	return memcmp(&now, &kept, sizeof(now)) ? history_put(u, &now) : 0;
}

int mam_alerted(struct scsi_unit *u, uint64_t flags)
{
	return u->ssc.volume ? history_keep(u, flags) : 0;
}

int mam_errors_reset(struct scsi_unit *u)
{
	struct ssc_counters *c = &u->ssc.count;
	struct mam_history h;
	int r;

	if (!u->ssc.volume || !(c->write_errors | c->read_errors))
		return 0;
	r = mam_history(u, &h);
	if (r)
		return r;
	h.before.write_errors += h.load.write_errors;
	h.before.read_errors += h.load.read_errors;
	h.load.write_errors = h.load.read_errors = 0;
	r = history_put(u, &h);
	if (!r)
		c->write_errors = c->read_errors = 0;
	return r;
}

static void put_padded(uint8_t *out, size_t n, const char *s)
{
	size_t len = strlen(s);

	memset(out, ' ', n);
	memcpy(out, s, len < n ? len : n);
}

static int history_begin(struct scsi_unit *u)
{
	struct mam_history h;
	int r = history_get(u, &h);

	if (r)
		return r;
	h.before.written_bytes += h.load.written_bytes;
	h.before.read_bytes += h.load.read_bytes;
	h.before.write_errors += h.load.write_errors;
	h.before.read_errors += h.load.read_errors;
	h.previous = h.load;
	h.load = (struct mam_traffic){ 0 };
	h.alerts_previous = h.alerts;
	h.alerts = 0;
	h.loads++;
	memmove(h.devices[1], h.devices[0], sizeof(h.devices) - sizeof(h.devices[0]));
	put_padded(h.devices[0], 8, u->id.vendor);
	put_padded(h.devices[0] + 8, MAM_DEVICE_BYTES - 8, u->id.serial);
	return history_put(u, &h);
}

/* ---- the volume change reference -------------------------------------------------------------------------------- */

struct reference { uint32_t value; uint64_t fingerprint; };

static int reference_get(struct scsi_unit *u, struct reference *ref)
{
	CLEANUP(buf_fini) struct buf row = BUF_INIT;
	int r = row_get(u, ROW_REFERENCE, &row);
	struct cursor c = cursor_of(row.data, row.len);

	ref->value = cursor_le32(&c);
	ref->fingerprint = cursor_le64(&c);
	if (c.bad || cursor_left(&c))
		*ref = (struct reference){ 0 };
	return r;
}

static int reference_put(struct scsi_unit *u, const struct reference *ref)
{
	CLEANUP(buf_fini) struct buf row = BUF_INIT;
	int r = buf_put_le32(&row, ref->value);

	if (!r)
		r = buf_put_le64(&row, ref->fingerprint);
	return r ? r : row_put(u, ROW_REFERENCE, &row);
}

/* 0 says that nothing was ever written, all ones that there is none. */
static void reference_grow(struct reference *ref)
{
	if (++ref->value == UINT32_MAX)
		ref->value = 1;
}

static int partition_print(struct volume *v, uint32_t partition, struct buf *b, bool *blank)
{
	struct tape_tally end;
	uint64_t stretch = 0;
	int r = volume_end(v, partition, &end);

	if (!r && end.objects) {
		*blank = false;
		/* Where its map is damaged, the rest has to do. */
		if (volume_stretch(v, partition, end.objects - 1, &stretch))
			stretch = UINT64_MAX;
	}
	if (!r)
		r = buf_put_le64(b, end.objects);
	if (!r)
		r = buf_put_le64(b, end.bytes);
	return r ? r : buf_put_le64(b, stretch);
}

/* Two moments have the same fingerprint only if nothing was written, erased or formatted in between. */
static int volume_print(struct volume *v, uint64_t *fingerprint, bool *blank)
{
	CLEANUP(buf_fini) struct buf b = BUF_INIT;
	uint32_t partitions = volume_partitions(v);
	struct volume_stat st;
	int r;

	volume_stat(v, &st);
	*blank = st.generation == 1;
	r = buf_put_le64(&b, st.generation);
	for (uint32_t p = 0; !r && p < partitions; p++)
		r = partition_print(v, p, &b, blank);
	if (!r)
		*fingerprint = sum64(b.data, b.len);
	return r;
}

static int content_print(struct scsi_unit *u, uint64_t *fingerprint, bool *blank)
{
	struct volume *v;
	int r = library_look(u->cfg.lib, u->ssc.volume, &v), end;

	if (r)
		return r;
	r = volume_print(v, fingerprint, blank);
	end = library_look_end(u->cfg.lib, u->ssc.volume);
	return r ? r : end;
}

/* Step 4; or, if the tape is not what it was and it was not us, step 1 too. */
static int reference_settle(struct scsi_unit *u, struct reference *ref)
{
	uint64_t fingerprint = 0;
	bool blank = false;
	int r = reference_get(u, ref);

	if (!r)
		r = content_print(u, &fingerprint, &blank);
	if (r)
		return r;
	if (ref->value ? ref->fingerprint != fingerprint : !blank) {
		if (!u->ssc.modified)
			reference_grow(ref);
		ref->fingerprint = fingerprint;
		r = reference_put(u, ref);
	}
	if (!r)
		u->ssc.modified = false;
	return r;
}

int mam_reference(struct scsi_unit *u, uint32_t *out)
{
	struct reference ref;
	int r = reference_settle(u, &ref);

	if (!r)
		*out = ref.value;
	return r;
}

/* At the beginning of a partition everything may go; at the end of data nothing does. */
static bool overwrites(const struct scsi_unit *u)
{
	struct tape_pos pos;

	return u->ssc.drive && (drive_position(u->ssc.drive, &pos) || !pos.object || !drive_at_eod(u->ssc.drive));
}

static int reference_step(struct scsi_unit *u)
{
	struct reference ref;
	int r = reference_get(u, &ref);

	if (r)
		return r;
	reference_grow(&ref);
	r = reference_put(u, &ref);
	if (!r)
		u->ssc.modified = true;
	return r;
}

int mam_modify(struct scsi_unit *u)
{
	return u->ssc.modified && !overwrites(u) ? 0 : reference_step(u);
}

/* ---- loaded, formatted, given back ------------------------------------------------------------------------------ */

static void not_kept(const struct scsi_unit *u, int r)
{
	log_warn("drive nst%u: the cartridge's memory is not up to date: %s", u->ssc.number, err_text(r));
}

void mam_loaded(struct scsi_unit *u)
{
	struct reference ref;
	int r;

	u->ssc.modified = false;
	ssc_partitions_done(u);
	r = history_begin(u);
	if (!r)
		r = reference_settle(u, &ref);
	if (r)
		not_kept(u, r);
}

void mam_settled(struct scsi_unit *u)
{
	struct reference ref;
	int r;

	if (!u->ssc.volume)
		return;
	r = history_keep(u, 0);
	if (!r && u->ssc.modified)
		r = reference_settle(u, &ref);
	if (r)
		not_kept(u, r);
}

/* What hosts said of a partition is not true of the one that takes its place; of partition 0 it is said of the whole
 * cartridge, but for its coherency (080Ch). */
struct gone { struct catalog_mam a[64]; size_t n; };

static int gone_add(void *ctx, const struct catalog_mam *a, const void *p, size_t n)
{
	struct gone *g = ctx;

	if (g->n == ARRAY_LEN(g->a))
		return 1;
	if (a->partition || a->id == 0x080c)
		g->a[g->n++] = *a;
	return 0;
}

int mam_format(struct scsi_unit *u)
{
	struct mam_history h;
	int r = reference_step(u);

	if (!r)
		r = history_get(u, &h);
	if (r)
		return r;
	count_now(u, &h);
	h.formats++;
	r = history_put(u, &h);
	for (uint32_t p = 0; !r && p < TAPE_PARTITIONS_MAX; p++) {
		struct gone g = { .n = 0 };

		r = catalog_mam_each(catalog_of(u), u->ssc.volume, p, 0, gone_add, &g);
		for (size_t i = 0; r >= 0 && i < g.n; i++)
			r = err_fold(catalog_mam_put(catalog_of(u), u->ssc.volume, &g.a[i], NULL, 0));
	}
	return r;
}
