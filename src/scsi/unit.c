/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * unit: made, reset, and one command at a time.
 *
 * The order of what can end a command before it is run is SAM-5's and SPC-4's: unknown code, a pending unit attention,
 * a CDB with bits where none may be, no medium, a drive that somebody else has.  What a command means is in its
 * handler; the transport's room for data is kept by sense.c's task_put() and task_got().
 */
#include <assert.h>
#include <errno.h>
#include <stdio.h>

#include "scsi/unit.h"

static const struct op_group *const drive_groups[] = {
	&spc_group, &reserve_group, &inquiry_group, &rsoc_group, &ssc_io_group, &ssc_move_group, &ssc_medium_group,
	&ssc_mode_group, &ssc_log_group, &ssc_density_group, &ssc_security_group, &mam_group, NULL
};
static const struct op_group *const changer_groups[] = {
	&spc_group, &reserve_group, &inquiry_group, &rsoc_group, &smc_group, &smc_element_group, &smc_mode_group, NULL
};

static const struct op_group *const *unit_groups(const struct scsi_unit *u)
{
	return u->cfg.kind == SCSI_DRIVE ? drive_groups : changer_groups;
}

unsigned op_cdb_len(uint8_t code)
{
	/* Groups 6 and 7 are the vendors': libraries know E7h, of 10 bytes. */
	static const uint8_t len[8] = { 6, 10, 10, 0, 16, 12, 10, 10 };

	return len[code >> 5];
}

/* ---- which ops there are ---------------------------------------------------------------------------------------- */

static int by_code(const void *a, const void *b)
{
	const struct op *x = *(const struct op *const *)a, *y = *(const struct op *const *)b;

	return x->code != y->code ? x->code - y->code : x->action - y->action;
}

static int ops_new(const struct op_group *const *groups, struct op_index *x)
{
	size_t n = 1;	/* one more than there are: never none */

	for (const struct op_group *const *g = groups; *g; g++)
		n += (*g)->count;
	x->op = calloc(n, sizeof(const struct op *));	/* NOLINT(bugprone-sizeof-expression): pointers it is */
	if (!x->op)
		return err_origin(-ENOMEM);
	n = 0;
	for (const struct op_group *const *g = groups; *g; g++)
		for (size_t i = 0; i < (*g)->count; i++)
			x->op[n++] = &(*g)->op[i];
	qsort(x->op, n, sizeof(const struct op *), by_code);	/* NOLINT(bugprone-sizeof-expression) */
	for (size_t i = 0; i < n; i++)
		x->first[x->op[i]->code + 1]++;
	for (unsigned c = 0; c < 256; c++)
		x->first[c + 1] = (uint16_t)(x->first[c + 1] + x->first[c]);
	return 0;
}

const struct op *op_find(const struct op_index *x, uint8_t code, uint8_t action, bool *code_known)
{
	*code_known = x->first[code] < x->first[code + 1];
	for (unsigned i = x->first[code]; i < x->first[code + 1]; i++)
		if (x->op[i]->action < 0 || x->op[i]->action == action)
			return x->op[i];
	return NULL;
}

/* ---- unit attentions -------------------------------------------------------------------------------------------- */

static const uint16_t attention_code[] = {
	[ATTENTION_POWER_ON] = ASC_POWER_ON, [ATTENTION_BUS_RESET] = ASC_BUS_RESET,
	[ATTENTION_LUN_RESET] = ASC_LUN_RESET, [ATTENTION_NEXUS_LOST] = ASC_NEXUS_LOST,
	[ATTENTION_MEDIUM_CHANGED] = ASC_MEDIUM_CHANGED, [ATTENTION_PORT_ACCESSED] = ASC_PORT_ACCESSED,
	[ATTENTION_MODE_CHANGED] = ASC_MODE_CHANGED, [ATTENTION_LOG_CHANGED] = ASC_LOG_CHANGED,
	[ATTENTION_KEYS_CHANGED] = ASC_KEYS_CHANGED,
};
static_assert(ARRAY_LEN(attention_code) == ATTENTIONS, "each has a code");

/* What a reset tells goes beyond these; a medium that was changed is still to be told. */
#define TOLD_BY_RESET (1u << ATTENTION_NEXUS_LOST | 1u << ATTENTION_MODE_CHANGED | 1u << ATTENTION_LOG_CHANGED | \
		       1u << ATTENTION_KEYS_CHANGED)
static const struct { enum attention attention; uint32_t includes; } resets[] = {
	[SCSI_POWER_ON] = { ATTENTION_POWER_ON, UINT32_MAX },
	[SCSI_BUS_RESET] = { ATTENTION_BUS_RESET, TOLD_BY_RESET | 1u << ATTENTION_LUN_RESET },
	[SCSI_LUN_RESET] = { ATTENTION_LUN_RESET, TOLD_BY_RESET },
	[SCSI_NEXUS_LOST] = { ATTENTION_NEXUS_LOST, 0 },
};

void unit_attention(struct scsi_unit *u, enum attention a)
{
	u->attentions |= 1u << a;
}

bool unit_attention_take(struct scsi_unit *u, uint16_t *code)
{
	unsigned a;

	if (!u->attentions)
		return false;
	a = (unsigned)__builtin_ctz(u->attentions);
	u->attentions &= ~(1u << a);
	*code = attention_code[a];
	return true;
}

/* ---- a command -------------------------------------------------------------------------------------------------- */

/* The last byte is CONTROL, SAM-5 5.2: NACA (bit 2) and what was LINK are not supported whatever a table says. */
static bool cdb_fits(const struct op *op, struct scsi_task *t)
{
	for (unsigned i = 1, n = op_cdb_len(op->code); i < n; i++) {
		uint8_t may = i == n - 1 ? op->usage[i] & 0xc0 : op->usage[i];
		uint8_t wrong = (uint8_t)(t->cdb[i] & ~may);

		if (!wrong)
			continue;
		task_bad_cdb(t, i, 31 - __builtin_clz(wrong));
		return false;
	}
	return true;
}

/* False: @t has been answered. */
static bool may_run(struct scsi_unit *u, const struct op *op, struct scsi_task *t)
{
	bool drive = u->cfg.kind == SCSI_DRIVE;
	uint16_t code;

	if (!(op && op->flags & OP_ALWAYS) && unit_attention_take(u, &code)) {
		task_check(t, UNIT_ATTENTION, code);
		return false;
	}
	if (!op || !op->run) {
		task_bad_cdb(t, 1, 4);
		return false;
	}
	if (!cdb_fits(op, t))
		return false;
	if (drive && op->flags & OP_MEDIUM && !u->ssc.volume) {
		task_check(t, NOT_READY, ASC_NO_MEDIUM);
		return false;
	}
	return !(drive && op->flags & OP_TAPE) || ssc_take(u, t);
}

/* Did a command that sends data take any of it?  NO SENSE and RECOVERED ERROR come with a command that was done. */
static bool was_done(const struct scsi_task *t)
{
	uint8_t key = t->descriptors ? t->sense[1] : t->sense[2] & 0x0f;

	return t->status == SCSI_GOOD || (t->status == SCSI_CHECK_CONDITION && key <= RECOVERED_ERROR);
}

static void run(struct scsi_unit *u, struct scsi_task *t)
{
	bool known;
	const struct op *op = op_find(&u->ops, t->cdb[0], t->cdb[1] & 0x1f, &known);

	if (u->cfg.kind == SCSI_DRIVE)
		ssc_look(u);
	else
		smc_look(u);
	if (!known) {
		task_check(t, ILLEGAL_REQUEST, ASC_INVALID_OPCODE);
		return;
	}
	if (!may_run(u, op, t))
		return;
	op->run(u, t);
	u->id.bytes_in += t->data_in;
	if (op->flags & OP_OUT && was_done(t))
		u->id.bytes_out += t->data_len;
}

void scsi_execute(struct scsi_unit *u, uint64_t sequence, struct scsi_task *t)
{
	LOCK_SCOPE(&u->lock);

	t->status = SCSI_GOOD;
	t->sense_len = t->data_in = 0;
	t->descriptors = u->ssc.mode.sense_descriptors;
	if (sequence && memory_answer(u->memory, sequence, t))
		return;
	run(u, t);
	if (u->cfg.kind == SCSI_DRIVE)
		ssc_save(u, sequence, t);
	else
		smc_save(u, sequence, t);
	u->id.commands++;
}

void scsi_reset(struct scsi_unit *u, enum scsi_reset what)
{
	LOCK_SCOPE(&u->lock);

	u->attentions &= ~resets[what].includes;
	if (!u->cfg.tells_resets)
		unit_attention(u, resets[what].attention);
	spc_reset(u, what);
	reserve_reset(u, what);
	if (u->cfg.kind == SCSI_DRIVE)
		ssc_reset(u, what);
	else
		smc_reset(u, what);
}

/* ---- made and gone ---------------------------------------------------------------------------------------------- */

int scsi_identity(const struct scsi_unit_config *cfg, struct scsi_unit_info *out)
{
	const struct catalog_unit *id = &cfg->identity;
	const char *revision;
	const struct scsi_model *m;

	if (cfg->kind == SCSI_DRIVE) {
		const struct drive_model *d = drive_model_find(id->model);

		if (!d)
			return err_explain(-EINVAL, "there is no drive model \"%s\"", id->model);
		m = &d->base;
		revision = d->revision;
	} else {
		const struct changer_model *c = changer_model_find(id->model);

		if (!c)
			return err_explain(-EINVAL, "there is no library model \"%s\"", id->model);
		m = &c->base;
		revision = c->revision;
	}
	*out = (struct scsi_unit_info){ .naa = id->naa };
	snprintf(out->model, sizeof(out->model), "%s", m->name);
	snprintf(out->vendor, sizeof(out->vendor), "%s", id->vendor[0] ? id->vendor : m->vendor);
	snprintf(out->product, sizeof(out->product), "%s", id->product[0] ? id->product : m->product);
	snprintf(out->revision, sizeof(out->revision), "%s", id->revision[0] ? id->revision : revision);
	if (id->serial[0])
		snprintf(out->serial, sizeof(out->serial), "%s", id->serial);
	else
		snprintf(out->serial, sizeof(out->serial), "%08X%02X", get_be32(cfg->store_id),
			 cfg->kind == SCSI_DRIVE ? cfg->drive : 0xff);
	/* NAA 3: locally assigned, SPC-4 7.8.6.6. */
	if (!out->naa)
		out->naa = 3ull << 60 | (get_be64(cfg->store_id) & 0x0fffffffffffff00ull) |
			   (cfg->kind == SCSI_DRIVE ? cfg->drive : 0xff);
	return 0;
}

static void unit_free(struct scsi_unit *u)
{
	pthread_mutex_destroy(&u->lock);
	free(u->ops.op);
	free(u);
}

int scsi_unit_new(const struct scsi_unit_config *cfg, struct scsi_unit **out)
{
	struct scsi_unit *u = calloc(1, sizeof(*u));
	int r;

	if (!u)
		return err_origin(-ENOMEM);
	u->cfg = *cfg;
	if (!u->cfg.transfer_max || u->cfg.transfer_max > SCSI_TRANSFER_MAX)
		u->cfg.transfer_max = SCSI_TRANSFER_MAX;
	pthread_mutex_init(&u->lock, NULL);
	r = scsi_identity(cfg, &u->id);
	if (!r)
		r = ops_new(unit_groups(u), &u->ops);
	if (!r)
		r = memory_open(cfg->memory, cfg->memory_len, &u->memory);
	if (!r) {
		u->drive_model = cfg->kind == SCSI_DRIVE ? drive_model_find(u->id.model) : NULL;
		u->changer_model = cfg->kind == SCSI_CHANGER ? changer_model_find(u->id.model) : NULL;
		if (memory_fresh(u->memory))
			unit_attention(u, ATTENTION_POWER_ON);
		r = cfg->kind == SCSI_DRIVE ? ssc_new(u) : smc_new(u);
	}
	if (r) {
		u->memory = memory_close(u->memory, true);
		unit_free(u);
		return r;
	}
	*out = u;
	return 0;
}

struct scsi_unit *scsi_unit_free(struct scsi_unit *u, bool keep)
{
	if (!u)
		return NULL;
	if (u->cfg.kind == SCSI_DRIVE)
		ssc_free(u, keep);
	else
		smc_free(u);
	memory_close(u->memory, keep);
	unit_free(u);
	return NULL;
}

void scsi_unit_info(struct scsi_unit *u, struct scsi_unit_info *out)
{
	LOCK_SCOPE(&u->lock);

	*out = u->id;
	out->holds = u->ssc.drive;
}
