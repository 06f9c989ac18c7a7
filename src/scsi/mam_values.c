/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * mam_values: which attributes a cartridge's memory has (SPC-4 7.4, and what LTFS adds), and what those of the device
 * and of the medium are, worked out from the volume, the drive and mam_history.c.
 */
#include <assert.h>
#include <time.h>

#include "scsi/mam_values.h"

#define ID_REFERENCE 0x0009

/* ---- what there is ---------------------------------------------------------------------------------------------- */

static const struct mam_attribute attributes[] = {
	{ 0x0000, MAM_BINARY, false, 8, 8 },		/* remaining capacity in partition, MiB */
	{ 0x0001, MAM_BINARY, false, 8, 8 },		/* maximum capacity in partition, MiB */
	{ 0x0002, MAM_BINARY, false, 8, 8 },		/* TapeAlert flags of the load before */
	{ 0x0003, MAM_BINARY, false, 8, 8 },		/* load count */
	{ 0x0004, MAM_BINARY, false, 8, 8 },		/* MAM space remaining */
	{ 0x0005, MAM_ASCII, false, 8, 8 },		/* assigning organization */
	{ 0x0006, MAM_BINARY, false, 1, 1 },		/* formatted density code */
	{ 0x0007, MAM_BINARY, false, 2, 2 },		/* initialization count */
	{ 0x0008, MAM_ASCII, false, 32, 32 },		/* volume identifier */
	{ ID_REFERENCE, MAM_BINARY, false, 4, 4 },	/* volume change reference */
	{ 0x020a, MAM_ASCII, false, 40, 40 },		/* device vendor and serial number at the last load */
	{ 0x020b, MAM_ASCII, false, 40, 40 },		/* ... one before, two, three */
	{ 0x020c, MAM_ASCII, false, 40, 40 },
	{ 0x020d, MAM_ASCII, false, 40, 40 },
	{ 0x0220, MAM_BINARY, false, 8, 8 },		/* total MiB written in medium life */
	{ 0x0221, MAM_BINARY, false, 8, 8 },		/* total MiB read in medium life */
	{ 0x0222, MAM_BINARY, false, 8, 8 },		/* MiB written in current or last load */
	{ 0x0223, MAM_BINARY, false, 8, 8 },		/* MiB read in current or last load */
	{ 0x0340, MAM_BINARY, false, 90, 90 },		/* medium usage history */
	{ 0x0400, MAM_ASCII, false, 8, 8 },		/* medium manufacturer */
	{ 0x0401, MAM_ASCII, false, 32, 32 },		/* medium serial number */
	{ 0x0402, MAM_BINARY, false, 4, 4 },		/* medium length, m */
	{ 0x0403, MAM_BINARY, false, 4, 4 },		/* medium width, 0.1 mm */
	{ 0x0404, MAM_ASCII, false, 8, 8 },		/* assigning organization */
	{ 0x0405, MAM_BINARY, false, 1, 1 },		/* medium density code */
	{ 0x0406, MAM_ASCII, false, 8, 8 },		/* medium manufacture date */
	{ 0x0407, MAM_BINARY, false, 8, 8 },		/* MAM capacity */
	{ 0x0408, MAM_BINARY, false, 1, 1 },		/* medium type */
	{ 0x0409, MAM_BINARY, false, 2, 2 },		/* medium type information */
	{ 0x0800, MAM_ASCII, true, 8, 8 },		/* application vendor */
	{ 0x0801, MAM_ASCII, true, 32, 32 },		/* application name */
	{ 0x0802, MAM_ASCII, true, 8, 8 },		/* application version */
	{ 0x0803, MAM_TEXT, true, 160, 160 },		/* user medium text label */
	{ 0x0804, MAM_ASCII, true, 12, 12 },		/* date and time last written */
	{ 0x0805, MAM_BINARY, true, 1, 1 },		/* text localization identifier */
	{ 0x0806, MAM_ASCII, true, 32, 32 },		/* barcode */
	{ 0x0807, MAM_TEXT, true, 80, 80 },		/* owning host textual name */
	{ 0x0808, MAM_TEXT, true, 160, 160 },		/* media pool */
	{ 0x0809, MAM_ASCII, true, 16, 16 },		/* partition user text label */
	{ 0x080b, MAM_ASCII, true, 16, 16 },		/* application format version */
	{ 0x080c, MAM_BINARY, true, 23, 1023 },		/* volume coherency information */
	{ 0x0820, MAM_BINARY, true, 36, 36 },		/* medium globally unique identifier */
	{ 0x0821, MAM_BINARY, true, 36, 36 },		/* media pool globally unique identifier */
	{ 0x1623, MAM_BINARY, true, 1, 1 },		/* LTFS: is the volume locked? */
};

const struct mam_attribute *mam_attributes(size_t *count)
{
	*count = ARRAY_LEN(attributes);
	return attributes;
}

const struct mam_attribute *mam_attribute(uint16_t id)
{
	for (size_t i = 0; i < ARRAY_LEN(attributes); i++)
		if (attributes[i].id == id)
			return &attributes[i];
	return NULL;
}

/* ---- what is worked out ----------------------------------------------------------------------------------------- */

static struct catalog *catalog_of(const struct scsi_unit *u)
{
	return library_catalog(u->cfg.lib);
}

static int size_add(void *ctx, const struct catalog_mam *a, const void *p, size_t n)
{
	uint64_t *sum = ctx;
	const struct mam_attribute *known = mam_attribute(a->id);

	if (p && known && known->host)
		*sum += MAM_HEADER + n;
	return 0;
}

int mam_space_used(struct scsi_unit *u, uint64_t *used)
{
	int r = 0;

	*used = 0;
	for (uint32_t p = 0; !r && p < TAPE_PARTITIONS_MAX; p++)
		r = catalog_mam_each(catalog_of(u), u->ssc.volume, p, 0, size_add, used);
	return r;
}

int mam_view(struct scsi_unit *u, uint32_t partition, struct mam_view *v)
{
	uint64_t used;
	int r;

	*v = (struct mam_view){ .u = u, .partition = partition };
	r = err_fold(catalog_volume_by_id(catalog_of(u), u->ssc.volume, &v->row));
	if (!r)
		r = mam_history(u, &v->history);
	if (!r)
		r = ssc_capacity(u, partition, &v->all, &v->left);
	if (!r)
		r = mam_space_used(u, &used);
	if (!r)
		v->space = used < MAM_BYTES ? MAM_BYTES - used : 0;
	return r;
}

static void put_text(uint8_t *out, size_t n, const char *s)
{
	size_t len = strlen(s);

	memset(out, ' ', n);
	memcpy(out, s, len < n ? len : n);
}

/* Flag 1 is the most significant bit of the first byte. */
static void put_flags(uint8_t out[8], uint64_t alerts)
{
	memset(out, 0, 8);
	for (unsigned flag = 1; flag <= 64; flag++)
		if (alerts & 1ull << (flag - 1))
			out[(flag - 1) / 8] |= (uint8_t)(0x80 >> (flag - 1) % 8);
}

/* Of LTO, by the density code; the standards and data sheets. */
static uint32_t length_m(uint8_t density)
{
	static const struct { uint8_t density; uint16_t m; } lengths[] = {
		{ 0x40, 609 }, { 0x42, 609 }, { 0x44, 680 }, { 0x46, 820 }, { 0x58, 846 }, { 0x5a, 846 }, { 0x5c, 960 },
		{ 0x5d, 960 }, { 0x5e, 960 }, { 0x60, 1035 },
	};

	for (size_t i = 0; i < ARRAY_LEN(lengths); i++)
		if (lengths[i].density == density)
			return lengths[i].m;
	return 0;
}

static void put_date(uint8_t out[8], uint64_t ns)
{
	time_t s = (time_t)(ns / 1000000000);
	struct tm tm;
	char text[16] = "";

	if (gmtime_r(&s, &tm))
		strftime(text, sizeof(text), "%Y%m%d", &tm);
	put_text(out, 8, text);
}

static void put_be48(uint8_t *out, uint64_t n)
{
	put_be16(out, (uint16_t)(n >> 32));
	put_be32(out + 2, (uint32_t)n);
}

/* Written, write retries, read, read retries: of this load, of the one before, of all; then loads, changes of the
 * partition (not counted), formats. */
static void put_history(uint8_t out[90], const struct mam_history *h)
{
	const uint64_t n[15] = {
		h->load.written_bytes >> 20, 0, h->load.read_bytes >> 20, 0,
		h->previous.written_bytes >> 20, 0, h->previous.read_bytes >> 20, 0,
		(h->before.written_bytes + h->load.written_bytes) >> 20, 0,
		(h->before.read_bytes + h->load.read_bytes) >> 20, 0,
		h->loads, 0, h->formats,
	};

	for (size_t i = 0; i < ARRAY_LEN(n); i++)
		put_be48(out + 6 * i, n[i]);
}

/* A cartridge that nobody knows the kind of (it has just gone) is of none. */
static const struct medium *medium_of(const struct mam_view *v)
{
	static const struct medium none = { .organization = "" };

	return v->u->ssc.medium ? v->u->ssc.medium : &none;
}

/* Where the cartridge is now, and what happened to it. */
static void device_value(const struct mam_view *v, uint16_t id, uint8_t *out)
{
	const struct mam_history *h = &v->history;

	switch (id) {
	case 0x0000: put_be64(out, v->left >> 20); break;
	case 0x0001: put_be64(out, v->all >> 20); break;
	case 0x0002: put_flags(out, h->alerts_previous); break;
	case 0x0003: put_be64(out, h->loads); break;
	case 0x0004: put_be64(out, v->space); break;
	case 0x0005: put_text(out, 8, medium_of(v)->organization); break;
	case 0x0006: out[0] = medium_of(v)->density; break;
	case 0x0007: put_be16(out, (uint16_t)(h->formats < UINT16_MAX ? h->formats : UINT16_MAX)); break;
	case 0x0008: put_text(out, 32, v->row.name); break;
	case 0x020a: case 0x020b: case 0x020c: case 0x020d:
		memcpy(out, h->devices[id - 0x020a], MAM_DEVICE_BYTES);
		break;
	case 0x0220: put_be64(out, (h->before.written_bytes + h->load.written_bytes) >> 20); break;
	case 0x0221: put_be64(out, (h->before.read_bytes + h->load.read_bytes) >> 20); break;
	case 0x0222: put_be64(out, h->load.written_bytes >> 20); break;
	case 0x0223: put_be64(out, h->load.read_bytes >> 20); break;
	case 0x0340: put_history(out, h); break;
	default: assert(!"every attribute of the device is here");
	}
}

/* What the cartridge is. */
static void medium_value(const struct mam_view *v, uint16_t id, uint8_t *out)
{
	const struct medium *m = medium_of(v);

	switch (id) {
	case 0x0400: put_text(out, 8, "VTAPE"); break;
	case 0x0401: put_text(out, 32, v->row.serial); break;
	case 0x0402: put_be32(out, length_m(m->density)); break;
	case 0x0403: put_be32(out, m->width_mm10); break;
	case 0x0404: put_text(out, 8, m->organization); break;
	case 0x0405: out[0] = m->density; break;
	case 0x0406: put_date(out, v->row.created_ns); break;
	case 0x0407: put_be64(out, MAM_BYTES); break;
	case 0x0408: out[0] = v->row.worm ? 0x80 : 0x00; break;
	case 0x0409: break;
	default: assert(!"every attribute of the medium is here");
	}
}

int mam_value(const struct mam_view *v, const struct mam_attribute *a, uint8_t out[MAM_VALUE_MAX], size_t *len)
{
	uint32_t reference;
	int r;

	memset(out, 0, MAM_VALUE_MAX);
	*len = a->max;
	if (a->id == ID_REFERENCE) {
		r = mam_reference(v->u, &reference);
		if (!r)
			put_be32(out, reference);
		return r;
	}
	(a->id < 0x0400 ? device_value : medium_value)(v, a->id, out);
	return 0;
}
