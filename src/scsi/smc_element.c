/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * smc_element: element addresses and what initiators are told of elements.  Reports are pages, one for each type of
 * element, in the order of addresses; however much of a report is asked for, its header says how long all of it is.
 * A report is of one moment: if something was moved while it was made, it is made again.
 *
 * A volume's name is its primary volume tag: 32 bytes filled up with blanks (longer names are cut), then a volume
 * sequence number of 0.  There are no alternate tags.
 */
#include <stdio.h>

#include "scsi/unit.h"

#define TAG_LEN 36u
#define TAG_NAME_LEN 32u
#define DESCRIPTOR_LEN 16u		/* without tag and identifier: SMC-3, the identifier's own header is in it */
#define HEADER_LEN 8u			/* of a report, of a page */
#define IDENTIFIER_MAX (8u + 16u + 32u)	/* vendor, product, serial number */
#define TRIES 3

/* ---- addresses -------------------------------------------------------------------------------------------------- */

void smc_runs(const struct scsi_unit *u, struct element_run out[ELEMENT_TYPES])
{
	const struct changer_model *m = u->changer_model;
	uint32_t slots, ports;

	library_places(u->cfg.lib, &slots, &ports);
	out[0] = (struct element_run){ ELEMENT_TRANSPORT, m->first_transport, 1 };
	out[1] = (struct element_run){ ELEMENT_STORAGE, m->first_slot, slots };
	out[2] = (struct element_run){ ELEMENT_PORT, m->first_port, ports };
	out[3] = (struct element_run){ ELEMENT_DRIVE, m->first_drive, library_drives(u->cfg.lib) };
	for (unsigned i = 1; i < ELEMENT_TYPES; i++) {
		for (unsigned k = i; k && out[k].first < out[k - 1].first; k--) {
			struct element_run swap = out[k];

			out[k] = out[k - 1];
			out[k - 1] = swap;
		}
	}
}

static struct library_place place_of(enum element_type type, uint32_t number)
{
	static const enum library_place_kind kind[] = {
		[ELEMENT_STORAGE] = LIBRARY_SLOT, [ELEMENT_PORT] = LIBRARY_PORT, [ELEMENT_DRIVE] = LIBRARY_DRIVE,
	};

	return (struct library_place){ type <= ELEMENT_DRIVE ? kind[type] : LIBRARY_OUTSIDE, number };
}

static const struct element_run *run_of(const struct element_run runs[ELEMENT_TYPES], uint16_t address)
{
	for (unsigned i = 0; i < ELEMENT_TYPES; i++)
		if (address >= runs[i].first && address - runs[i].first < runs[i].count)
			return &runs[i];
	return NULL;
}

bool smc_place(const struct scsi_unit *u, uint16_t address, struct library_place *out)
{
	struct element_run runs[ELEMENT_TYPES];
	const struct element_run *run;

	smc_runs(u, runs);
	run = run_of(runs, address);
	if (!run || run->type == ELEMENT_TRANSPORT)
		return false;
	*out = place_of(run->type, address - run->first);
	return true;
}

bool smc_is_transport(const struct scsi_unit *u, uint16_t address)
{
	struct element_run runs[ELEMENT_TYPES];
	const struct element_run *run;

	smc_runs(u, runs);
	run = run_of(runs, address);
	return run && run->type == ELEMENT_TRANSPORT;
}

/* ---- a report --------------------------------------------------------------------------------------------------- */

struct report {
	struct scsi_unit *u;
	struct scsi_task *t;
	bool tags, identifiers;
	const struct smc_search *search;	/* only what it finds; NULL: all */
	size_t room;			/* the initiator's and the transport's */
	size_t len;			/* of all of it so far, whatever the room */
	uint32_t first, count;		/* of the elements in it */
	uint32_t identifier_len;	/* of the page that is being made */
};

static void report_set(struct report *r, size_t at, const void *p, size_t n)
{
	if (at >= r->room)
		return;
	memcpy(r->t->data + at, p, n < r->room - at ? n : r->room - at);
}

static void report_add(struct report *r, const void *p, size_t n)
{
	report_set(r, r->len, p, n);
	r->len += n;
}

/* The T10 vendor identifier of the unit that a drive is; 0: it is none.  One that nothing is set for is of the default
 * model. */
static unsigned drive_identifier(const struct scsi_unit *u, uint32_t drive, char out[IDENTIFIER_MAX + 1])
{
	struct scsi_unit_config cfg = { .lib = u->cfg.lib, .kind = SCSI_DRIVE, .drive = drive };
	struct catalog_unit *row = &cfg.identity;
	struct scsi_unit_info id;
	int r = catalog_unit_get(library_catalog(u->cfg.lib), drive, row);

	memcpy(cfg.store_id, u->cfg.store_id, sizeof(cfg.store_id));
	if (r == CATALOG_E_NONE)
		snprintf(row->model, sizeof(row->model), "%s", scsi_model_default(SCSI_DRIVE));
	else if (r)
		return 0;
	if (scsi_identity(&cfg, &id))
		return 0;
	return (unsigned)snprintf(out, IDENTIFIER_MAX + 1, "%-8.8s%-16.16s%s", id.vendor, id.product, id.serial);
}

/* Those of a page are all as long as the longest of them. */
static uint32_t identifiers_len(const struct report *r, const struct element_run *run)
{
	char text[IDENTIFIER_MAX + 1];
	uint32_t longest = 0;

	if (!r->identifiers || run->type != ELEMENT_DRIVE)
		return 0;
	for (uint32_t i = 0; i < run->count; i++) {
		uint32_t n = drive_identifier(r->u, i, text);

		longest = n > longest ? n : longest;
	}
	return longest;
}

static uint8_t element_flags(const struct report *r, enum element_type type, uint32_t number,
			     const struct library_element *e)
{
	uint8_t full = e->volume ? 0x01 : 0;
	struct library_drive info;

	switch (type) {
	case ELEMENT_STORAGE:
		return full | 0x08;
	case ELEMENT_PORT:	/* it can be imported to and exported from; IMPEXP: the operator put it there */
		return (uint8_t)(full | 0x38 | (e->volume && e->imported ? 0x02 : 0));
	case ELEMENT_DRIVE:	/* ACCESS: the robot may reach in */
		if (library_drive_info(r->u->cfg.lib, number, &info) || info.open || info.locked)
			return full;
		return full | 0x08;
	default:
		return full;
	}
}

/* @p is all zero. */
static void put_tag(uint8_t *p, const char *name)
{
	memset(p, ' ', TAG_NAME_LEN);
	memcpy(p, name, strnlen(name, TAG_NAME_LEN));
}

static void report_element(struct report *r, const struct element_run *run, uint32_t number,
			   const struct library_element *e, const struct element_run runs[ELEMENT_TYPES])
{
	uint8_t d[DESCRIPTOR_LEN + TAG_LEN + IDENTIFIER_MAX] = { 0 }, *p = d + 12;
	char text[IDENTIFIER_MAX + 1];

	put_be16(d, (uint16_t)(run->first + number));
	d[2] = element_flags(r, run->type, number, e);
	if (e->volume) {
		d[9] = 0x01;	/* a data medium */
		for (unsigned i = 0; e->has_source && i < ELEMENT_TYPES; i++) {
			if (place_of(runs[i].type, 0).kind != e->source.kind || e->source.number >= runs[i].count)
				continue;
			d[9] |= 0x80;
			put_be16(d + 10, (uint16_t)(runs[i].first + e->source.number));
		}
	}
	if (r->tags) {
		if (e->volume)	/* else zeros: of blanks mtx would make a name */
			put_tag(p, e->name);
		p += TAG_LEN;
	}
	if (r->identifier_len) {
		unsigned n = drive_identifier(r->u, number, text);

		if (n) {
			p[0] = 0x02;	/* ASCII */
			p[1] = 0x01;	/* T10 vendor identifier */
			p[3] = (uint8_t)n;
			memcpy(p + 4, text, n);
		}
	}
	report_add(r, d, (size_t)(p - d) + 4 + r->identifier_len);
}

/* The 32 bytes of a tag against a pattern with "*" (any text) and "?" (any character). */
static bool tag_fits(const uint8_t *pattern, size_t pn, const char *name, size_t n)
{
	size_t p = 0, i = 0, star = SIZE_MAX, from = 0;

	while (i < n) {
		if (p < pn && (pattern[p] == '?' || pattern[p] == (uint8_t)name[i]) && pattern[p] != '*') {
			p++;
			i++;
		} else if (p < pn && pattern[p] == '*') {
			star = p++;
			from = i;
		} else if (star != SIZE_MAX) {
			p = star + 1;
			i = ++from;
		} else {
			return false;
		}
	}
	while (p < pn && pattern[p] == '*')
		p++;
	return p == pn;
}

static bool is_wanted(const struct smc_search *s, const struct library_element *e)
{
	size_t n = TAG_NAME_LEN;

	if (!s)
		return true;
	while (n && (s->pattern[n - 1] == ' ' || !s->pattern[n - 1]))
		n--;
	/* Actions 2 and 6 look at alternate tags only; those below 4 at sequence numbers too, and ours are all 0. */
	return e->volume && (s->action & 3) != 2 && (s->action >= 4 || !s->sequence_min) &&
	       tag_fits(s->pattern, n, e->name, strnlen(e->name, TAG_NAME_LEN));
}

/* The page of a run: at most @most elements from address @start on. */
static int report_page(struct report *r, const struct element_run *run, uint32_t start, uint32_t most,
		       const struct element_run runs[ELEMENT_TYPES])
{
	uint32_t i = start > run->first ? start - run->first : 0, count = 0;
	uint8_t header[HEADER_LEN] = { (uint8_t)run->type, r->tags ? 0x80 : 0 };
	size_t at = r->len, len;

	r->identifier_len = identifiers_len(r, run);
	len = DESCRIPTOR_LEN + (r->tags ? TAG_LEN : 0) + r->identifier_len;
	r->len += HEADER_LEN;
	for (; i < run->count && count < most; i++) {
		struct library_element e = { 0 };

		if (!r->search && r->len >= r->room) {	/* nobody sees it: it only counts */
			uint32_t rest = run->count - i < most - count ? run->count - i : most - count;

			if (!r->count)
				r->first = run->first + i;
			r->count += rest;
			r->len += rest * len;
			count += rest;
			break;
		}
		if (run->type != ELEMENT_TRANSPORT) {
			int err = library_element(r->u->cfg.lib, place_of(run->type, i), &e);

			if (err)
				return err;
		}
		if (!is_wanted(r->search, &e))
			continue;
		if (!r->count++)
			r->first = run->first + i;
		count++;
		report_element(r, run, i, &e, runs);
	}
	if (!count) {
		r->len = at;
		return 0;
	}
	put_be16(header + 2, (uint16_t)len);
	put_be32(header + 4, (uint32_t)(count * len));	/* 24 bits: 60,000 elements of 108 bytes are less */
	report_set(r, at, header, sizeof(header));
	return 0;
}

static int report_make(struct report *r, enum element_type type, uint32_t start, uint32_t most)
{
	struct element_run runs[ELEMENT_TYPES];
	uint8_t header[HEADER_LEN] = { 0 };

	r->len = HEADER_LEN;
	r->first = r->count = 0;
	smc_runs(r->u, runs);
	for (unsigned i = 0; i < ELEMENT_TYPES; i++) {
		int err;

		if (type != ELEMENT_ANY && type != runs[i].type)
			continue;
		err = report_page(r, &runs[i], start, most - r->count, runs);
		if (err)
			return err;
	}
	put_be16(header, (uint16_t)r->first);
	put_be16(header + 2, (uint16_t)r->count);
	put_be32(header + 4, (uint32_t)(r->len - HEADER_LEN));
	if (r->search)
		header[4] = r->search->action;
	report_set(r, 0, header, sizeof(header));
	return 0;
}

/* CDB bytes that READ ELEMENT STATUS and REQUEST VOLUME ELEMENT ADDRESS have in common; an element is also where the
 * search began or behind it, and of the type that it was for. */
static void report_answer(struct scsi_unit *u, struct scsi_task *t, bool identifiers, const struct smc_search *search)
{
	const uint8_t *cdb = t->cdb;
	uint32_t start = get_be16(cdb + 2), most = get_be16(cdb + 4);
	uint8_t type = cdb[1] & 0x0f;
	size_t alloc = (size_t)cdb[7] << 16 | get_be16(cdb + 8);
	struct report r = { .u = u, .t = t, .tags = cdb[1] & 0x10, .identifiers = identifiers, .search = search,
			    .room = alloc < t->data_len ? alloc : t->data_len };
	uint64_t before, after, ports;

	if (type > ELEMENT_DRIVE) {
		task_bad_cdb(t, 1, 3);
		return;
	}
	if (search && search->start > start)
		start = search->start;
	if (search && search->type) {
		most = type && type != search->type ? 0 : most;
		type = search->type;
	}
	for (int i = 0; i < TRIES; i++) {
		int err;

		library_place_changes(u->cfg.lib, &before, &ports);
		err = report_make(&r, (enum element_type)type, start, most);
		if (err) {
			task_failed(t, err);
			return;
		}
		library_place_changes(u->cfg.lib, &after, &ports);
		if (before == after)
			break;
	}
	t->data_in = r.len < r.room ? r.len : r.room;
}

/* ---- commands --------------------------------------------------------------------------------------------------- */

static void read_element_status(struct scsi_unit *u, struct scsi_task *t)
{
	report_answer(u, t, t->cdb[6] & 0x01, NULL);
}

static void request_volume_element_address(struct scsi_unit *u, struct scsi_task *t)
{
	struct smc_search s = u->smc.search;

	if (!s.given) {
		task_check(t, ILLEGAL_REQUEST, ASC_SEQUENCE_ERROR);
		return;
	}
	report_answer(u, t, false, &s);
}

/* Translate only: names are the library's, nobody may assert, replace or undefine one. */
static void send_volume_tag(struct scsi_unit *u, struct scsi_task *t)
{
	const uint8_t *cdb = t->cdb;
	uint8_t action = cdb[5] & 0x1f;
	uint16_t len = get_be16(cdb + 8);

	if ((cdb[1] & 0x0f) > ELEMENT_DRIVE) {
		task_bad_cdb(t, 1, 3);
		return;
	}
	if (action > 6 || action == 3) {
		task_bad_cdb(t, 5, 4);
		return;
	}
	if (len != 40) {
		task_check(t, ILLEGAL_REQUEST, ASC_PARAMETER_LIST_LENGTH);
		return;
	}
	if (!task_got(t, len))
		return;
	u->smc.search = (struct smc_search){ .given = 1, .action = action, .type = cdb[1] & 0x0f,
					     .start = get_be16(cdb + 2) };
	memcpy(u->smc.search.pattern, t->data, TAG_NAME_LEN);
	u->smc.search.sequence_min = get_be16(t->data + 34);
}

/* Byte 1 of each: bits 5-7 were the LUN in SCSI-2, and Linux' ch still puts it there. */
static const struct op ops[] = {
	{ 0xb5, -1, "REQUEST VOLUME ELEMENT ADDRESS",
	  { 0xb5, 0xff, 0xff, 0xff, 0xff, 0xff, 0x00, 0xff, 0xff, 0xff }, 60, 0, request_volume_element_address },
	{ 0xb6, -1, "SEND VOLUME TAG",
	  { 0xb6, 0xef, 0xff, 0xff, 0x00, 0x1f, 0x00, 0x00, 0xff, 0xff }, 60, OP_OUT, send_volume_tag },
	{ 0xb8, -1, "READ ELEMENT STATUS",
	  { 0xb8, 0xff, 0xff, 0xff, 0xff, 0xff, 0x03, 0xff, 0xff, 0xff }, 60, 0, read_element_status },
};
const struct op_group smc_element_group = OP_GROUP(ops);
