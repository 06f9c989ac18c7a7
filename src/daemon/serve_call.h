/* SPDX-License-Identifier: BSD-2-Clause */
/* One request on its way: what the handlers of all nouns share.  Private to serve*.c. */
#ifndef DAEMON_SERVE_CALL_H
#define DAEMON_SERVE_CALL_H

#include "daemon/serve.h"

struct call {
	const struct serve *s;
	const json_t *req;
	int fd;				/* -1: none came along */
	struct ctl_reply *reply;
	json_t **ok;
};

typedef int (*serve_handler)(struct call *c);

int serve_version(struct call *c);		/* serve_store.c */
int serve_status(struct call *c);
int serve_stats(struct call *c);
int serve_get(struct call *c);			/* serve_prop.c */
int serve_set(struct call *c);
int serve_gc(struct call *c);			/* serve_gc.c */
int serve_scrub_start(struct call *c);		/* serve_scrub.c */
int serve_scrub_stop(struct call *c);
int serve_scrub_status(struct call *c);
int serve_scrub_wait(struct call *c);
int serve_check(struct call *c);		/* serve_check.c */
int serve_damage(struct call *c);		/* serve_damage.c */
int serve_pool_lock(struct call *c);		/* serve_lock.c */
int serve_volume_lock(struct call *c);
int serve_volume_restore(struct call *c);
int serve_events(struct call *c);		/* serve_event.c */
int serve_hook_set(struct call *c);		/* serve_hook.c */
int serve_hook_list(struct call *c);
int serve_hook_remove(struct call *c);
int serve_hook_on(struct call *c);
int serve_hook_off(struct call *c);
int serve_hook_test(struct call *c);
int serve_site_add(struct call *c);		/* serve_site.c */
int serve_site_list(struct call *c);
int serve_site_set(struct call *c);
int serve_site_rename(struct call *c);
int serve_site_remove(struct call *c);
int serve_site_clashes(struct call *c);
int serve_site_settle(struct call *c);
int serve_volume_register(struct call *c);
int serve_pool_create(struct call *c);		/* serve_pool.c */
int serve_pool_list(struct call *c);
int serve_pool_get(struct call *c);
int serve_pool_set(struct call *c);
int serve_pool_expire(struct call *c);		/* serve_expire.c */
int serve_pool_rename(struct call *c);
int serve_pool_destroy(struct call *c);
int serve_volume_list(struct call *c);		/* serve_volume.c: what there is */
int serve_volume_history(struct call *c);
int serve_volume_create(struct call *c);	/* serve_volume_make.c */
int serve_volume_erase(struct call *c);		/* serve_volume_change.c: what changes it */
int serve_volume_delete(struct call *c);
int serve_volume_move(struct call *c);
int serve_volume_rename(struct call *c);
int serve_volume_set(struct call *c);
int serve_drive_list(struct call *c);		/* serve_drive.c */
int serve_drive_load(struct call *c);
int serve_drive_unload(struct call *c);
int serve_drive_set(struct call *c);
int serve_volume_label(struct call *c);		/* serve_label.c */
int serve_scsi_up(struct call *c);		/* serve_scsi.c */
int serve_scsi_down(struct call *c);
int serve_scsi_status(struct call *c);
int serve_scsi_models(struct call *c);
int serve_scsi_set(struct call *c);
int serve_changer_list(struct call *c);
int serve_changer_move(struct call *c);
int serve_changer_import(struct call *c);
int serve_changer_export(struct call *c);
int serve_find(struct call *c);			/* serve_find.c */
int serve_ls(struct call *c);			/* serve_contents.c */
int serve_contents_status(struct call *c);
int serve_contents_settle(struct call *c);
int serve_cat(struct call *c);			/* serve_cat.c */
int serve_restore(struct call *c);		/* serve_restore.c */
int serve_import(struct call *c);		/* serve_image.c */
int serve_export(struct call *c);

/* Members of the request (serve_call.c).  Borrowed as long as it.  -EINVAL with words: missing or of another type. */
int call_string(const struct call *c, const char *key, const char **out);
int call_strings(const struct call *c, const char *key, const json_t **out);	/* an array of strings, not empty */
int call_u64(const struct call *c, const char *key, uint64_t *out);
/* Members that need not be there. */
const char *call_string_or(const struct call *c, const char *key, const char *otherwise);
bool call_has(const struct call *c, const char *key);
bool call_flag(const struct call *c, const char *key);		/* absent: false */

/* The owner of what a request makes: whoever runs the daemon, for only they can connect. */
struct catalog_perm call_perm(uint32_t mode);

/* Catalog conditions as words: there is no @noun called @name, there is one already, it is not empty.  Others pass. */
int call_fold(int r, const char *noun, const char *name);
int call_pool(const struct call *c, const char *name, struct catalog_pool *out);
int call_volume(const struct call *c, const char *name, struct catalog_volume *out);
/* Each "PROPERTY=VALUE" of @set, which may be NULL, in their order, until @take says that one is wrong.  @value is
 * borrowed from @set.  -EINVAL with words. */
int call_assignments(const json_t *set, int (*take)(void *ctx, const char *prop, const char *value), void *ctx);
/* A word as the property of that name of a pool would take it: the rules are catalog/'s. */
int call_pool_word(const char *prop, const char *value, struct catalog_pool *out);
/* "nst0", "st0" or "0" of the request's "drive" (serve_drive.c). */
int call_drive(const struct call *c, unsigned *out);
/* json_pack() gave NULL: out of memory, or a name that is not UTF-8. */
int call_row(struct call *c, json_t *row);
int call_progress(struct call *c, json_t *progress);	/* -EPIPE: the client went away */
int call_answer(struct call *c, json_t *ok);

/* Volumes chosen by words (serve_select.c): names, ranges, patterns; each once, in the order named. */
struct selection { uint64_t *id; size_t n, cap; };
void selection_fini(struct selection *sel);
/* @words NULL or empty: every volume of @pool.  @pool NULL: of all pools.  -ENOENT with words if a word fits none. */
int selection_make(const struct call *c, const json_t *words, const char *pool, struct selection *sel);

/* What is damaged and not healed, in chunks and in packs that are lost as wholes (serve_damage.c). */
struct damage { uint64_t chunks, packs; };
int damage_count(const struct call *c, struct damage *out);
json_t *expires_json(uint64_t expires_ns);			/* serve_expire.c */
json_t *scrub_json(const struct library_scrub *s);		/* serve_scrub.c */

/* Which drive has a volume, for many questions in a row (serve_drive.c). */
struct loaded { uint64_t volume[LIBRARY_DRIVES_MAX]; unsigned drives; };
void loaded_look(const struct call *c, struct loaded *out);
/* "nst0" into @out, false if it is in none. */
bool loaded_in(const struct loaded *l, uint64_t volume, char out[16]);

#endif
