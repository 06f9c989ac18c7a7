/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * reserve: reservations, as one initiator sees them that is alone.  Through TCMU the kernel's target core answers these
 * commands for all initiators and none of them comes here; for a transport without it this is enough for a client that
 * reserves its drive, and finds its key again.  Nobody is ever kept out by what is here.  It is forgotten at power on.
 */
#include "scsi/unit.h"

#define ASC_INVALID_RELEASE 0x2604u
enum { WRITE_EXCLUSIVE = 1, EXCLUSIVE = 3, WRITE_EXCLUSIVE_REGISTRANTS = 5, EXCLUSIVE_REGISTRANTS = 6,
       WRITE_EXCLUSIVE_ALL = 7, EXCLUSIVE_ALL = 8 };

static bool of_all_registrants(uint8_t type)
{
	return type == WRITE_EXCLUSIVE_ALL || type == EXCLUSIVE_ALL;
}

void reserve_reset(struct scsi_unit *u, enum scsi_reset what)
{
	if (what == SCSI_POWER_ON)
		u->reservation = (struct reservation){ 0 };
	u->reservation.simple = false;
}

/* ---- RESERVE and RELEASE, of SPC-2 ------------------------------------------------------------------------------ */

/* Not beside persistent ones, SPC-4 5.13.3 (CRH is off). */
static void reserve(struct scsi_unit *u, struct scsi_task *t)
{
	if (u->reservation.registered)
		t->status = SCSI_RESERVATION_CONFLICT;
	else
		u->reservation.simple = true;
}

static void release(struct scsi_unit *u, struct scsi_task *t)
{
	u->reservation.simple = false;
}

/* ---- PERSISTENT RESERVE IN -------------------------------------------------------------------------------------- */

/* The generation, and how many of @n bytes behind the header count. */
static void answer(const struct scsi_unit *u, struct scsi_task *t, uint8_t *b, size_t n)
{
	put_be32(b, u->reservation.generation);
	put_be32(b + 4, (uint32_t)n);
	task_put(t, b, 8 + n, get_be16(t->cdb + 7));
}

static void read_keys(struct scsi_unit *u, struct scsi_task *t)
{
	uint8_t b[16] = { 0 };

	put_be64(b + 8, u->reservation.key);
	answer(u, t, b, u->reservation.registered ? 8 : 0);
}

static void read_reservation(struct scsi_unit *u, struct scsi_task *t)
{
	const struct reservation *r = &u->reservation;
	uint8_t b[24] = { 0 };

	put_be64(b + 8, of_all_registrants(r->type) ? 0 : r->key);
	b[21] = r->type;
	answer(u, t, b, r->held ? 16 : 0);
}

static void report_capabilities(struct scsi_unit *u, struct scsi_task *t)
{
	/* ATP_C: a registration is for all ports; TMV; the six types. */
	static const uint8_t b[8] = { 0, 8, 0x04, 0x80, 0xea, 0x01 };

	task_put(t, b, sizeof(b), get_be16(t->cdb + 7));
}

/* With a TransportID, SPC-4 7.6.4: of a SAS port, as those have the form of an NAA number. */
static void read_full_status(struct scsi_unit *u, struct scsi_task *t)
{
	const struct reservation *r = &u->reservation;
	uint8_t b[8 + 48] = { 0 };

	put_be64(b + 8, r->key);
	b[20] = (uint8_t)(0x02 | r->held);	/* ALL_TG_PT, R_HOLDER */
	b[21] = r->held ? r->type : 0;
	put_be32(b + 28, 24);
	b[32] = 0x06;
	put_be64(b + 36, u->id.naa);
	answer(u, t, b, r->registered ? 48 : 0);
}

/* ---- PERSISTENT RESERVE OUT ------------------------------------------------------------------------------------- */

/* The parameter list: 24 bytes, of which nothing but the keys is supported.  False: answered. */
static bool list_fits(struct scsi_unit *u, struct scsi_task *t)
{
	if (get_be32(t->cdb + 5) != 24) {
		task_check(t, ILLEGAL_REQUEST, ASC_PARAMETER_LIST_LENGTH);
		return false;
	}
	if (!task_got(t, 24))
		return false;
	if (u->reservation.simple) {
		t->status = SCSI_RESERVATION_CONFLICT;
		return false;
	}
	/* SPEC_I_PT, APTPL; ALL_TG_PT is what we do anyway. */
	if (t->data[20] & 0x09) {
		task_bad_parameter(t, 20, t->data[20] & 0x08 ? 3 : 0);
		return false;
	}
	return true;
}

static uint64_t service_key(const struct scsi_task *t)
{
	return get_be64(t->data + 8);
}

/* List, and registered with the key that it has. */
static bool may_act(struct scsi_unit *u, struct scsi_task *t)
{
	if (!list_fits(u, t))
		return false;
	if (u->reservation.registered && get_be64(t->data) == u->reservation.key)
		return true;
	t->status = SCSI_RESERVATION_CONFLICT;
	return false;
}

/* Scope (the logical unit, 0) and type in byte 2. */
static bool type_fits(struct scsi_task *t)
{
	uint8_t type = t->cdb[2];

	if (type == WRITE_EXCLUSIVE || type == EXCLUSIVE)
		return true;
	if (type >= WRITE_EXCLUSIVE_REGISTRANTS && type <= EXCLUSIVE_ALL)
		return true;
	task_bad_cdb(t, 2, -1);
	return false;
}

static void set_key(struct reservation *r, uint64_t key)
{
	if (!key && !r->registered)
		return;
	r->registered = key != 0;
	r->key = key;
	if (!key)
		r->held = false;
	r->generation++;
}

static void do_register(struct scsi_unit *u, struct scsi_task *t)
{
	struct reservation *r = &u->reservation;

	if (!list_fits(u, t))
		return;
	if (get_be64(t->data) != (r->registered ? r->key : 0))
		t->status = SCSI_RESERVATION_CONFLICT;
	else
		set_key(r, service_key(t));
}

static void do_register_ignore(struct scsi_unit *u, struct scsi_task *t)
{
	if (list_fits(u, t))
		set_key(&u->reservation, service_key(t));
}

static void do_reserve(struct scsi_unit *u, struct scsi_task *t)
{
	struct reservation *r = &u->reservation;

	if (!type_fits(t) || !may_act(u, t))
		return;
	if (r->held && r->type != t->cdb[2]) {
		t->status = SCSI_RESERVATION_CONFLICT;
		return;
	}
	r->held = true;
	r->type = t->cdb[2];
}

static void do_release(struct scsi_unit *u, struct scsi_task *t)
{
	struct reservation *r = &u->reservation;

	if (!may_act(u, t))
		return;
	if (r->held && r->type != t->cdb[2])
		task_check(t, ILLEGAL_REQUEST, ASC_INVALID_RELEASE);
	else
		r->held = false;
}

static void do_clear(struct scsi_unit *u, struct scsi_task *t)
{
	if (may_act(u, t))
		set_key(&u->reservation, 0);
}

/* There is no key but our own to take anything from: it takes the reservation over as another type, or, if there is
 * none, the registration. */
static void do_preempt(struct scsi_unit *u, struct scsi_task *t)
{
	struct reservation *r = &u->reservation;
	uint64_t whose;

	if (!type_fits(t) || !may_act(u, t))
		return;
	whose = service_key(t);
	if (!whose && !(r->held && of_all_registrants(r->type))) {
		task_bad_parameter(t, 8, -1);
		return;
	}
	if (whose && whose != r->key) {
		t->status = SCSI_RESERVATION_CONFLICT;
		return;
	}
	if (r->held) {
		r->type = t->cdb[2];
		r->generation++;
	} else {
		set_key(r, 0);
	}
}

#define USAGE_IN(action) { 0x5e, action, 0, 0, 0, 0, 0, 0xff, 0xff }
#define USAGE_OUT(action) { 0x5f, action, 0xff, 0, 0, 0xff, 0xff, 0xff, 0xff }
static const struct op ops[] = {
	{ 0x16, -1, "RESERVE(6)", { 0x16 }, 30, OP_KERNEL, reserve },
	{ 0x17, -1, "RELEASE(6)", { 0x17 }, 30, OP_KERNEL, release },
	{ 0x56, -1, "RESERVE(10)", { 0x56 }, 30, OP_KERNEL, reserve },
	{ 0x57, -1, "RELEASE(10)", { 0x57 }, 30, OP_KERNEL, release },
	{ 0x5e, 0, "PERSISTENT RESERVE IN, read keys", USAGE_IN(0), 30, OP_KERNEL, read_keys },
	{ 0x5e, 1, "PERSISTENT RESERVE IN, read reservation", USAGE_IN(1), 30, OP_KERNEL, read_reservation },
	{ 0x5e, 2, "PERSISTENT RESERVE IN, report capabilities", USAGE_IN(2), 30, OP_KERNEL, report_capabilities },
	{ 0x5e, 3, "PERSISTENT RESERVE IN, read full status", USAGE_IN(3), 30, OP_KERNEL, read_full_status },
	{ 0x5f, 0, "PERSISTENT RESERVE OUT, register", USAGE_OUT(0), 30, OP_KERNEL | OP_OUT, do_register },
	{ 0x5f, 1, "PERSISTENT RESERVE OUT, reserve", USAGE_OUT(1), 30, OP_KERNEL | OP_OUT, do_reserve },
	{ 0x5f, 2, "PERSISTENT RESERVE OUT, release", USAGE_OUT(2), 30, OP_KERNEL | OP_OUT, do_release },
	{ 0x5f, 3, "PERSISTENT RESERVE OUT, clear", USAGE_OUT(3), 30, OP_KERNEL | OP_OUT, do_clear },
	{ 0x5f, 4, "PERSISTENT RESERVE OUT, preempt", USAGE_OUT(4), 30, OP_KERNEL | OP_OUT, do_preempt },
	{ 0x5f, 5, "PERSISTENT RESERVE OUT, preempt and abort", USAGE_OUT(5), 30, OP_KERNEL | OP_OUT, do_preempt },
	{ 0x5f, 6, "PERSISTENT RESERVE OUT, register and ignore existing key", USAGE_OUT(6), 30, OP_KERNEL | OP_OUT,
	  do_register_ignore },
};
const struct op_group reserve_group = OP_GROUP(ops);
