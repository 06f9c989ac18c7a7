/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * unit: made, reset, and one command at a time.
 *
 * The order of what can end a command before it is run is SAM-5's and SPC-4's: unknown code, a pending unit attention, a
 * CDB with bits where none may be, no medium, a drive that somebody else has.
 */
#include <errno.h>
#include <stdio.h>

#include "scsi/unit.h"

static const struct op_group *const drive_groups[] = {
	&spc_group, &inquiry_group, &rsoc_group, &ssc_io_group, &ssc_move_group, &ssc_medium_group, &ssc_mode_group,
	&ssc_log_group, &ssc_density_group, &ssc_security_group, &mam_group, NULL
};
static const struct op_group *const changer_groups[] = {
	&spc_group, &inquiry_group, &rsoc_group, &smc_group, &smc_element_group, &smc_mode_group, NULL
};

const struct op_group *const *unit_groups(const struct scsi_unit *u)
{
	return u->cfg.kind == SCSI_DRIVE ? drive_groups : changer_groups;
}

unsigned op_cdb_len(uint8_t code)
{
	static const uint8_t len[8] = { 6, 10, 10, 0, 16, 12, 0, 0 };

	return len[code >> 5];
}

/* ---- unit attentions -------------------------------------------------------------------------------------------- */

void unit_attention(struct scsi_unit *u, enum attention a)
{
	u->attentions |= 1u << a;
}

static bool attention_told(struct scsi_unit *u, struct scsi_task *t)
{
	static const uint16_t code[ATTENTIONS] = {
		ASC_POWER_ON, ASC_BUS_RESET, ASC_LUN_RESET, ASC_NEXUS_LOST, ASC_MEDIUM_CHANGED, ASC_PORT_ACCESSED,
		ASC_MODE_CHANGED, ASC_LOG_CHANGED, ASC_KEYS_CHANGED
	};
	unsigned a = 0;

	if (!u->attentions)
		return false;
	while (!(u->attentions & 1u << a))
		a++;
	u->attentions &= ~(1u << a);
	task_check(t, UNIT_ATTENTION, code[a]);
	return true;
}

/* ---- a command -------------------------------------------------------------------------------------------------- */

/* *code_known: other service actions of it are. */
static const struct op *op_find(const struct scsi_unit *u, const uint8_t *cdb, bool *code_known)
{
	*code_known = false;
	for (const struct op_group *const *g = unit_groups(u); *g; g++) {
		for (size_t i = 0; i < (*g)->count; i++) {
			const struct op *op = &(*g)->op[i];

			if (op->code != cdb[0])
				continue;
			*code_known = true;
			if (op->action < 0 || op->action == (cdb[1] & 0x1f))
				return op;
		}
	}
	return NULL;
}

static bool cdb_fits(const struct op *op, struct scsi_task *t)
{
	for (unsigned i = 1, n = op_cdb_len(op->code); i < n; i++) {
		uint8_t wrong = (uint8_t)(t->cdb[i] & ~op->usage[i]);

		if (!wrong)
			continue;
		task_bad_cdb(t, i, 31 - __builtin_clz(wrong));
		return false;
	}
	return true;
}

static void run(struct scsi_unit *u, struct scsi_task *t)
{
	bool known;
	const struct op *op = op_find(u, t->cdb, &known);

	if (u->cfg.kind == SCSI_DRIVE)
		ssc_look(u);
	else
		smc_look(u);
	if (!op || !op->run) {
		if (known)
			task_bad_cdb(t, 1, 4);
		else
			task_check(t, ILLEGAL_REQUEST, ASC_INVALID_OPCODE);
		return;
	}
	if (!(op->flags & OP_ALWAYS) && attention_told(u, t))
		return;
	if (!cdb_fits(op, t))
		return;
	if (op->flags & OP_MEDIUM && !u->ssc.volume) {
		task_check(t, NOT_READY, ASC_NO_MEDIUM);
		return;
	}
	if (op->flags & OP_TAPE && !ssc_take(u, t))
		return;
	op->run(u, t);
}

void scsi_execute(struct scsi_unit *u, uint64_t sequence, struct scsi_task *t)
{
	LOCK_SCOPE(&u->lock);

	t->status = SCSI_GOOD;
	t->sense_len = t->data_in = 0;
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

	unit_attention(u, (enum attention)what);
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
		pthread_mutex_destroy(&u->lock);
		free(u);
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
	pthread_mutex_destroy(&u->lock);
	free(u);
	return NULL;
}

void scsi_unit_info(struct scsi_unit *u, struct scsi_unit_info *out)
{
	LOCK_SCOPE(&u->lock);

	*out = u->id;
	out->holds = u->ssc.drive;
}
