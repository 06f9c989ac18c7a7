/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * smc_mode: a changer's mode parameters and log pages (SMC-3, SPC-4).  Where elements are, what goes where; the only
 * thing that an initiator can change is the vendor's page: whether a MOVE MEDIUM takes a tape out of a drive that has
 * not been unloaded.  Nothing is saved.
 *
 * The vendor's page: byte 0 20h, byte 1 02h, byte 2 bit 0: AUTO UNLOAD, byte 3 reserved.
 */
#include "scsi/unit.h"

#define PAGE_MAX 20u
#define PAGE_ALL 0x3f
#define ALERTS 64u			/* flags of TapeAlert */

enum control { CURRENT, CHANGEABLE, DEFAULT, SAVED };	/* PC */

/* ---- pages ------------------------------------------------------------------------------------------------------ */

/* Bytes put; @out is all zero. */
static size_t put_addresses(const struct scsi_unit *u, enum control pc, uint8_t *out)
{
	struct element_run runs[ELEMENT_TYPES];

	out[0] = 0x1d;
	out[1] = 18;
	smc_runs(u, runs);
	for (unsigned i = 0; pc != CHANGEABLE && i < ELEMENT_TYPES; i++) {
		put_be16(out + 4 * runs[i].type - 2, (uint16_t)runs[i].first);
		put_be16(out + 4 * runs[i].type, (uint16_t)runs[i].count);
	}
	return 20;
}

/* One transport element; it turns nothing over. */
static size_t put_geometry(const struct scsi_unit *u, enum control pc, uint8_t *out)
{
	out[0] = 0x1e;
	out[1] = 2;
	return 4;
}

/* Slots, ports and drives keep volumes; from each of them to each, moved or exchanged. */
static size_t put_capabilities(const struct scsi_unit *u, enum control pc, uint8_t *out)
{
	out[0] = 0x1f;
	out[1] = 18;
	if (pc == CHANGEABLE)
		return 20;
	out[2] = 0x0e;
	for (unsigned type = ELEMENT_STORAGE; type <= ELEMENT_DRIVE; type++)
		out[3 + type] = out[11 + type] = 0x0e;
	return 20;
}

static size_t put_vendor(const struct scsi_unit *u, enum control pc, uint8_t *out)
{
	out[0] = 0x20;
	out[1] = 2;
	out[2] = pc == CHANGEABLE ? 1 : pc == DEFAULT ? !u->changer_model->unload_first : u->smc.auto_unload;
	return 4;
}

/* In the order in which they are given when all are asked for. */
static const struct page {
	uint8_t code;
	size_t (*put)(const struct scsi_unit *u, enum control pc, uint8_t *out);
} pages[] = {
	{ 0x1d, put_addresses }, { 0x1e, put_geometry }, { 0x1f, put_capabilities }, { 0x20, put_vendor },
};

/* ---- MODE SENSE ------------------------------------------------------------------------------------------------- */

static void mode_sense(struct scsi_unit *u, struct scsi_task *t, size_t header, size_t alloc)
{
	uint8_t out[8 + ARRAY_LEN(pages) * PAGE_MAX] = { 0 }, code = t->cdb[2] & 0x3f, subpage = t->cdb[3];
	enum control pc = t->cdb[2] >> 6;
	size_t n = header;

	if (pc == SAVED) {
		task_check(t, ILLEGAL_REQUEST, ASC_SAVING_NOT_SUPPORTED);
		return;
	}
	if (subpage && subpage != 0xff) {
		task_bad_cdb(t, 3, -1);
		return;
	}
	for (size_t i = 0; i < ARRAY_LEN(pages); i++)
		if (code == PAGE_ALL || code == pages[i].code)
			n += pages[i].put(u, pc, out + n);
	if (n == header) {
		task_bad_cdb(t, 2, 5);
		return;
	}
	if (header == 4)
		out[0] = (uint8_t)(n - 1);
	else
		put_be16(out, (uint16_t)(n - 2));
	task_put(t, out, n, alloc);
}

static void mode_sense6(struct scsi_unit *u, struct scsi_task *t)
{
	mode_sense(u, t, 4, t->cdb[4]);
}

static void mode_sense10(struct scsi_unit *u, struct scsi_task *t)
{
	mode_sense(u, t, 8, get_be16(t->cdb + 7));
}

/* ---- MODE SELECT ------------------------------------------------------------------------------------------------ */

/* A page as it came, at @at of the list: what cannot be changed has to be as it is.  False: answered. */
static bool page_fits(struct scsi_unit *u, struct scsi_task *t, size_t at, size_t len, uint8_t *auto_unload)
{
	const uint8_t *p = t->data + at;

	for (size_t i = 0; i < ARRAY_LEN(pages); i++) {
		uint8_t now[PAGE_MAX] = { 0 }, may[PAGE_MAX] = { 0 };
		size_t n;

		if ((p[0] & 0x7f) != pages[i].code)
			continue;
		n = pages[i].put(u, CURRENT, now);
		pages[i].put(u, CHANGEABLE, may);
		if (len != n) {
			task_bad_parameter(t, (unsigned)at + 1, -1);
			return false;
		}
		for (size_t k = 2; k < n; k++) {
			if (!((p[k] ^ now[k]) & ~may[k]))
				continue;
			task_bad_parameter(t, (unsigned)(at + k), -1);
			return false;
		}
		if (p[0] == 0x20)
			*auto_unload = p[2] & 1;
		return true;
	}
	task_bad_parameter(t, (unsigned)at, 5);
	return false;
}

/* All of the list is looked at before anything is changed. */
static void mode_select(struct scsi_unit *u, struct scsi_task *t, size_t header, size_t n)
{
	size_t descriptors_at = header == 4 ? 3 : 6, at = header;
	uint8_t auto_unload = u->smc.auto_unload;

	if (!n)
		return;
	if (!task_got(t, n))
		return;
	if (n < header) {
		task_check(t, ILLEGAL_REQUEST, ASC_PARAMETER_LIST_LENGTH);
		return;
	}
	if (t->data[descriptors_at] || (header == 8 && t->data[7])) {
		task_bad_parameter(t, (unsigned)descriptors_at, -1);
		return;
	}
	while (at < n) {
		size_t len = n - at >= 2 ? 2u + t->data[at + 1] : SIZE_MAX;

		if (len > n - at) {
			task_check(t, ILLEGAL_REQUEST, ASC_PARAMETER_LIST_LENGTH);
			return;
		}
		if (!page_fits(u, t, at, len, &auto_unload))
			return;
		at += len;
	}
	u->smc.auto_unload = auto_unload;
}

static void mode_select6(struct scsi_unit *u, struct scsi_task *t)
{
	mode_select(u, t, 4, t->cdb[4]);
}

static void mode_select10(struct scsi_unit *u, struct scsi_task *t)
{
	mode_select(u, t, 8, get_be16(t->cdb + 7));
}

/* ---- LOG SENSE -------------------------------------------------------------------------------------------------- */

/* TapeAlert: 64 flags, from the parameter that was asked for on; none is ever set. */
static size_t log_alerts(uint8_t *out, unsigned from)
{
	size_t n = 4;

	for (unsigned flag = from ? from : 1; flag <= ALERTS; flag++) {
		put_be16(out + n, (uint16_t)flag);
		out[n + 2] = 0x03;	/* a list in binary format */
		out[n + 3] = 1;
		n += 5;
	}
	return n;
}

static void log_sense(struct scsi_unit *u, struct scsi_task *t)
{
	static const uint8_t names[] = { 0x00, 0x2e }, with_subpages[] = { 0x00, 0x00, 0x00, 0xff, 0x2e, 0x00 };
	uint8_t out[4 + ALERTS * 5] = { 0 }, code = t->cdb[2] & 0x3f, subpage = t->cdb[3];
	unsigned from = get_be16(t->cdb + 5);
	size_t n = 4;

	if ((code != 0x00 && code != 0x2e) || (subpage && (code || subpage != 0xff))) {
		task_bad_cdb(t, code != 0x00 && code != 0x2e ? 2 : 3, -1);
		return;
	}
	if (from > (code ? ALERTS : 0)) {
		task_bad_cdb(t, 5, -1);
		return;
	}
	out[0] = code;
	if (code) {
		n = log_alerts(out, from);
	} else if (subpage) {
		out[0] |= 0x40;
		out[1] = 0xff;
		memcpy(out + n, with_subpages, sizeof(with_subpages));
		n += sizeof(with_subpages);
	} else {
		memcpy(out + n, names, sizeof(names));
		n += sizeof(names);
	}
	put_be16(out + 2, (uint16_t)(n - 4));
	task_put(t, out, n, get_be16(t->cdb + 7));
}

/* Byte 1, bits 5-7: see smc.c. */
static const struct op ops[] = {
	{ 0x15, -1, "MODE SELECT(6)", { 0x15, 0xf0, 0x00, 0x00, 0xff }, 60, OP_OUT, mode_select6 },
	{ 0x1a, -1, "MODE SENSE(6)", { 0x1a, 0xe8, 0xff, 0xff, 0xff }, 60, 0, mode_sense6 },
	{ 0x4d, -1, "LOG SENSE", { 0x4d, 0x00, 0xff, 0xff, 0x00, 0xff, 0xff, 0xff, 0xff }, 60, 0, log_sense },
	{ 0x55, -1, "MODE SELECT(10)",
	  { 0x55, 0xf0, 0x00, 0x00, 0x00, 0x00, 0x00, 0xff, 0xff }, 60, OP_OUT, mode_select10 },
	{ 0x5a, -1, "MODE SENSE(10)", { 0x5a, 0xf8, 0xff, 0xff, 0x00, 0x00, 0x00, 0xff, 0xff }, 60, 0, mode_sense10 },
};
const struct op_group smc_mode_group = OP_GROUP(ops);
