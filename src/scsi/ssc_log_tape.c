/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * ssc_log_tape: the log pages with what is on the tape and what happened to its cartridge: 0Ch, 17h, 30h, 31h.
 *
 * The figures come from the cartridge's memory (mam_history.c) and from the tape itself.
 */
#include <stdio.h>

#include "scsi/log.h"
#include "scsi/mam.h"
#include "scsi/mode.h"

#define UNKNOWN_OBJECT 0xfffffffffffeull

/* ---- how much is on the tape ------------------------------------------------------------------------------------ */

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

static void head_of(struct volume *v, const struct library_drive *info, struct sizes *s)
{
	struct tape_tally here;

	if (info->pos.partition >= s->partitions)
		return;
	s->partition = info->pos.partition;
	/* A program that has the drive may have cut the tape since; or its map is damaged there. */
	if (volume_tally(v, info->pos.partition, info->pos.object, &here))
		here.bytes = s->used[s->partition];
	s->before = here.bytes;
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
		head_of(v, &info, s);
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

/* ---- 0Ch sequential access device ------------------------------------------------------------------------------- */

void log_sequential(struct log *l)
{
	const struct ssc_counters *c = &l->u->ssc.count;
	uint64_t warning, all;
	struct sizes s = { 0 };
	bool loaded = l->u->ssc.volume;

	if (loaded)
		l->r = sizes_of(l->u, &s);
	all = s.all[s.partition];
	warning = warning_bytes(all);
	log_number(l, 0x0000, LIST, 8, c->all_written_bytes);
	log_number(l, 0x0001, LIST, 8, c->all_written_bytes);
	log_number(l, 0x0002, LIST, 8, c->all_read_bytes);
	log_number(l, 0x0003, LIST, 8, c->all_read_bytes);
	log_number(l, 0x0004, LIST, 4, loaded ? s.used[s.partition] / MEGA : UINT32_MAX);
	log_number(l, 0x0005, LIST, 4, loaded ? (all - warning) / MEGA : UINT32_MAX);
	log_number(l, 0x0006, LIST, 4, loaded ? warning / MEGA : UINT32_MAX);
	log_number(l, 0x0007, LIST, 4, loaded ? s.before / MEGA : UINT32_MAX);
	log_number(l, 0x0008, LIST, 4, 0);
	log_number(l, 0x0100, LIST, 8, 0);	/* no cleaning is required */
}

/* ---- 17h volume statistics -------------------------------------------------------------------------------------- */

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
	log_put(l, code, KEPT_LIST, b, (size_t)(p - b));
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
	log_put(l, 0x0300, KEPT_LIST, b, (size_t)(p - b));
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

	log_number(l, 0x0001, KEPT_LIST, 4, h->loads);
	log_number(l, 0x0002, KEPT_LIST, 8, 0);
	log_number(l, 0x0003, KEPT_LIST, 4, 0);
	log_number(l, 0x0004, KEPT_LIST, 2, b->write_errors + now->write_errors);
	log_number(l, 0x0005, KEPT_LIST, 2, 0);
	log_number(l, 0x0006, KEPT_LIST, 2, 0);
	log_number(l, 0x0007, KEPT_LIST, 8, 0);
	log_number(l, 0x0008, KEPT_LIST, 4, 0);
	log_number(l, 0x0009, KEPT_LIST, 2, b->read_errors + now->read_errors);
	log_number(l, 0x000c, KEPT_LIST, 2, h->previous.write_errors);
	log_number(l, 0x000d, KEPT_LIST, 2, h->previous.read_errors);
	log_number(l, 0x000e, KEPT_LIST, 4, h->previous.written_bytes / MEGA);
	log_number(l, 0x000f, KEPT_LIST, 4, h->previous.read_bytes / MEGA);
	log_number(l, 0x0010, KEPT_LIST, 8, (b->written_bytes + now->written_bytes) / MEGA);
	log_number(l, 0x0011, KEPT_LIST, 8, (b->read_bytes + now->read_bytes) / MEGA);
	log_number(l, 0x0012, KEPT_LIST, 2, 100);
	log_number(l, 0x0013, KEPT_LIST, 2, 100);
	log_number(l, 0x0016, KEPT_LIST, 4, megabytes(sum_of(s->all, s->partitions)));
	log_number(l, 0x0017, KEPT_LIST, 4, megabytes(sum_of(s->used, s->partitions) + MEGA - 1));
}

/* Of which volume; a personality is "Ultrium-" and the generation. */
static void put_names(struct log *l, const struct catalog_volume *row)
{
	const struct medium *m = l->u->ssc.medium;
	char personality[10] = "VTAPE";

	if (m && m->suffix[0] == 'L')
		snprintf(personality, sizeof(personality), "Ultrium-%c", m->suffix[1]);
	log_text(l, 0x0040, KEPT_TEXT, 32, row->serial);
	log_text(l, 0x0041, KEPT_TEXT, 8, "");
	log_text(l, 0x0042, KEPT_TEXT, 32, row->name);
	log_text(l, 0x0043, KEPT_TEXT, 8, "VTAPE");
	log_text(l, 0x0044, KEPT_TEXT, 4, "");
	log_text(l, 0x0045, KEPT_TEXT, 9, personality);
	log_number(l, 0x0080, KEPT_LIST, 1, ssc_protected(l->u));
	log_number(l, 0x0081, KEPT_LIST, 1, row->worm);
	log_number(l, 0x0082, KEPT_LIST, 1, 0);
	log_number(l, 0x0101, KEPT_LIST, 4, 0);
	log_number(l, 0x0102, KEPT_LIST, 4, 0);
}

/* Not more than 1024 bytes: LTFS reads no more. */
void log_volume(struct log *l)
{
	struct scsi_unit *u = l->u;
	struct catalog_volume row;
	struct mam_history h;
	struct sizes s;

	log_number(l, 0x0000, KEPT_LIST, 1, u->ssc.volume != 0);	/* PAGE VALID */
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

/* ---- 30h tape usage, 31h tape capacity -------------------------------------------------------------------------- */

void log_usage(struct log *l)
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

		log_number(l, parameters[i].code, LIST, parameters[i].bytes, n);
	}
}

/* MiB left of partition 0 and 1, then their whole; the same of 2 and 3 only where there are such: tapeinfo wants a page
 * of 32 bytes. */
void log_capacity(struct log *l)
{
	struct sizes s = { 0 };

	if (l->u->ssc.volume)
		l->r = sizes_of(l->u, &s);
	for (unsigned p = 0; p < (s.partitions > 2 ? 4u : 2u); p += 2) {
		log_number(l, (uint16_t)(2 * p + 1), LIST, 4, s.left[p] >> 20);
		log_number(l, (uint16_t)(2 * p + 2), LIST, 4, s.left[p + 1] >> 20);
		log_number(l, (uint16_t)(2 * p + 3), LIST, 4, s.all[p] >> 20);
		log_number(l, (uint16_t)(2 * p + 4), LIST, 4, s.all[p + 1] >> 20);
	}
}
