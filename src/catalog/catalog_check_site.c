/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The check of sites, clashes and hooks.  A label that two sites have is a fault that only a person can mend; a damaged
 * row of a clash or a hook is removed, as nothing else speaks of it.
 */
#include "catalog/catalog_check.h"

#include <errno.h>
#include <inttypes.h>

int check_site(struct check *k, const struct at *at)
{
	struct catalog_site s;
	int r = catalog_site_by_number(k->c, (uint32_t)at->number, &s);

	if (r == -EUCLEAN)
		check_tell(k, false, "the row of site number %" PRIu64 " is damaged", at->number);
	return r == -EUCLEAN || r == CATALOG_E_NONE ? 0 : r;
}

int check_owner(struct check *k, const char *what, const char *name, uint32_t site)
{
	struct catalog_site s;
	int r = catalog_site_by_number(k->c, site, &s);

	if (r == CATALOG_E_NONE)
		check_tell(k, false, "%s %s: its site, number %" PRIu32 ", is not known", what, name, site);
	return r == -EUCLEAN || r == CATALOG_E_NONE ? 0 : r;	/* damage is told with the site's own row */
}

static int clash_holds(struct check *k, const struct catalog_clash *clash)
{
	struct catalog_volume v;
	struct catalog_site s;
	int r = catalog_volume_get(k->c, clash->name, &v);

	if (r || !strcmp(v.serial, clash->serial))
		return r < 0 && r != -EUCLEAN ? r : 0;	/* renamed meanwhile, or its damage is told elsewhere */
	r = catalog_site_by_number(k->c, clash->site, &s);
	check_tell(k, false,
		   "volume %s, serial %s, has a label that site %s has on serial %s: one of the two is to be renamed",
		   v.name, v.serial, r ? "?" : s.name, clash->serial);
	return r < 0 && r != -EUCLEAN ? r : 0;
}

int check_clash(struct check *k, const struct at *at)
{
	CLEANUP(buf_fini) struct buf row = BUF_INIT;
	struct catalog_clash clash = { .site = 0 };
	int r = row_get(k->c, &at->key, &row);

	if (!r)
		r = key_clash_parse(at->key.b, at->key.len, &clash);
	if (!r)
		r = clash_decode(row.data, row.len, &clash);
	if (!r)
		return clash_holds(k, &clash);
	if (r == -EUCLEAN)
		check_tell(k, check_removed(k, &at->key), "the row of a clash of labels is damaged");
	return r == -EUCLEAN || r == CATALOG_E_NONE ? 0 : r;
}

int check_hook(struct check *k, const struct at *at)
{
	CLEANUP(buf_fini) struct buf row = BUF_INIT;
	char name[BARCODE_MAX + 1] = "";
	struct catalog_hook h;
	int r = row_get(k->c, &at->key, &row);

	if (!r && at->key.len <= sizeof(name))
		memcpy(name, at->key.b + 1, at->key.len - 1);
	if (!r)
		r = hook_decode(name, row.data, row.len, &h);
	if (r == -EUCLEAN)
		check_tell(k, check_removed(k, &at->key), "the row of hook \"%s\" is damaged",
			   parse_is_name(name) ? name : "?");
	return r == -EUCLEAN || r == CATALOG_E_NONE ? 0 : r;
}
