/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * ssc_mode: MODE SENSE and MODE SELECT of a drive, 6 and 10 bytes: header, block descriptor and pages (SPC-4 7.5, SSC-4
 * 8.3).
 *
 * A list of MODE SELECT is checked as a whole and then applied as a whole.  Whatever MODE SENSE returned is accepted
 * back.  Nothing is saved: a reset makes it ssc_mode_defaults(), and SP and saved values are refused.  Others are not
 * told of a change by a unit attention: who sends a command is not known here, so it would be who made it.
 */
#include "scsi/mode.h"
#include "scsi/ssc_io.h"

#define BLOCK_DESCRIPTOR 8u
#define ALL_PAGES 0x3f
#define ALL_SUBPAGES 0xff
#define DENSITY_SAME 0x7f
#define WP 0x80
#define MODE_DATA_MAX (8u + BLOCK_DESCRIPTOR + 16 * MODE_PAGE_MAX)

enum page_control { CURRENT, CHANGEABLE, DEFAULT, SAVED };

void ssc_mode_defaults(struct ssc_mode *m)
{
	*m = (struct ssc_mode){ .buffered = 1, .compression = 1, .alert_report = 0x08 };
}

bool ssc_protected(struct scsi_unit *u)
{
	const struct drive_model *m = u->drive_model;
	struct catalog_volume row;

	if (!u->ssc.volume)
		return false;
	if (catalog_volume_by_id(library_catalog(u->cfg.lib), u->ssc.volume, &row) || row.protect ||
	    library_access(u->cfg.lib, &row) != ACCESS_PRIMARY)
		return true;
	for (size_t i = 0; i < ARRAY_LEN(m->reads) && m->reads[i]; i++)
		if (m->reads[i] == u->ssc.medium)
			return true;
	return false;
}

/* ---- header and block descriptor -------------------------------------------------------------------------------- */

/* Medium type: HPE's drives tell only whether it is WORM, and LTFS expects that of them. */
static uint8_t medium_type(struct scsi_unit *u)
{
	struct catalog_volume row;
	bool worm;

	if (!u->ssc.volume || !u->ssc.medium)
		return 0;
	worm = !catalog_volume_by_id(library_catalog(u->cfg.lib), u->ssc.volume, &row) && row.worm;
	if (u->drive_model->dialect == DIALECT_HPE)
		return worm;
	return worm ? u->ssc.medium->worm_type : u->ssc.medium->type;
}

static uint8_t density_of(const struct scsi_unit *u, const struct ssc_mode *m)
{
	if (u->ssc.medium)
		return u->ssc.medium->density;
	return m->density ? m->density : u->drive_model->own->density;
}

static bool density_known(const struct scsi_unit *u, uint8_t density)
{
	const struct drive_model *m = u->drive_model;

	if (!density || density == DENSITY_SAME || density == m->own->density)
		return true;
	for (size_t i = 0; i < ARRAY_LEN(m->writes) && m->writes[i]; i++)
		if (m->writes[i]->density == density)
			return true;
	for (size_t i = 0; i < ARRAY_LEN(m->reads) && m->reads[i]; i++)
		if (m->reads[i]->density == density)
			return true;
	return false;
}

/* What the changeable values of a header are is nowhere defined: they are the current ones. */
static size_t header_put(struct scsi_unit *u, bool ten, const struct ssc_mode *m, bool descriptor, uint8_t *b)
{
	size_t n = ten ? 8 : 4;
	uint8_t *type = b + (ten ? 2 : 1);

	type[0] = medium_type(u);
	type[1] = (uint8_t)((ssc_protected(u) ? WP : 0) | m->buffered << 4);
	b[n - 1] = descriptor ? BLOCK_DESCRIPTOR : 0;
	if (!descriptor)
		return n;
	b[n] = density_of(u, m);
	put_be32(b + n + 4, m->block_len);
	return n + BLOCK_DESCRIPTOR;
}

/* ---- MODE SENSE ------------------------------------------------------------------------------------------------- */

static bool page_asked(const struct scsi_unit *u, const struct mode_page *page, uint8_t code, uint8_t subpage)
{
	return mode_page_has(u, page) && (code == ALL_PAGES || code == page->code) &&
	       (subpage == ALL_SUBPAGES || subpage == page->subpage);
}

static size_t pages_put(struct scsi_unit *u, const uint8_t *cdb, const struct ssc_mode *m, uint8_t *b)
{
	size_t count, n = 0;
	const struct mode_page *pages = mode_pages(&count);

	for (size_t i = 0; i < count; i++)
		if (page_asked(u, &pages[i], cdb[2] & 0x3f, cdb[3]))
			n += mode_page_put(u, &pages[i], m, b + n);
	return n;
}

/* False: answered. */
static bool sense_fits(struct scsi_task *t)
{
	if (t->cdb[2] >> 6 == SAVED) {
		task_check(t, ILLEGAL_REQUEST, ASC_SAVING_NOT_SUPPORTED);
		return false;
	}
	if ((t->cdb[2] & 0x3f) == ALL_PAGES && t->cdb[3] && t->cdb[3] != ALL_SUBPAGES) {
		task_bad_cdb(t, 3, -1);
		return false;
	}
	return true;
}

/* Page 00h is no page: st asks for it to get header and block descriptor. */
static void mode_sense(struct scsi_unit *u, struct scsi_task *t, bool ten, size_t alloc)
{
	enum page_control control = (enum page_control)(t->cdb[2] >> 6);
	struct ssc_mode defaults;
	uint8_t b[MODE_DATA_MAX] = { 0 };
	const struct ssc_mode *m = &u->ssc.mode;
	size_t n, pages;

	if (!sense_fits(t))
		return;
	ssc_mode_defaults(&defaults);
	if (control == DEFAULT)
		m = &defaults;
	n = header_put(u, ten, m, !(t->cdb[1] & 0x08), b);
	pages = pages_put(u, t->cdb, control == CHANGEABLE ? NULL : m, b + n);
	if (!pages && (t->cdb[2] & 0x3f || t->cdb[3])) {
		task_bad_cdb(t, t->cdb[3] ? 3 : 2, t->cdb[3] ? -1 : 5);
		return;
	}
	n += pages;
	if (ten)
		put_be16(b, (uint16_t)(n - 2));
	else
		b[0] = (uint8_t)(n - 1 < UINT8_MAX ? n - 1 : UINT8_MAX);
	task_put(t, b, n, alloc);
}

static void mode_sense_6(struct scsi_unit *u, struct scsi_task *t)
{
	mode_sense(u, t, false, t->cdb[4]);
}

static void mode_sense_10(struct scsi_unit *u, struct scsi_task *t)
{
	mode_sense(u, t, true, get_be16(t->cdb + 7));
}

/* ---- MODE SELECT ------------------------------------------------------------------------------------------------ */

/* Where in the list it is that something is wrong. */
static bool wrong_at(struct scsi_task *t, size_t byte, int bit)
{
	task_bad_parameter(t, (unsigned)byte, bit);
	return false;
}

static bool too_short(struct scsi_task *t)
{
	task_check(t, ILLEGAL_REQUEST, ASC_PARAMETER_LIST_LENGTH);
	return false;
}

static bool descriptor_take(struct scsi_unit *u, struct scsi_task *t, size_t at, struct mode_change *c)
{
	const uint8_t *p = t->data + at;
	uint32_t block_len = get_be32(p + 4) & 0xffffff;

	if (!density_known(u, p[0]))
		return wrong_at(t, at, -1);
	for (unsigned i = 1; i < 5; i++)	/* number of blocks: all of them */
		if (p[i])
			return wrong_at(t, at + i, -1);
	if (block_len > transfer_record_max(u))
		return wrong_at(t, at + 5, -1);
	if (p[0] != DENSITY_SAME)
		c->mode.density = p[0];
	c->mode.block_len = block_len;
	return true;
}

/* Mode data length, medium type, WP and what is reserved in the former are the device's to say. */
static bool header_take(struct scsi_unit *u, struct scsi_task *t, bool ten, size_t n, size_t *at, struct mode_change *c)
{
	const uint8_t *p = t->data;
	size_t header = ten ? 8 : 4, device = ten ? 3 : 2, descriptors;

	if (n < header)
		return too_short(t);
	descriptors = ten ? get_be16(p + 6) : p[3];
	if ((p[device] >> 4 & 7) > 2)
		return wrong_at(t, device, 6);
	if (p[device] & 0x0f)			/* a speed of its own */
		return wrong_at(t, device, 3);
	if (ten && p[4] & 1)			/* LONGLBA */
		return wrong_at(t, 4, 0);
	if (descriptors && descriptors != BLOCK_DESCRIPTOR)
		return wrong_at(t, ten ? 6 : 3, -1);
	if (n < header + descriptors)
		return too_short(t);
	c->mode.buffered = p[device] >> 4 & 7;
	*at = header + descriptors;
	return !descriptors || descriptor_take(u, t, header, c);
}

static const struct mode_page *page_find(const struct scsi_unit *u, uint8_t code, uint8_t subpage)
{
	size_t count;
	const struct mode_page *pages = mode_pages(&count);

	for (size_t i = 0; i < count; i++)
		if (pages[i].code == code && pages[i].subpage == subpage && mode_page_has(u, &pages[i]))
			return &pages[i];
	return NULL;
}

/* The page at @at; *len: its bytes. */
static bool page_take(struct scsi_unit *u, struct scsi_task *t, size_t at, size_t n, size_t *len, struct mode_change *c)
{
	const uint8_t *p = t->data + at;
	bool sub = p[0] & 0x40;
	size_t header = sub ? 4 : 2;
	const struct mode_page *page;
	struct mode_fault fault;

	if (n - at < header)
		return too_short(t);
	page = page_find(u, p[0] & 0x3f, sub ? p[1] : 0);
	if (!page || (sub && !page->subpage))
		return wrong_at(t, page || !sub ? at : at + 1, page || !sub ? 5 : -1);
	*len = header + (sub ? get_be16(p + 2) : p[1]);
	if (n - at < *len)
		return too_short(t);
	return mode_page_take(u, page, p, *len, c, &fault) || wrong_at(t, at + fault.byte, fault.bit);
}

static void apply(struct scsi_unit *u, const struct mode_change *c)
{
	u->ssc.mode = c->mode;
	if (!c->test)
		return;
	for (int flag = 1; flag <= 64; flag++) {
		if (c->test_flag == flag || c->test_flag > 64)
			ssc_alert(u, (unsigned)flag);
		else if (c->test_flag == -flag)
			u->ssc.alerts &= ~(1ull << (flag - 1));
	}
}

static void mode_select(struct scsi_unit *u, struct scsi_task *t, bool ten, size_t n)
{
	struct mode_change c = { .mode = u->ssc.mode };
	size_t at, len;

	if (!n || !task_got(t, n) || !header_take(u, t, ten, n, &at, &c))
		return;
	for (; at < n; at += len)
		if (!page_take(u, t, at, n, &len, &c))
			return;
	apply(u, &c);
}

static void mode_select_6(struct scsi_unit *u, struct scsi_task *t)
{
	mode_select(u, t, false, t->cdb[4]);
}

static void mode_select_10(struct scsi_unit *u, struct scsi_task *t)
{
	mode_select(u, t, true, get_be16(t->cdb + 7));
}

/* ---- the table -------------------------------------------------------------------------------------------------- */

static const struct op ops[] = {
	{ 0x15, -1, "MODE SELECT(6)", { 0x15, 0x10, 0, 0, 0xff }, 60, OP_OUT, mode_select_6 },
	{ 0x1a, -1, "MODE SENSE(6)", { 0x1a, 0x08, 0xff, 0xff, 0xff }, 60, 0, mode_sense_6 },
	{ 0x55, -1, "MODE SELECT(10)", { 0x55, 0x10, 0, 0, 0, 0, 0, 0xff, 0xff }, 60, OP_OUT, mode_select_10 },
	{ 0x5a, -1, "MODE SENSE(10)", { 0x5a, 0x08, 0xff, 0xff, 0, 0, 0, 0xff, 0xff }, 60, 0, mode_sense_10 },
};

const struct op_group ssc_mode_group = OP_GROUP(ops);
