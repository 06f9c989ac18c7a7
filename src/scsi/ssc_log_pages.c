/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * ssc_log_pages: what is in a drive's log pages.  Those of SPC-4 and SSC-4, and 30h, 31h, 32h, 37h as IBM's and HPE's LTO
 * drives have them.
 *
 * Figures of the cartridge come from its memory (mam_history.c) and from the tape itself; there is no head that wears
 * out, so what counts retries and corrections is 0.  Compression shares bytes with other tapes and is not told apart
 * by tape: what a tape has is what was written to it, the ratio is 1.
 */
#include <assert.h>
#include <stdio.h>

#include "scsi/log.h"
#include "scsi/mam.h"
#include "scsi/mode.h"

/* Parameter control bytes: binary or ASCII list; not saved, or with the cartridge. */
#define COUNTER 0x40
#define LIST 0x43
#define TEXT 0x41
#define KEPT_LIST 0x03
#define KEPT_TEXT 0x01

#define MEGA 1000000u
#define UNKNOWN_OBJECT 0xfffffffffffeull

/* ---- parameters -------------------------------------------------------------------------------------------------- */

static void put(struct log *l, uint16_t code, uint8_t control, const void *p, size_t n)
{
	uint8_t header[4] = { (uint8_t)(code >> 8), (uint8_t)code, control, (uint8_t)n };

	if (code < l->from || l->r)
		return;
	l->r = buf_append(&l->b, header, sizeof(header));
	if (!l->r)
		l->r = buf_append(&l->b, p, n);
}

/* In @bytes bytes, 1 to 8; the largest that fits if it does not. */
static void put_number(struct log *l, uint16_t code, uint8_t control, unsigned bytes, uint64_t n)
{
	uint8_t b[8];

	if (bytes < 8 && n >> 8 * bytes)
		n = (1ull << 8 * bytes) - 1;
	put_be64(b, n);
	put(l, code, control, b + 8 - bytes, bytes);
}

static void put_counter(struct log *l, uint16_t code, unsigned bytes, uint64_t n)
{
	put_number(l, code, COUNTER, bytes, l->zero ? 0 : n);
}

static void put_text(struct log *l, uint16_t code, uint8_t control, size_t n, const char *s)
{
	char b[32];
	size_t len = strlen(s);

	assert(n <= sizeof(b));
	memset(b, ' ', sizeof(b));
	memcpy(b, s, len < n ? len : n);
	put(l, code, control, b, n);
}

/* ---- how much is on the tape ------------------------------------------------------------------------------------- */

struct sizes {
	uint32_t partitions;
	uint64_t all[TAPE_PARTITIONS_MAX], left[TAPE_PARTITIONS_MAX], used[TAPE_PARTITIONS_MAX];
	uint32_t partition;		/* where the head is */
	uint64_t before;		/* bytes before the head */
};

static int ends_of(struct volume *v, struct sizes *s)
{
	struct tape_tally end;
	int r = 0;

	s->partitions = volume_partitions(v);
	for (uint32_t p = 0; !r && p < s->partitions; p++) {
		r = volume_end(v, p, &end);
		if (!r)
			s->used[p] = end.bytes;
	}
	return r;
}

static int head_of(struct scsi_unit *u, struct volume *v, const struct library_drive *info, struct sizes *s)
{
	struct tape_tally here;
	int r;

	if (info->pos.partition >= s->partitions)
		return 0;
	s->partition = info->pos.partition;
	r = volume_tally(v, info->pos.partition, info->pos.object, &here);
	if (!r)
		s->before = here.bytes;
	return r;
}

static int sizes_of(struct scsi_unit *u, struct sizes *s)
{
	struct library_drive info = { 0 };
	struct volume *v;
	int r, end;

	*s = (struct sizes){ 0 };
	r = library_drive_info(u->cfg.lib, u->ssc.number, &info);
	if (!r)
		r = library_look(u->cfg.lib, u->ssc.volume, &v);
	if (r)
		return r;
	r = ends_of(v, s);
	if (!r)
		r = head_of(u, v, &info, s);
	end = library_look_end(u->cfg.lib, u->ssc.volume);
	if (!r)
		r = end;
	for (uint32_t p = 0; !r && p < s->partitions; p++)
		r = ssc_capacity(u, p, &s->all[p], &s->left[p]);
	return err_fold(r);
}

/* Bytes between early warning and the end of a partition, as the tape has it (tape.h). */
static uint64_t warning_bytes(uint64_t all)
{
	uint64_t most = 64u << 20;

	return all / 10 < most ? all / 10 : most;
}

/* ---- 02h, 03h error counters ------------------------------------------------------------------------------------- */

static void put_errors(struct log *l, uint64_t bytes, uint64_t errors)
{
	for (uint16_t code = 0x0000; code <= 0x0004; code++)
		put_counter(l, code, 4, 0);
	put_counter(l, 0x0005, 8, bytes);
	put_counter(l, 0x0006, 4, errors);
}

static void write_errors_put(struct log *l)
{
	put_errors(l, l->u->ssc.count.all_written_bytes, l->u->ssc.count.write_errors);
}

static void read_errors_put(struct log *l)
{
	put_errors(l, l->u->ssc.count.all_read_bytes, l->u->ssc.count.read_errors);
}

static void errors_reset(struct scsi_unit *u)
{
	int r = mam_errors_reset(u);

	if (r)
		log_warn("errors are not kept with the cartridge: %s", err_text(r));
}

static void write_errors_reset(struct scsi_unit *u)
{
	errors_reset(u);
	u->ssc.count.all_written_bytes = 0;
}

static void read_errors_reset(struct scsi_unit *u)
{
	errors_reset(u);
	u->ssc.count.all_read_bytes = 0;
}

/* ---- 0Ch sequential access device --------------------------------------------------------------------------------- */

static void sequential_put(struct log *l)
{
	const struct ssc_counters *c = &l->u->ssc.count;
	uint64_t warning, all;
	struct sizes s = { 0 };
	bool loaded = l->u->ssc.volume;

	if (loaded)
		l->r = sizes_of(l->u, &s);
	all = s.all[s.partition];
	warning = warning_bytes(all);
	put_number(l, 0x0000, LIST, 8, c->all_written_bytes);
	put_number(l, 0x0001, LIST, 8, c->all_written_bytes);
	put_number(l, 0x0002, LIST, 8, c->all_read_bytes);
	put_number(l, 0x0003, LIST, 8, c->all_read_bytes);
	put_number(l, 0x0004, LIST, 4, loaded ? s.used[s.partition] / MEGA : UINT32_MAX);
	put_number(l, 0x0005, LIST, 4, loaded ? (all - warning) / MEGA : UINT32_MAX);
	put_number(l, 0x0006, LIST, 4, loaded ? warning / MEGA : UINT32_MAX);
	put_number(l, 0x0007, LIST, 4, loaded ? s.before / MEGA : UINT32_MAX);
	put_number(l, 0x0008, LIST, 4, 0);
	put_number(l, 0x0100, LIST, 8, 0);	/* no cleaning is required */
}

static void sequential_reset(struct scsi_unit *u)
{
	u->ssc.count.all_written_bytes = u->ssc.count.all_read_bytes = 0;
}

/* ---- 11h DT device status, 12h TapeAlert response, 2Eh TapeAlert --------------------------------------------------- */

static void status_put(struct log *l)
{
	struct scsi_unit *u = l->u;
	const struct ssc *s = &u->ssc;
	uint8_t vhf[4] = { 0 };

	vhf[0] = (uint8_t)((s->prevented ? 0x80 : 0) | (s->volume ? 0x20 : 0) | (s->mode.compression ? 0x10 : 0) |
			   (ssc_protected(u) ? 0x08 : 0) | 0x01);	/* PAMR, MACC, CMPR, WRTP, DINIT */
	/* RAA, or medium present, seated, threaded, mounted */
	vhf[1] = s->volume ? 0x17 : 0x20;
	vhf[3] = (uint8_t)((s->crypt.encrypt || s->crypt.decrypt ? 0x10 : 0) | (s->alerts ? 0x01 : 0));	/* EPP, TAFC */
	put(l, 0x0000, LIST, vhf, sizeof(vhf));
	put_number(l, 0x0001, LIST, 2, 100);	/* to be polled every so many milliseconds */
}

static void response_put(struct log *l)
{
	uint8_t flags[8] = { 0 };

	for (unsigned flag = 1; flag <= 64; flag++)
		if (l->u->ssc.alerts & 1ull << (flag - 1))
			flags[(flag - 1) / 8] |= (uint8_t)(0x80 >> (flag - 1) % 8);
	put(l, 0x0000, LIST, flags, sizeof(flags));
}

static void alert_put(struct log *l)
{
	for (unsigned flag = 1; flag <= 64; flag++)
		put_number(l, (uint16_t)flag, LIST, 1, l->u->ssc.alerts >> (flag - 1) & 1);
}

static void alert_reset(struct scsi_unit *u)
{
	u->ssc.alerts = 0;
}

/* ---- 14h device statistics ----------------------------------------------------------------------------------------- */

static void device_put(struct log *l)
{
	const struct ssc_counters *c = &l->u->ssc.count;

	put_number(l, 0x0000, LIST, 4, c->loads);
	put_number(l, 0x0001, LIST, 4, 0);	/* cleaning operations */
	put_number(l, 0x000f, LIST, 4, c->loads);
	put_number(l, 0x0010, LIST, 4, c->write_errors);
	put_number(l, 0x0011, LIST, 4, c->read_errors);
	put_text(l, 0x0040, TEXT, 32, l->u->id.serial);
	put_text(l, 0x0041, TEXT, 32, l->u->id.serial);
	put_number(l, 0x0080, LIST, 1, l->u->ssc.prevented);
}

/* ---- 17h volume statistics ----------------------------------------------------------------------------------------- */

/* Records of a partition each: length behind itself, reserved, partition, number of @bytes bytes. */
static void put_partitions(struct log *l, uint16_t code, unsigned bytes, uint32_t partitions, const uint64_t *n)
{
	uint8_t b[TAPE_PARTITIONS_MAX * 12], number[8], *p = b;

	for (uint32_t i = 0; i < partitions; i++) {
		p[0] = (uint8_t)(3 + bytes);
		p[1] = 0;
		put_be16(p + 2, (uint16_t)i);
		put_be64(number, n[i]);
		memcpy(p + 4, number + 8 - bytes, bytes);
		p += 4 + bytes;
	}
	put(l, code, KEPT_LIST, b, (size_t)(p - b));
}

/* All ones say that an end of data is missing, one less that it is not known. */
static uint64_t megabytes(uint64_t bytes)
{
	uint64_t mb = bytes / MEGA;

	return mb < 0xfffffffd ? mb : 0xfffffffd;
}

static void put_capacities(struct log *l, const struct sizes *s)
{
	uint64_t all[TAPE_PARTITIONS_MAX] = { 0 }, used[TAPE_PARTITIONS_MAX] = { 0 }, left[TAPE_PARTITIONS_MAX] = { 0 };
	uint64_t unknown[TAPE_PARTITIONS_MAX];

	for (uint32_t p = 0; p < TAPE_PARTITIONS_MAX; p++) {
		uint64_t warning = warning_bytes(s->all[p]);

		all[p] = megabytes(s->all[p]);
		used[p] = megabytes(s->used[p] + MEGA - 1);
		left[p] = megabytes(s->left[p] > warning ? s->left[p] - warning : 0);
		unknown[p] = UNKNOWN_OBJECT;
	}
	put_partitions(l, 0x0200, 6, s->partitions, unknown);	/* first encrypted object, first in clear behind it */
	put_partitions(l, 0x0201, 6, s->partitions, unknown);
	put_partitions(l, 0x0202, 4, s->partitions, all);
	put_partitions(l, 0x0203, 4, s->partitions, used);
	put_partitions(l, 0x0204, 4, s->partitions, left);
}

static void put_mounts(struct log *l, const struct mam_history *h)
{
	uint8_t b[MAM_DEVICES * (4 + MAM_DEVICE_BYTES)], *p = b;

	for (unsigned i = 0; i < MAM_DEVICES && h->devices[i][0]; i++) {
		p[0] = 3 + MAM_DEVICE_BYTES;
		p[1] = 0;
		put_be16(p + 2, (uint16_t)i);
		memcpy(p + 4, h->devices[i], MAM_DEVICE_BYTES);
		p += 4 + MAM_DEVICE_BYTES;
	}
	put(l, 0x0300, KEPT_LIST, b, (size_t)(p - b));
}

static uint64_t sum_of(const uint64_t *n, uint32_t count)
{
	uint64_t sum = 0;

	for (uint32_t i = 0; i < count; i++)
		sum += n[i];
	return sum;
}

/* Data sets, retries and suspended writes are a real tape's; in lengths of IBM's drives, which LTFS reads. */
static void put_life(struct log *l, const struct mam_history *h, const struct sizes *s)
{
	const struct mam_traffic *b = &h->before, *now = &h->load;

	put_number(l, 0x0001, KEPT_LIST, 4, h->loads);
	put_number(l, 0x0002, KEPT_LIST, 8, 0);
	put_number(l, 0x0003, KEPT_LIST, 4, 0);
	put_number(l, 0x0004, KEPT_LIST, 2, b->write_errors + now->write_errors);
	put_number(l, 0x0005, KEPT_LIST, 2, 0);
	put_number(l, 0x0006, KEPT_LIST, 2, 0);
	put_number(l, 0x0007, KEPT_LIST, 8, 0);
	put_number(l, 0x0008, KEPT_LIST, 4, 0);
	put_number(l, 0x0009, KEPT_LIST, 2, b->read_errors + now->read_errors);
	put_number(l, 0x000c, KEPT_LIST, 2, h->previous.write_errors);
	put_number(l, 0x000d, KEPT_LIST, 2, h->previous.read_errors);
	put_number(l, 0x000e, KEPT_LIST, 4, h->previous.written_bytes / MEGA);
	put_number(l, 0x000f, KEPT_LIST, 4, h->previous.read_bytes / MEGA);
	put_number(l, 0x0010, KEPT_LIST, 8, (b->written_bytes + now->written_bytes) / MEGA);
	put_number(l, 0x0011, KEPT_LIST, 8, (b->read_bytes + now->read_bytes) / MEGA);
	put_number(l, 0x0012, KEPT_LIST, 2, 100);
	put_number(l, 0x0013, KEPT_LIST, 2, 100);
	put_number(l, 0x0016, KEPT_LIST, 4, megabytes(sum_of(s->all, s->partitions)));
	put_number(l, 0x0017, KEPT_LIST, 4, megabytes(sum_of(s->used, s->partitions) + MEGA - 1));
}

/* Of which volume; a personality is "Ultrium-" and the generation. */
static void put_names(struct log *l, const struct catalog_volume *row)
{
	const struct medium *m = l->u->ssc.medium;
	char personality[10] = "VTAPE";

	if (m && m->suffix[0] == 'L')
		snprintf(personality, sizeof(personality), "Ultrium-%c", m->suffix[1]);
	put_text(l, 0x0040, KEPT_TEXT, 32, row->serial);
	put_text(l, 0x0041, KEPT_TEXT, 8, "");
	put_text(l, 0x0042, KEPT_TEXT, 32, row->name);
	put_text(l, 0x0043, KEPT_TEXT, 8, "VTAPE");
	put_text(l, 0x0044, KEPT_TEXT, 4, "");
	put_text(l, 0x0045, KEPT_TEXT, 9, personality);
	put_number(l, 0x0080, KEPT_LIST, 1, ssc_protected(l->u));
	put_number(l, 0x0081, KEPT_LIST, 1, row->worm);
	put_number(l, 0x0082, KEPT_LIST, 1, 0);
	put_number(l, 0x0101, KEPT_LIST, 4, 0);
	put_number(l, 0x0102, KEPT_LIST, 4, 0);
}

/* Not more than 1024 bytes: LTFS reads no more. */
static void volume_put(struct log *l)
{
	struct scsi_unit *u = l->u;
	struct catalog_volume row;
	struct mam_history h;
	struct sizes s;

	put_number(l, 0x0000, KEPT_LIST, 1, u->ssc.volume != 0);	/* PAGE VALID */
	if (!u->ssc.volume || l->r)
		return;
	l->r = err_fold(catalog_volume_by_id(library_catalog(u->cfg.lib), u->ssc.volume, &row));
	if (!l->r)
		l->r = mam_history(u, &h);
	if (!l->r)
		l->r = sizes_of(u, &s);
	if (l->r)
		return;
	put_life(l, &h, &s);
	put_names(l, &row);
	put_capacities(l, &s);
	put_mounts(l, &h);
}

/* ---- 1Bh and 32h data compression ---------------------------------------------------------------------------------- */

/* Whole megabytes, and the bytes beyond them. */
static void put_split(struct log *l, uint16_t code, uint64_t bytes)
{
	put_number(l, code, LIST, 4, bytes / MEGA);
	put_number(l, (uint16_t)(code + 1), LIST, 4, bytes % MEGA);
}

static void compression_put(struct log *l)
{
	const struct ssc_counters *c = &l->u->ssc.count;

	put_number(l, 0x0000, LIST, 2, 100);	/* ratios in hundredths */
	put_number(l, 0x0001, LIST, 2, 100);
	put_split(l, 0x0002, c->read_bytes);	/* to the host, from the tape */
	put_split(l, 0x0004, c->read_bytes);
	put_split(l, 0x0006, c->written_bytes);	/* from the host, to the tape */
	put_split(l, 0x0008, c->written_bytes);
}

/* ---- 30h tape usage, 31h tape capacity, 37h performance ------------------------------------------------------------ */

static void usage_put(struct log *l)
{
	static const struct { uint16_t code; uint8_t bytes; } parameters[] = {
		{ 0x0001, 4 }, { 0x0002, 8 }, { 0x0003, 4 }, { 0x0004, 2 }, { 0x0005, 2 }, { 0x0006, 2 },
		{ 0x0007, 8 }, { 0x0008, 4 }, { 0x0009, 2 }, { 0x000a, 2 }, { 0x000b, 2 },
	};
	struct mam_history h = { 0 };

	if (l->u->ssc.volume)
		l->r = mam_history(l->u, &h);
	for (size_t i = 0; i < ARRAY_LEN(parameters); i++) {
		uint64_t n = parameters[i].code == 0x0001 ? h.loads :
			     parameters[i].code == 0x0004 ? h.before.write_errors + h.load.write_errors :
			     parameters[i].code == 0x0009 ? h.before.read_errors + h.load.read_errors : 0;

		put_number(l, parameters[i].code, LIST, parameters[i].bytes, n);
	}
}

/* MiB left of partition 0 and 1, then their whole; the same of 2 and 3 only where there are such: tapeinfo wants a page
 * of 32 bytes. */
static void capacity_put(struct log *l)
{
	struct sizes s = { 0 };

	if (l->u->ssc.volume)
		l->r = sizes_of(l->u, &s);
	for (uint16_t p = 0; p < (s.partitions > 2 ? 4 : 2); p += 2) {
		put_number(l, (uint16_t)(2 * p + 1), LIST, 4, s.left[p] >> 20);
		put_number(l, (uint16_t)(2 * p + 2), LIST, 4, s.left[p + 1] >> 20);
		put_number(l, (uint16_t)(2 * p + 3), LIST, 4, s.all[p] >> 20);
		put_number(l, (uint16_t)(2 * p + 4), LIST, 4, s.all[p + 1] >> 20);
	}
}

/* Drive and media efficiency: 0, not known. */
static void performance_put(struct log *l)
{
	put_number(l, 0x0000, LIST, 1, 0);
	put_number(l, 0x0001, LIST, 1, 0);
}

/* ---- the table ----------------------------------------------------------------------------------------------------- */

static const struct log_page pages[] = {
	{ 0x02, true, write_errors_put, write_errors_reset },
	{ 0x03, true, read_errors_put, read_errors_reset },
	{ 0x0c, false, sequential_put, sequential_reset },
	{ 0x11, false, status_put, NULL },
	{ 0x12, false, response_put, NULL },
	{ 0x14, false, device_put, NULL },
	{ 0x17, false, volume_put, NULL },
	{ 0x1b, false, compression_put, NULL },
	{ LOG_TAPE_ALERT, false, alert_put, alert_reset },
	{ 0x30, false, usage_put, NULL },
	{ 0x31, false, capacity_put, NULL },
	{ 0x32, false, compression_put, NULL },
	{ 0x37, false, performance_put, NULL },
};

const struct log_page *log_pages(size_t *count)
{
	*count = ARRAY_LEN(pages);
	return pages;
}
