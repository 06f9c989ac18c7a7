/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * ssc_density: which cartridge a volume is to this drive, and REPORT DENSITY SUPPORT: which ones it can handle.
 *
 * All of it comes from the model's table.  A cartridge has one density here, as LTO's have.
 */
#include <stdio.h>

#include "scsi/unit.h"

#define MEDIA_MAX (sizeof(((struct drive_model *)0)->writes) / sizeof(struct medium *) + \
		   sizeof(((struct drive_model *)0)->reads) / sizeof(struct medium *))

/* All that the drive handles, in the order of densities, as the report wants them; @out has room for MEDIA_MAX. */
static size_t media_of(const struct drive_model *m, const struct medium *out[])
{
	size_t n = 0;

	for (size_t i = 0; i < ARRAY_LEN(m->writes) && m->writes[i]; i++)
		out[n++] = m->writes[i];
	for (size_t i = 0; i < ARRAY_LEN(m->reads) && m->reads[i]; i++)
		out[n++] = m->reads[i];
	for (size_t i = 1; i < n; i++) {
		const struct medium *x = out[i];
		size_t at = i;

		for (; at && out[at - 1]->density > x->density; at--)
			out[at] = out[at - 1];
		out[at] = x;
	}
	return n;
}

static bool can_write(const struct drive_model *m, const struct medium *x)
{
	for (size_t i = 0; i < ARRAY_LEN(m->writes) && m->writes[i]; i++)
		if (m->writes[i] == x)
			return true;
	return false;
}

static bool ends_with(const char *s, const char *end)
{
	size_t n = strlen(s), e = strlen(end);

	return e && n > e && !strcmp(s + n - e, end);
}

/* One that ends in nothing that the drive knows is of its own kind: so every tape goes into every drive. */
const struct medium *ssc_medium_of(const struct drive_model *m, const char *barcode, bool worm)
{
	const struct medium *all[MEDIA_MAX];
	size_t n = media_of(m, all);

	for (size_t i = 0; i < n; i++)
		if (ends_with(barcode, all[i]->suffix) || (worm && ends_with(barcode, all[i]->worm_suffix)))
			return all[i];
	return m->own;
}

/* ---- REPORT DENSITY SUPPORT ------------------------------------------------------------------------------------- */

#define DENSITY_LEN 52u
#define TYPE_LEN 56u
#define HEADER_LEN 4u

static void put_words(uint8_t *to, size_t n, const char *words)
{
	size_t len = strlen(words);

	memset(to, ' ', n);
	memcpy(to, words, len < n ? len : n);
}

/* Density support data block descriptor. */
static void put_density(uint8_t b[DENSITY_LEN], const struct drive_model *m, const struct medium *x, uint32_t mb)
{
	memset(b, 0, DENSITY_LEN);
	b[0] = b[1] = x->density;
	b[2] = (uint8_t)((can_write(m, x) ? 0x80 : 0) | (x == m->own ? 0x20 : 0));	/* WRTOK, DEFLT */
	put_be32(b + 4, x->bits_per_mm & 0xffffff);
	put_be16(b + 8, x->width_mm10);
	put_be16(b + 10, x->tracks);
	put_be32(b + 12, mb);
	put_words(b + 16, 8, x->organization);
	put_words(b + 24, 8, x->density_name);
	put_words(b + 32, 20, x->words);
}

/* Medium type descriptor.  How long the tape is has no meaning here: 0. */
static void put_type(uint8_t b[TYPE_LEN], const struct medium *x, bool worm)
{
	char words[32];

	snprintf(words, sizeof(words), "%s%s", x->words, worm ? " WORM" : "");
	memset(b, 0, TYPE_LEN);
	b[0] = worm ? x->worm_type : x->type;
	put_be16(b + 2, TYPE_LEN - 4);
	b[4] = 1;
	b[5] = x->density;
	put_be16(b + 14, x->width_mm10);
	put_words(b + 20, 8, x->organization);
	put_words(b + 28, 8, x->density_name);
	put_words(b + 36, 20, words);
}

/* What the loaded volume is. */
struct loaded { bool worm; uint32_t mb; };

static int look_at_loaded(struct scsi_unit *u, struct loaded *out)
{
	struct catalog_volume row;
	uint64_t mb;
	int r = err_fold(catalog_volume_by_id(library_catalog(u->cfg.lib), u->ssc.volume, &row));

	if (r)
		return r;
	out->worm = row.worm;
	/* What it was given says more than what a cartridge of that kind has. */
	mb = row.capacity_bytes ? row.capacity_bytes / 1000000 : u->ssc.medium->capacity_mb;
	out->mb = mb < UINT32_MAX ? (uint32_t)mb : UINT32_MAX;
	return 0;
}

static size_t put_densities(struct scsi_unit *u, const struct loaded *loaded, uint8_t *b)
{
	const struct medium *all[MEDIA_MAX];
	size_t n = 0, count = media_of(u->drive_model, all);

	if (loaded) {
		put_density(b, u->drive_model, u->ssc.medium, loaded->mb);
		return DENSITY_LEN;
	}
	for (size_t i = 0; i < count; i++, n += DENSITY_LEN)
		put_density(b + n, u->drive_model, all[i], all[i]->capacity_mb);
	return n;
}

static size_t put_types(struct scsi_unit *u, const struct loaded *loaded, uint8_t *b)
{
	const struct medium *all[MEDIA_MAX];
	size_t n = 0, count = media_of(u->drive_model, all);

	if (loaded) {
		put_type(b, u->ssc.medium, loaded->worm);
		return TYPE_LEN;
	}
	for (size_t i = 0; i < count; i++) {
		put_type(b + n, all[i], false);
		n += TYPE_LEN;
		put_type(b + n, all[i], true);
		n += TYPE_LEN;
	}
	return n;
}

static void report_density_support(struct scsi_unit *u, struct scsi_task *t)
{
	uint8_t b[HEADER_LEN + MEDIA_MAX * 2 * TYPE_LEN] = { 0 };
	bool media = t->cdb[1] & 0x01, types = t->cdb[1] & 0x02;
	struct loaded loaded;
	size_t n;
	int r;

	if (media && !u->ssc.volume) {
		task_check(t, NOT_READY, ASC_NO_MEDIUM);
		return;
	}
	r = media ? look_at_loaded(u, &loaded) : 0;
	if (r) {
		task_failed(t, r);
		return;
	}
	n = (types ? put_types : put_densities)(u, media ? &loaded : NULL, b + HEADER_LEN);
	/* AVAILABLE DENSITY SUPPORT LENGTH counts what comes behind it. */
	put_be16(b, (uint16_t)(HEADER_LEN - 2 + n));
	task_put(t, b, HEADER_LEN + n, get_be16(t->cdb + 7));
}

static const struct op ops[] = {
	{ 0x44, -1, "REPORT DENSITY SUPPORT", { 0x44, 0x03, 0, 0, 0, 0, 0, 0xff, 0xff }, 60, 0,
	  report_density_support },
};

const struct op_group ssc_density_group = OP_GROUP(ops);
