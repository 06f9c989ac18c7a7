/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * smc: a medium changer over the places of the library (SMC-3).  It moves volumes; where they are is the library's, and
 * stays where a person or another door has put them: the changer keeps no inventory of its own.
 *
 * Guarantees: a MOVE MEDIUM or EXCHANGE MEDIUM that was answered is on disk; one that was cut off by a kill of the
 * process is done once (unit.h, struct smc_begun).  Addresses of elements, and what is told of them, are
 * smc_element.c's.
 */
#include <assert.h>
#include <errno.h>

#include "scsi/unit.h"

/* ---- what outlives the process ---------------------------------------------------------------------------------- */

#define STATE_VERSION 2u
struct state {
	uint32_t version, attentions, slots, ports;
	int64_t timestamp_offset_ms;
	uint64_t ports_print;
	uint8_t timestamp_origin, prevented, auto_unload;
	struct smc_search search;
	struct smc_begun begun;
};
static_assert(sizeof(struct state) <= MEMORY_STATE_MAX, "a changer's state fits the memory");

static struct state state_of(const struct scsi_unit *u)
{
	const struct smc *c = &u->smc;
	struct state s;

	memset(&s, 0, sizeof(s));	/* also what lies between the fields */
	s.version = STATE_VERSION;
	s.attentions = u->attentions;
	s.slots = c->slots;
	s.ports = c->ports;
	s.timestamp_offset_ms = u->timestamp_offset_ms;
	s.ports_print = c->ports_print;
	s.timestamp_origin = u->timestamp_origin;
	s.prevented = c->prevented;
	s.auto_unload = c->auto_unload;
	s.search = c->search;
	s.begun = c->begun;
	return s;
}

/* False: there is none, or another version's. */
static bool state_get(struct scsi_unit *u)
{
	struct smc *c = &u->smc;
	struct state s;

	if (memory_state(u->memory, &s, sizeof(s)) != sizeof(s) || s.version != STATE_VERSION)
		return false;
	u->attentions |= s.attentions & ((1u << ATTENTIONS) - 1);
	u->timestamp_offset_ms = s.timestamp_offset_ms;
	u->timestamp_origin = s.timestamp_origin;
	c->ports_print = s.ports_print;
	c->slots = s.slots;
	c->ports = s.ports;
	c->prevented = s.prevented;
	c->auto_unload = s.auto_unload;
	c->search = s.search;
	c->begun = s.begun;
	return true;
}

/* ---- the unit --------------------------------------------------------------------------------------------------- */

/* Also for an operator at the ports. */
static void prevent(struct scsi_unit *u, bool on)
{
	u->smc.prevented = on;
	library_ports_lock(u->cfg.lib, on);
}

static void smc_defaults(struct scsi_unit *u)
{
	prevent(u, false);
	u->smc.auto_unload = !u->changer_model->unload_first;
	u->smc.search.given = 0;
}

/*
 * Over an old unit's memory it goes on: also what a person has done to the ports since is still to be told.  A move
 * that was under way may have done it as well, and is to be repeated without a word.
 */
int smc_new(struct scsi_unit *u)
{
	struct smc *c = &u->smc;
	uint64_t all, print = library_ports_print(u->cfg.lib);

	library_place_changes(u->cfg.lib, &all, &c->seen_ports);
	library_places(u->cfg.lib, &c->slots, &c->ports);
	smc_defaults(u);
	c->ports_print = print;
	if (!state_get(u)) {
		unit_attention(u, ATTENTION_POWER_ON);
		return 0;
	}
	prevent(u, c->prevented);
	if (!c->begun.volume[0] && c->ports_print != print)
		unit_attention(u, ATTENTION_PORT_ACCESSED);
	return 0;
}

void smc_free(struct scsi_unit *u)
{
	prevent(u, false);
	u->smc = (struct smc){ 0 };
}

void smc_reset(struct scsi_unit *u, enum scsi_reset what)
{
	/* SPC-4: ends only what that initiator prevented; it cannot be told whose it was. */
	if (what == SCSI_NEXUS_LOST)
		prevent(u, false);
	else
		smc_defaults(u);
	smc_save(u, 0, NULL);
}

/* What others did to the library since the last command, as attentions. */
void smc_look(struct scsi_unit *u)
{
	uint32_t slots, number;
	uint64_t all, ports;

	/* First: what comes in between is told at the next look, or after a kill. */
	u->smc.ports_print = library_ports_print(u->cfg.lib);
	library_place_changes(u->cfg.lib, &all, &ports);
	if (ports != u->smc.seen_ports)
		unit_attention(u, ATTENTION_PORT_ACCESSED);
	u->smc.seen_ports = ports;
	library_places(u->cfg.lib, &slots, &number);
	if (slots != u->smc.slots || number != u->smc.ports)
		unit_attention(u, ATTENTION_MODE_CHANGED);
	u->smc.slots = slots;
	u->smc.ports = number;
}

void smc_save(struct scsi_unit *u, uint64_t sequence, const struct scsi_task *t)
{
	struct state s;

	u->smc.begun.volume[0] = 0;
	smc_look(u);	/* what this command did to the ports is no news */
	s = state_of(u);
	memory_step(u->memory, &s, sizeof(s), sequence, t);
}

/* ---- moving ----------------------------------------------------------------------------------------------------- */

static void bad_cdb_as(struct scsi_task *t, uint16_t code, unsigned byte)
{
	task_sense(t, &(struct sense){ .key = ILLEGAL_REQUEST, .code = code, .field = true, .in_cdb = true,
				       .byte = (uint16_t)byte, .bit = -1 });
}

/* The place at the address in these bytes of the CDB; false: answered. */
static bool place_get(struct scsi_unit *u, struct scsi_task *t, unsigned byte, struct library_place *out)
{
	if (smc_place(u, get_be16(t->cdb + byte), out))
		return true;
	bad_cdb_as(t, ASC_INVALID_ELEMENT, byte);
	return false;
}

/* Bytes 2 and 3 of each: the transport element, or 0 for the default one.  False: answered. */
static bool transport_fits(struct scsi_unit *u, struct scsi_task *t)
{
	uint16_t address = get_be16(t->cdb + 2);

	if (!address || smc_is_transport(u, address))
		return true;
	bad_cdb_as(t, ASC_INVALID_ELEMENT, 2);
	return false;
}

static bool place_is(struct library_place a, struct library_place b)
{
	return a.kind == b.kind && a.number == b.number;
}

/* What is there; false: answered. */
static bool volume_at(struct scsi_unit *u, struct scsi_task *t, struct library_place at, uint64_t *volume)
{
	struct library_element e;
	int r = library_element(u->cfg.lib, at, &e);

	if (r) {
		task_failed(t, r);
		return false;
	}
	*volume = e.volume;
	return true;
}

/* Step 1. */
static void begin(struct scsi_unit *u, const struct scsi_task *t, uint64_t first, uint64_t second)
{
	struct state s;

	memcpy(u->smc.begun.cdb, t->cdb, SCSI_CDB_MAX);
	u->smc.begun.volume[0] = first;
	u->smc.begun.volume[1] = second;
	s = state_of(u);
	memory_step(u->memory, &s, sizeof(s), 0, t);
}

/* The process that had this command before was killed behind step 1. */
static bool was_begun(const struct scsi_unit *u, const struct scsi_task *t)
{
	return u->smc.begun.volume[0] && !memcmp(u->smc.begun.cdb, t->cdb, SCSI_CDB_MAX);
}

static bool volume_is_at(struct scsi_unit *u, uint64_t volume, struct library_place at)
{
	struct library_place where;

	return !library_where(u->cfg.lib, volume, &where) && place_is(where, at);
}

/* What the library has against it, in an initiator's words. */
static void move_failed(struct scsi_task *t, int r)
{
	switch (r) {
	case -EINVAL:
		task_check(t, ILLEGAL_REQUEST, ASC_INVALID_ELEMENT);
		break;
	case -ENOENT:
		task_check(t, ILLEGAL_REQUEST, ASC_SOURCE_EMPTY);
		break;
	case -EEXIST:
		task_check(t, ILLEGAL_REQUEST, ASC_DESTINATION_FULL);
		break;
	case -EBUSY:	/* a program has the drive or the volume, or the drive is locked */
		task_check(t, ILLEGAL_REQUEST, ASC_REMOVAL_PREVENTED);
		break;
	default:
		task_failed(t, r);
	}
}

/* The tape is fetched from @at.  A drive that has not let go of it (UNLOAD) is asked to, or refuses: as the model has
 * it, or the vendor's mode page.  False: answered. */
static bool let_go(struct scsi_unit *u, struct scsi_task *t, struct library_place at)
{
	struct library_drive info;
	int r = at.kind == LIBRARY_DRIVE ? library_drive_info(u->cfg.lib, at.number, &info) : 0;

	if (!r && at.kind == LIBRARY_DRIVE && !info.out) {
		if (!u->smc.auto_unload) {
			task_check(t, ILLEGAL_REQUEST, ASC_REMOVAL_PREVENTED_BY_DRIVE);
			return false;
		}
		r = info.locked ? -EBUSY : library_drive_ask(u->cfg.lib, at.number);
	}
	if (r)
		move_failed(t, r);
	return !r;
}

static void move_medium(struct scsi_unit *u, struct scsi_task *t)
{
	struct library_place from, to;
	uint64_t volume, there;
	int r;

	if (!transport_fits(u, t) || !place_get(u, t, 4, &from) || !place_get(u, t, 6, &to))
		return;
	if (was_begun(u, t) && volume_is_at(u, u->smc.begun.volume[0], to))
		return;
	if (!volume_at(u, t, from, &volume) || !volume_at(u, t, to, &there))
		return;
	if (!volume) {
		bad_cdb_as(t, ASC_SOURCE_EMPTY, 4);
		return;
	}
	if (place_is(from, to))
		return;
	if (there) {
		bad_cdb_as(t, ASC_DESTINATION_FULL, 6);
		return;
	}
	if (!let_go(u, t, from))
		return;
	begin(u, t, volume, 0);
	r = library_move(u->cfg.lib, from, to);
	if (r)
		move_failed(t, r);
}

static void exchange_medium(struct scsi_unit *u, struct scsi_task *t)
{
	struct library_place from, to, on;
	uint64_t volume, second, there;
	int r;

	if (!transport_fits(u, t) || !place_get(u, t, 4, &from) || !place_get(u, t, 6, &to) ||
	    !place_get(u, t, 8, &on))
		return;
	if (place_is(from, to) || place_is(to, on)) {
		bad_cdb_as(t, ASC_INVALID_ELEMENT, 6);
		return;
	}
	if (was_begun(u, t) && volume_is_at(u, u->smc.begun.volume[0], to) &&
	    volume_is_at(u, u->smc.begun.volume[1], on))
		return;
	if (!volume_at(u, t, from, &volume) || !volume_at(u, t, to, &second) || !volume_at(u, t, on, &there))
		return;
	if (!volume || !second) {
		bad_cdb_as(t, ASC_SOURCE_EMPTY, volume ? 6 : 4);
		return;
	}
	if (there && !place_is(from, on)) {
		bad_cdb_as(t, ASC_DESTINATION_FULL, 8);
		return;
	}
	if (!let_go(u, t, from) || !let_go(u, t, to))
		return;
	begin(u, t, volume, second);
	r = library_exchange(u->cfg.lib, from, to, on);
	if (r)
		move_failed(t, r);
}

/* There is no arm that could stand anywhere; the addresses have to be right. */
static void position_to_element(struct scsi_unit *u, struct scsi_task *t)
{
	struct library_place at;

	if (transport_fits(u, t))
		place_get(u, t, 4, &at);
}

/* ---- ports and the rest ----------------------------------------------------------------------------------------- */

/* What is where is always known. */
static void initialize_element_status(struct scsi_unit *u, struct scsi_task *t)
{
}

static void initialize_element_status_with_range(struct scsi_unit *u, struct scsi_task *t)
{
	struct library_place at;
	uint16_t first = get_be16(t->cdb + 2);

	if (t->cdb[1] & 0x01 && !smc_place(u, first, &at) && !smc_is_transport(u, first))
		bad_cdb_as(t, ASC_INVALID_ELEMENT, 2);
}

/*
 * There is no door.  A port's volume is outside when an operator takes it (library_export()).  Actions of SMC-3 are 0,
 * open, and 1, close; mtx sends START STOP UNIT's 2, eject, and 3, load, with no address.  Address 0 is for all ports.
 */
static void open_close_import_export(struct scsi_unit *u, struct scsi_task *t)
{
	uint16_t address = get_be16(t->cdb + 2);
	struct library_place at = { LIBRARY_PORT, 0 };

	if ((t->cdb[4] & 0x1f) > 3) {
		task_bad_cdb(t, 4, 4);
		return;
	}
	if (address && !place_get(u, t, 2, &at))
		return;
	if (at.kind != LIBRARY_PORT)
		bad_cdb_as(t, ASC_INVALID_ELEMENT, 2);
	else if (!(t->cdb[4] & 0x01) && u->smc.prevented)
		task_check(t, ILLEGAL_REQUEST, ASC_REMOVAL_PREVENTED);
}

static void prevent_allow_medium_removal(struct scsi_unit *u, struct scsi_task *t)
{
	prevent(u, t->cdb[4] & 0x01);
}

/* Byte 1 of most: bits 5-7 were the LUN in SCSI-2, and Linux' ch still puts it there.  Bits 6 and 7 of the control byte
 * are the vendor's: mtx sets them for MOVE and EXCHANGE when it is told to (eepos). */
static const struct op ops[] = {
	{ 0x07, -1, "INITIALIZE ELEMENT STATUS", { 0x07, 0xe0 }, 300, 0, initialize_element_status },
	{ 0x1b, -1, "OPEN/CLOSE IMPORT/EXPORT ELEMENT",
	  { 0x1b, 0x00, 0xff, 0xff, 0x1f }, 60, 0, open_close_import_export },
	{ 0x1e, -1, "PREVENT ALLOW MEDIUM REMOVAL",
	  { 0x1e, 0x00, 0x00, 0x00, 0x03 }, 60, 0, prevent_allow_medium_removal },
	{ 0x2b, -1, "POSITION TO ELEMENT", { 0x2b, 0xe0, 0xff, 0xff, 0xff, 0xff }, 60, 0, position_to_element },
	{ 0x37, -1, "INITIALIZE ELEMENT STATUS WITH RANGE",
	  { 0x37, 0x03, 0xff, 0xff, 0x00, 0x00, 0xff, 0xff }, 300, 0, initialize_element_status_with_range },
	{ 0xa5, -1, "MOVE MEDIUM",
	  { 0xa5, 0xe0, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x00, 0x00, 0x00, 0xc0 }, 300, 0, move_medium },
	{ 0xa6, -1, "EXCHANGE MEDIUM",
	  { 0xa6, 0xe0, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x00, 0xc0 }, 600, 0, exchange_medium },
	{ 0xe7, -1, "INITIALIZE ELEMENT STATUS WITH RANGE",
	  { 0xe7, 0x03, 0xff, 0xff, 0x00, 0x00, 0xff, 0xff }, 300, 0, initialize_element_status_with_range },
};
const struct op_group smc_group = OP_GROUP(ops);
