/* SPDX-License-Identifier: BSD-2-Clause */
/* Requests about SCSI units and about the places of the library.  Units are the mount's daemon's; places anybody's. */
#include "daemon/serve_call.h"

#include <errno.h>
#include <stdio.h>

#include "daemon/scsi.h"

/* ---- units ------------------------------------------------------------------------------------------------------ */

static int call_scsi(const struct call *c, struct scsi_service **out)
{
	if (!c->s->scsi)
		return err_explain(-ENOTCONN,
				   "SCSI units are served by the daemon of a mounted store: `vtape mount` comes first");
	*out = c->s->scsi;
	return 0;
}

static int number_wish(const char *prop, const char *value, uint64_t max, uint32_t *out)
{
	uint64_t n;
	char *end;

	errno = 0;
	n = strtoull(value, &end, 10);
	if (value[0] < '0' || value[0] > '9' || *end || errno || n > max)
		return err_explain(-EINVAL, "%s is a number up to %llu, not \"%s\"", prop, (unsigned long long)max,
				   value);
	*out = (uint32_t)n;
	return 0;
}

static int wish_set(void *ctx, const char *prop, const char *value)
{
	struct scsi_wish *w = ctx;

	if (!strcmp(prop, "slots"))
		return number_wish(prop, value, LIBRARY_SLOTS_MAX, &w->slots);
	if (!strcmp(prop, "ports"))
		return number_wish(prop, value, LIBRARY_PORTS_MAX, &w->ports);
	if (!strcmp(prop, "drives"))
		w->drives = value;
	else if (!strcmp(prop, "changer"))
		w->changer = value;
	else if (!strcmp(prop, "fabric"))
		w->fabric = value;
	else
		return err_explain(-ENOENT, "there is no property \"%s\" (drives, changer, slots, ports, fabric)",
				   prop);
	return 0;
}

int serve_scsi_up(struct call *c)
{
	struct scsi_service *s;
	struct scsi_wish wish = { "", "", "", UINT32_MAX, UINT32_MAX };
	int r = call_scsi(c, &s);

	r = r ? r : call_assignments(json_object_get(c->req, "set"), wish_set, &wish);
	return r ? r : scsi_service_up(s, &wish);
}

int serve_scsi_down(struct call *c)
{
	struct scsi_service *s;
	int r = call_scsi(c, &s);

	return r ? r : scsi_service_down(s);
}

static void node_path(const char *node, char out[32])
{
	snprintf(out, 32, "%s%s", node[0] ? "/dev/" : "", node);
}

static int unit_row(void *ctx, const struct scsi_status_row *u)
{
	char tape[32], sg[32], st[20], naa[17];
	struct call *c = ctx;

	snprintf(st, sizeof(st), "%s%s", u->nodes.st[0] ? "n" : "", u->nodes.st);
	node_path(u->nodes.st[0] ? st : u->nodes.sch, tape);
	node_path(u->nodes.sg, sg);
	snprintf(naa, sizeof(naa), "%016llx", (unsigned long long)u->info.naa);
	return call_row(c, json_pack("{s:s, s:s, s:s, s:s, s:s, s:s, s:s, s:s, s:s, s:s, s:s, s:b, s:I, s:I, s:I}",
				     "unit", u->unit, "state", !u->up ? "down" : u->error ? "failed" : "up",
				     "sg", sg, "device", tape, "address", u->nodes.address, "core", u->core,
				     "model", u->info.model, "vendor", u->info.vendor, "product", u->info.product,
				     "serial", u->info.serial, "naa", naa, "in_use", u->info.holds,
				     "commands", (json_int_t)u->info.commands,
				     "read_bytes", (json_int_t)u->info.bytes_in,
				     "written_bytes", (json_int_t)u->info.bytes_out));
}

int serve_scsi_status(struct call *c)
{
	struct scsi_service *s;
	int r = call_scsi(c, &s);

	return r ? r : scsi_service_each(s, unit_row, c);
}

int serve_scsi_models(struct call *c)
{
	size_t n;
	const struct scsi_model *m = scsi_models(&n);
	int r = 0;

	for (size_t i = 0; !r && i < n; i++)
		r = call_row(c, json_pack("{s:s, s:s, s:s, s:s, s:s}",
					  "kind", m[i].kind == SCSI_DRIVE ? "drive" : "changer",
					  "model", m[i].name, "vendor", m[i].vendor, "product", m[i].product,
					  "words", m[i].words));
	return r;
}

struct unit_change { struct scsi_service *s; const char *unit; };

static int unit_set(void *ctx, const char *prop, const char *value)
{
	const struct unit_change *ch = ctx;

	return scsi_service_set(ch->s, ch->unit, prop, value);
}

int serve_scsi_set(struct call *c)
{
	struct unit_change ch;
	const json_t *set;
	int r = call_scsi(c, &ch.s);

	r = r ? r : call_string(c, "unit", &ch.unit);
	r = r ? r : call_strings(c, "set", &set);
	return r ? r : call_assignments(set, unit_set, &ch);
}

/* ---- places ----------------------------------------------------------------------------------------------------- */

static const char *const place_words[] = { "outside", "slot", "port", "nst" };

static void place_text(struct library_place at, char out[16])
{
	if (at.kind == LIBRARY_OUTSIDE)
		snprintf(out, 16, "outside");
	else
		snprintf(out, 16, "%s%u", place_words[at.kind], at.number);
}

/* "slot12", "port0", "nst0". */
static int place_parse(const char *word, struct library_place *out)
{
	for (int kind = LIBRARY_SLOT; kind <= LIBRARY_DRIVE; kind++) {
		size_t n = strlen(place_words[kind]);

		if (strncmp(word, place_words[kind], n) || word[n] < '0' || word[n] > '9')
			continue;
		out->kind = (enum library_place_kind)kind;
		return number_wish(place_words[kind], word + n, LIBRARY_SLOTS_MAX, &out->number);
	}
	return err_explain(-EINVAL, "\"%s\" is no place (slot0..., port0..., nst0...)", word);
}

/* A place, or the volume that is there. */
static int call_place(const struct call *c, const char *key, struct library_place *out)
{
	struct catalog_volume v;
	const char *word;
	int r = call_string(c, key, &word);

	if (r)
		return r;
	r = catalog_volume_get(c->s->cat, word, &v);
	if (r == CATALOG_E_NONE)
		return place_parse(word, out);
	return err_fold(r ? r : library_where(c->s->lib, v.id, out));
}

static int place_row(struct call *c, struct library_place at)
{
	char place[16], source[16] = "";
	struct library_element e;
	int r = library_element(c->s->lib, at, &e);

	if (r)
		return r;
	place_text(at, place);
	if (e.has_source)
		place_text(e.source, source);
	return call_row(c, json_pack("{s:s, s:s?, s:s, s:b}", "place", place, "volume", e.volume ? e.name : NULL,
				     "from", source, "imported", e.imported));
}

struct outside { struct call *c; int r; };

static int outside_row(void *ctx, const struct catalog_volume *v)
{
	struct outside *o = ctx;
	struct library_place at;

	if (v->state == STATE_INCOMING || library_where(o->c->s->lib, v->id, &at) || at.kind != LIBRARY_OUTSIDE)
		return 0;
	o->r = call_row(o->c, json_pack("{s:s, s:s, s:s, s:b}", "place", "outside", "volume", v->name, "from", "",
					"imported", false));
	return o->r;
}

static int outside_of(void *ctx, const struct catalog_pool *p)
{
	struct outside *o = ctx;

	return catalog_volume_each(o->c->s->cat, p->id, "", outside_row, o);
}

int serve_changer_list(struct call *c)
{
	struct outside o = { c, 0 };
	uint32_t slots, ports;
	int r = 0;

	library_places(c->s->lib, &slots, &ports);
	for (unsigned n = 0; !r && n < library_drives(c->s->lib); n++)
		r = place_row(c, (struct library_place){ LIBRARY_DRIVE, n });
	for (uint32_t n = 0; !r && n < ports; n++)
		r = place_row(c, (struct library_place){ LIBRARY_PORT, n });
	for (uint32_t n = 0; !r && n < slots; n++)
		r = place_row(c, (struct library_place){ LIBRARY_SLOT, n });
	return err_fold(r ? r : catalog_pool_each(c->s->cat, outside_of, &o));
}

int serve_changer_move(struct call *c)
{
	struct library_place from = { 0 }, to = { 0 };
	int r = call_place(c, "from", &from);

	r = r ? r : call_place(c, "to", &to);
	return r ? r : err_fold(library_move(c->s->lib, from, to));
}

/* The first port that is free. */
static int free_port(struct call *c, uint32_t *out)
{
	uint32_t slots, ports;

	library_places(c->s->lib, &slots, &ports);
	for (uint32_t n = 0; n < ports; n++) {
		struct library_element e;

		if (library_element(c->s->lib, (struct library_place){ LIBRARY_PORT, n }, &e) || e.volume)
			continue;
		*out = n;
		return 0;
	}
	return err_explain(-EBUSY, ports ? "every port is full" : "the library has no ports: `vtape scsi up ports=N`");
}

int serve_changer_import(struct call *c)
{
	struct library_place at = { LIBRARY_PORT, 0 };
	struct catalog_volume v;
	const char *name;
	int r = call_string(c, "volume", &name);

	r = r ? r : call_volume(c, name, &v);
	if (!r)
		r = call_has(c, "port") ? call_place(c, "port", &at) : free_port(c, &at.number);
	if (!r && at.kind != LIBRARY_PORT)
		r = err_explain(-EINVAL, "an operator's hand reaches ports, nothing else");
	return r ? r : err_fold(library_import(c->s->lib, v.id, at.number));
}

int serve_changer_export(struct call *c)
{
	struct library_place at = { 0 };
	int r = call_place(c, "from", &at);

	if (!r && at.kind != LIBRARY_PORT)
		r = err_explain(-EINVAL, "it is not in a port: `vtape changer move` brings it there");
	return r ? r : err_fold(library_export(c->s->lib, at.number));
}
