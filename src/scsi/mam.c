/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * mam: READ ATTRIBUTE and WRITE ATTRIBUTE, the cartridge's memory (medium auxiliary memory, SPC-4 7.4).
 *
 * Attributes of the device and of the medium are worked out (mam_values.c); those of hosts are rows of the catalog and
 * go where the volume goes.  A list to be written is checked as a whole before the first of
 * it is stored; a power cut in between leaves its first ones.
 */
#include <errno.h>

#include "scsi/mam_values.h"
#include "scsi/mode.h"

#define READ_ONLY 0x80
/* ---- READ ATTRIBUTE --------------------------------------------------------------------------------------------- */

static struct catalog *catalog_of(const struct scsi_unit *u)
{
	return library_catalog(u->cfg.lib);
}

static int value_get(struct mam_view *v, const struct mam_attribute *a, struct buf *out, uint8_t *format)
{
	enum catalog_mam_format stored = MAM_BINARY;
	uint8_t value[MAM_VALUE_MAX];
	size_t len;
	int r;

	if (a->host) {
		r = mam_row(v->u, v->partition, a->id, &stored, out);
		*format = (uint8_t)stored;
		return r;
	}
	*format = READ_ONLY | a->format;
	out->len = 0;
	r = mam_value(v, a, value, &len);
	return r ? r : buf_append(out, value, len);
}

/* 0; CATALOG_E_NONE: it is not there. */
static int value_append(struct mam_view *v, const struct mam_attribute *a, struct buf *b)
{
	CLEANUP(buf_fini) struct buf value = BUF_INIT;
	uint8_t header[MAM_HEADER];
	int r = value_get(v, a, &value, &header[2]);

	if (r)
		return r;
	put_be16(header, a->id);
	put_be16(header + 3, (uint16_t)value.len);
	r = buf_append(b, header, sizeof(header));
	return r ? r : buf_append(b, value.data, value.len);
}

/* From @first on, which must be there. */
static int values_append(struct mam_view *v, uint16_t first, struct buf *b)
{
	size_t count;
	const struct mam_attribute *attributes = mam_attributes(&count);
	int r;

	for (size_t i = 0; i < count; i++) {
		if (attributes[i].id < first)
			continue;
		r = value_append(v, &attributes[i], b);
		if (r < 0)
			return r;
		if (r && attributes[i].id == first)
			return r;
	}
	return 0;
}

/* Identifiers of all that are supported, or (@there) of those that are there. */
static int list_append(struct scsi_unit *u, uint32_t partition, uint16_t first, bool there, struct buf *b)
{
	CLEANUP(buf_fini) struct buf value = BUF_INIT;
	enum catalog_mam_format format;
	size_t count;
	const struct mam_attribute *a = mam_attributes(&count);
	uint8_t id[2];
	int r;

	for (; count--; a++) {
		if (a->id < first)
			continue;
		r = 0;
		if (there && a->host)
			r = mam_row(u, partition, a->id, &format, &value);
		if (r == CATALOG_E_NONE)
			continue;
		put_be16(id, a->id);
		if (!r)
			r = buf_append(b, id, sizeof(id));
		if (r)
			return err_fold(r);
	}
	return 0;
}

/* False: answered.  How many partitions the loaded tape has. */
static bool partitions_of(struct scsi_unit *u, struct scsi_task *t, uint32_t *out)
{
	struct volume_stat st;
	int r = library_stat(u->cfg.lib, u->ssc.volume, &st);

	if (r) {
		task_failed(t, r);
		return false;
	}
	*out = st.partitions ? st.partitions : 1;
	return true;
}

/* LOGICAL VOLUME NUMBER and PARTITION NUMBER, as both commands have them. */
static bool place_fits(struct scsi_unit *u, struct scsi_task *t)
{
	uint32_t partitions;

	if (t->cdb[5]) {
		task_bad_cdb(t, 5, -1);
		return false;
	}
	if (!partitions_of(u, t, &partitions))
		return false;
	if (t->cdb[7] >= partitions) {
		task_bad_cdb(t, 7, -1);
		return false;
	}
	return true;
}

static void answer(struct scsi_task *t, struct buf *b, int r)
{
	if (r < 0 || b->len < 4) {
		task_failed(t, r < 0 ? r : err_origin(-EUCLEAN));
		return;
	}
	put_be32(b->data, (uint32_t)(b->len - 4));
	task_put(t, b->data, b->len, get_be32(t->cdb + 10));
}

static void read_values(struct scsi_unit *u, struct scsi_task *t)
{
	CLEANUP(buf_fini) struct buf b = BUF_INIT;
	uint16_t first = get_be16(t->cdb + 8);
	struct mam_view v;
	int r;

	if (!place_fits(u, t))
		return;
	if (!mam_attribute(first)) {
		task_bad_cdb(t, 8, -1);
		return;
	}
	r = mam_view(u, t->cdb[7], &v);
	if (!r)
		r = buf_append(&b, "\0\0\0", 4);
	if (!r)
		r = values_append(&v, first, &b);
	if (r > 0)
		task_bad_cdb(t, 8, -1);
	else
		answer(t, &b, r);
}

static void read_list(struct scsi_unit *u, struct scsi_task *t)
{
	CLEANUP(buf_fini) struct buf b = BUF_INIT;
	int r;

	if (!place_fits(u, t))
		return;
	r = buf_append(&b, "\0\0\0", 4);
	if (!r)
		r = list_append(u, t->cdb[7], get_be16(t->cdb + 8), (t->cdb[1] & 0x1f) == 0x01, &b);
	answer(t, &b, r);
}

/* First number and how many, of logical volumes and of partitions. */
static void put_numbers(struct scsi_task *t, uint8_t count)
{
	const uint8_t b[4] = { 0, 2, 0, count };

	task_put(t, b, sizeof(b), get_be32(t->cdb + 10));
}

static void read_volumes(struct scsi_unit *u, struct scsi_task *t)
{
	put_numbers(t, 1);
}

static void read_partitions(struct scsi_unit *u, struct scsi_task *t)
{
	uint32_t partitions;

	if (t->cdb[5])
		task_bad_cdb(t, 5, -1);
	else if (partitions_of(u, t, &partitions))
		put_numbers(t, (uint8_t)partitions);
}

/* ---- WRITE ATTRIBUTE -------------------------------------------------------------------------------------------- */

struct item { const struct mam_attribute *a; uint16_t len; const uint8_t *value; };

/* The one at @at of @n bytes; false: answered. */
static bool item_parse(struct scsi_task *t, size_t at, size_t n, struct item *out)
{
	const uint8_t *p = t->data + at;

	if (n - at < MAM_HEADER || n - at - MAM_HEADER < get_be16(p + 3)) {
		task_check(t, ILLEGAL_REQUEST, ASC_PARAMETER_LIST_LENGTH);
		return false;
	}
	*out = (struct item){ mam_attribute(get_be16(p)), get_be16(p + 3), p + MAM_HEADER };
	if (!out->a || !out->a->host)
		task_bad_parameter(t, (unsigned)at, -1);
	else if (p[2] & READ_ONLY)
		task_bad_parameter(t, (unsigned)at + 2, 7);
	else if (out->len && p[2] != out->a->format)
		task_bad_parameter(t, (unsigned)at + 2, -1);
	else if (out->len && (out->len < out->a->min || out->len > out->a->max))
		task_bad_parameter(t, (unsigned)at + 3, -1);
	else
		return true;
	return false;
}

/* What it would take more than now: may be less than 0. */
static int item_growth(struct scsi_unit *u, uint32_t partition, const struct item *i, int64_t *growth)
{
	CLEANUP(buf_fini) struct buf old = BUF_INIT;
	enum catalog_mam_format format;
	int r = mam_row(u, partition, i->a->id, &format, &old);

	if (r < 0)
		return r;
	if (!r)
		*growth -= (int64_t)(MAM_HEADER + old.len);
	if (i->len)
		*growth += MAM_HEADER + i->len;
	return 0;
}

/* All is well with the list: false if not, and answered.  Identifiers must grow: none is there twice. */
static bool list_fits(struct scsi_unit *u, struct scsi_task *t, size_t n)
{
	int64_t growth = 0;
	uint64_t used;
	struct item i;
	int last = -1, r = mam_space_used(u, &used);

	for (size_t at = 4; !r && at < n; at += MAM_HEADER + i.len) {
		if (!item_parse(t, at, n, &i))
			return false;
		if (i.a->id <= last) {
			task_bad_parameter(t, (unsigned)at, -1);
			return false;
		}
		last = i.a->id;
		r = item_growth(u, t->cdb[7], &i, &growth);
	}
	if (r) {
		task_failed(t, r);
		return false;
	}
	if (growth > 0 && used + (uint64_t)growth > MAM_BYTES) {
		task_check(t, ILLEGAL_REQUEST, 0x5506);		/* auxiliary memory out of space */
		return false;
	}
	return true;
}

static int list_store(struct scsi_unit *u, struct scsi_task *t, size_t n)
{
	struct item i;
	int r = 0;

	for (size_t at = 4; !r && at < n; at += MAM_HEADER + i.len) {
		struct catalog_mam a = { .partition = t->cdb[7] };

		if (!item_parse(t, at, n, &i))
			return err_origin(-EINVAL);
		a.id = i.a->id;
		a.format = (enum catalog_mam_format)i.a->format;
		r = err_fold(catalog_mam_put(catalog_of(u), u->ssc.volume, &a, i.value, i.len));
	}
	return r;
}

/* The length at the list's beginning is ignored (SPC-4): LTFS counts itself in there. */
static void write_attribute(struct scsi_unit *u, struct scsi_task *t)
{
	uint32_t n = get_be32(t->cdb + 10);
	int r;

	if (!place_fits(u, t) || !n)
		return;
	if (n < 4) {
		task_check(t, ILLEGAL_REQUEST, ASC_PARAMETER_LIST_LENGTH);
		return;
	}
	if (!task_got(t, n))
		return;
	if (ssc_protected(u)) {
		task_check(t, DATA_PROTECT, ASC_WRITE_PROTECTED);
		return;
	}
	if (!list_fits(u, t, n))
		return;
	r = list_store(u, t, n);
	if (r)
		task_failed(t, r);
}

/* ---- the table -------------------------------------------------------------------------------------------------- */

#define READ_USAGE { 0x8c, 0x1f, 0, 0, 0, 0xff, 0, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x01 }
#define LIST_USAGE { 0x8c, 0x1f, 0, 0, 0, 0xff, 0, 0, 0, 0, 0xff, 0xff, 0xff, 0xff, 0x01 }
static const struct op ops[] = {
	{ 0x8c, 0x00, "READ ATTRIBUTE (values)", READ_USAGE, 60, OP_MEDIUM, read_values },
	{ 0x8c, 0x01, "READ ATTRIBUTE (list)", READ_USAGE, 60, OP_MEDIUM, read_list },
	{ 0x8c, 0x02, "READ ATTRIBUTE (logical volume list)", LIST_USAGE, 60, OP_MEDIUM, read_volumes },
	{ 0x8c, 0x03, "READ ATTRIBUTE (partition list)", LIST_USAGE, 60, OP_MEDIUM, read_partitions },
	{ 0x8c, 0x05, "READ ATTRIBUTE (supported attributes)", READ_USAGE, 60, OP_MEDIUM, read_list },
	{ 0x8d, -1, "WRITE ATTRIBUTE", { 0x8d, 0x01, 0, 0, 0, 0xff, 0, 0xff, 0, 0, 0xff, 0xff, 0xff, 0xff }, 60,
	  OP_MEDIUM | OP_OUT, write_attribute },
};

const struct op_group mam_group = OP_GROUP(ops);
