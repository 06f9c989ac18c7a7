/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What the verbs of vtape(1) share.  A verb is a row of the table in main.c; its options, its --help, the completion
 * and the manual follow from that row or are checked against it.
 *
 * A verb's result: 0; < 0 -errno, its words in err_text(), main() says them and turns them into an exit status;
 * > 0 is the exit status itself, words have been said.
 */
#ifndef CLI_CLI_H
#define CLI_CLI_H

#include <vtape/ctl.h>

#include <limits.h>
#include <stdio.h>

/* ---- main.c: the verbs; args.c: the options ------------------------------------------------------------ */

/* 3 to 7 are ctl_exit_status()'s. */
enum { EXIT_DONE, EXIT_FAILED, EXIT_USAGE, EXIT_FAULTS = 8, EXIT_MENDED };

enum opt {
	OPT_STORE, OPT_HELP, OPT_JSON, OPT_NO_HEADER, OPT_PROGRESS, OPT_YES, OPT_POOL, OPT_CAPACITY, OPT_WORM,
	OPT_PROTECT, OPT_DRIVES, OPT_CHUNK_AVG, OPT_COMPRESSION, OPT_MOUNT_OPTIONS, OPT_ALLOW_OTHER, OPT_FOREGROUND,
	OPT_TIMEOUT, OPT_WITH_VOLUMES, OPT_FORMAT, OPT_OVERWRITE, OPT_SINCE, OPT_SEVERITY, OPT_COUNT, OPT_FOLLOW,
	OPT_DRY_RUN, OPT_RATE, OPT_LIVE, OPT_WAIT, OPT_DATA, OPT_REPAIR, OPT_UNTIL, OPT_FOR, OPT_EVENT,
	OPT_ABOUT, OPT_SITE, OPT_ACCESS, OPT_SERIAL, OPT_GENERATION, OPT_WRITTEN, OPT_FROM, OPT_STATE,
	OPT_SCRATCH, OPT_ID, OPT_OWNER, OPT_IBM,
	OPT_REGEX, OPT_EXACT, OPT_IGNORE_CASE, OPT_SIZE, OPT_NEWER, OPT_OLDER, OPT_TYPE, OPT_VOLUME, OPT_NEWEST,
	OPT_RECURSIVE, OPT_LONG, OPT_DIRECTORY, OPT_FIND, OPT_ALL_VERSIONS, OPT_KEEP_NEWER, OPT_STRIP, OPT_VERBOSE,
	OPT_VERSION, OPTS
};
/* A verb's list of options; every verb has the first two. */
#define OPTIONS(...) (const enum opt[]){ OPT_STORE, OPT_HELP, __VA_ARGS__, OPTS }
#define NO_OPTIONS (const enum opt[]){ OPT_STORE, OPT_HELP, OPTS }

/* An option means the same wherever it is allowed. */
struct option_row {
	char letter;			/* 0: long only */
	const char *name;
	const char *value;		/* what stands for its value in the help; NULL: a flag */
	const char *help;
};
extern const struct option_row options[OPTS];

struct args {
	const char *value[OPTS];	/* NULL: not given; a flag that is given: "" */
	char **operand;			/* borrowed from argv, NULL behind the last */
	int operands;
};

struct verb {
	const char *name;		/* "status", "pool create" */
	const char *operands;		/* for the help */
	const char *brief;
	int min, max;			/* operands; max INT_MAX: any number */
	const enum opt *options;	/* OPTIONS(...), OPTS behind the last */
	int (*run)(const struct args *a);
};
extern const struct verb verbs[];
extern const size_t verb_count;
bool verb_takes(const struct verb *v, enum opt o);

/* Takes options out of @argv; what is left are operands, the verb's words among them.  -EINVAL with words. */
int args_parse(int argc, char **argv, struct args *out);
static inline bool args_has(const struct args *a, enum opt o) { return a->value[o] != NULL; }
/* The number behind an option.  -EINVAL with words; *out untouched if it is not given. */
int args_number(const struct args *a, enum opt o, uint64_t max, uint64_t *out);
/* The same for a size, as the number that a request carries: NULL if it is not given. */
int args_size(const struct args *a, enum opt o, json_t **out);
/* An option that is given, as another program's @as, with its value behind it; @n words are in @argv, and then
 * returned. */
int args_pass(const struct args *a, enum opt o, const char *as, const char *argv[], int n);
/* The name nearest to a misspelt one, NULL if none is near. */
const char *nearest(const char *word, const char *(*name)(size_t i), size_t n);

int verb_help(const struct args *a);				/* help.c */
void verb_help_print(const struct verb *v, FILE *to);

/* ---- store.c: which store, and somebody who serves it -------------------------------------------------- */

struct store {
	char path[PATH_MAX];
	int sock;
	pid_t child;	/* a vtaped that serves only us; 0: a daemon serves the store */
};
#define STORE_CLOSED { "", -1, 0 }

int store_find(const struct args *a, char path[PATH_MAX]);	/* -ENOENT with words: the ways to name one */
bool store_is(const char *path);				/* is this folder a store? */
int store_open(const struct args *a, struct store *out);
/* A vtaped that has the store, but not open: it answers "rebuild". -EBUSY if somebody serves it. */
int store_open_shut(const struct args *a, struct store *out);
void store_close(struct store *s);				/* waits for the child, so that the store is free */
/* As ctl_call(); takes @request. *ok may be NULL if the answer is of no interest. */
int store_call(struct store *s, json_t *request, int fd, int (*each)(void *ctx, const char *key, json_t *value),
	       void *ctx, json_t **ok);
/* Opens the store, makes one call, closes it. */
int store_ask(const struct args *a, json_t *request, int (*each)(void *ctx, const char *key, json_t *value), void *ctx,
	      json_t **ok);

/* interrupt.c: from interrupt_catch() on, a signal that would end us ends the call on @s instead (-EPIPE), so that
 * there is time for words and for the server to close the store.  The second such signal ends us as ever. */
void interrupt_catch(const struct store *s);
bool interrupt_came(void);
void interrupt_obey(void);		/* ends by the signal that came, if one did */

/* mounts.c: the mounted stores, from /proc/self/mountinfo. */
struct mount { char mountpoint[PATH_MAX], store[PATH_MAX]; };
int mounts_each(int (*each)(void *ctx, const struct mount *m), void *ctx);	/* non-zero stops, is returned */
bool path_is_below(const char *path, const char *folder);			/* or is it */

/* spawn.c */
int vtaped_find(char path[PATH_MAX]);
/* Runs and waits.  0..255: its exit status; < 0 with words. */
int spawn_wait(const char *const argv[]);

/* ---- listing.c: rows as a table, as tab separated words, as JSON --------------------------------------- */

enum column_kind { COL_TEXT, COL_SIZE, COL_LIMIT /* a size; 0 is none */, COL_COUNT, COL_TIME, COL_FLAG };
struct column {
	const char *head;
	const char *path;	/* member of the row; a dot leads into an object */
	enum column_kind kind;
};
struct listing;
/* @json_lines: with --json, one object a line instead of one array. */
int listing_new(const struct args *a, const struct column *columns, size_t n, bool json_lines, struct listing **out);
/* An @each of store_call(); other keys than "row" pass by. */
int listing_row(void *listing, const char *key, json_t *value);
struct listing *listing_free(struct listing *l);			/* prints what is left to print */
/* Request, rows, output: a whole verb. */
int listing_of(const struct args *a, json_t *request, const struct column *columns, size_t n);
/* The same of properties, of a pool or of the store. */
int listing_of_props(const struct args *a, json_t *request);
/* One object: its columns as "head: value" lines. */
void print_object(const json_t *o, const struct column *columns, size_t n);
void print_json(const json_t *o);
json_t *member(const json_t *o, const char *path);			/* borrowed; NULL if there is none */
void cell_text(const json_t *value, enum column_kind kind, bool exact, struct buf *out);

/* ---- progress.c ---------------------------------------------------------------------------------------- */

struct progress {
	const char *what;
	bool bar, lines;
	bool shown;
	uint64_t begun_ns, said_ns;
};
void progress_begin(struct progress *p, const struct args *a, const char *what);
void progress_update(struct progress *p, uint64_t done, uint64_t total, bool bytes);
void progress_end(struct progress *p);
int progress_each(void *progress, const char *key, json_t *value);	/* an @each of store_call() */
/* store_call(), and store_ask(), with progress: "creating: ...". */
int progress_call(struct store *s, const struct args *a, const char *what, json_t *request, int fd, json_t **ok);
int progress_ask(const struct args *a, const char *what, json_t *request, int fd, json_t **ok);

/* ---- when.c: moments ------------------------------------------------------------------------------------ */

/* "2027-01-31", "2027-01-31T12:00", in local time: *until_ns; "+30d": *for_s.  The other one is 0.  -EINVAL with
 * words. */
int when_parse(const char *s, uint64_t *until_ns, uint64_t *for_s);
/* "expires=WHEN" as a request has it, with the moment in numbers; other words are copied.  Freed by the caller. */
int when_property(const char *word, char **out);
int when_parse_past(const char *s, uint64_t *ns);	/* a date as above, or "2h ago" */

/* verb_site.c.  Of @words the first @names are volumes or pools (@noun), the others PROPERTY=VALUE.  Would that take
 * over what another site writes?  Then the user is asked.  -ECANCELED. */
int takeover_ask(const struct args *a, const char *noun, char **words, int names, int n, bool *takes);

/* ---- verb.c: small things that verbs do ---------------------------------------------------------------- */

json_t *json_words(char **words, int n);				/* an array */
/* On a terminal asks; without one --yes is needed.  -ECANCELED, -EINVAL with words. */
int confirm(const struct args *a, const char *fmt, ...) PRINTF_LIKE(2, 3);

int verb_init(const struct args *a);		/* verb_store.c */
int verb_status(const struct args *a);
int verb_stats(const struct args *a);
int verb_get(const struct args *a);
int verb_set(const struct args *a);
int verb_version(const struct args *a);
int verb_mount(const struct args *a);		/* verb_mount.c */
int verb_umount(const struct args *a);
int verb_events(const struct args *a);		/* verb_events.c */
int verb_gc(const struct args *a);		/* verb_care.c */
int verb_scrub(const struct args *a);
int verb_check(const struct args *a);
int verb_rebuild_index(const struct args *a);	/* verb_rebuild.c */
int verb_damage(const struct args *a);		/* verb_damage.c */
int verb_site_list(const struct args *a);	/* verb_site.c */
int verb_site_clashes(const struct args *a);
int verb_site_add(const struct args *a);
int verb_site_set(const struct args *a);
int verb_site_rename(const struct args *a);
int verb_site_remove(const struct args *a);
int verb_site_settle(const struct args *a);
int verb_volume_register(const struct args *a);
int verb_hook_set(const struct args *a);	/* verb_hook.c */
int verb_hook_list(const struct args *a);
int verb_hook_remove(const struct args *a);
int verb_hook_on(const struct args *a);
int verb_hook_off(const struct args *a);
int verb_hook_test(const struct args *a);
int verb_pool_create(const struct args *a);	/* verb_pool.c */
int verb_pool_list(const struct args *a);
int verb_pool_get(const struct args *a);
int verb_pool_set(const struct args *a);
int verb_pool_lock(const struct args *a);	/* verb_lock.c */
int verb_pool_expire(const struct args *a);	/* verb_expire.c */
int verb_pool_rename(const struct args *a);
int verb_pool_destroy(const struct args *a);
int verb_volume_create(const struct args *a);	/* verb_volume_make.c */
int verb_volume_list(const struct args *a);	/* verb_volume.c */
int verb_volume_show(const struct args *a);
int verb_volume_history(const struct args *a);
int verb_volume_restore(const struct args *a);
int verb_volume_lock(const struct args *a);	/* verb_lock.c */
int verb_volume_label(const struct args *a);	/* verb_label.c */
int verb_volume_erase(const struct args *a);
int verb_volume_delete(const struct args *a);
int verb_volume_move(const struct args *a);
int verb_volume_rename(const struct args *a);
int verb_volume_set(const struct args *a);
int verb_drive_list(const struct args *a);	/* verb_drive.c */
int verb_drive_load(const struct args *a);
int verb_drive_unload(const struct args *a);
int verb_drive_set(const struct args *a);
int verb_scsi_up(const struct args *a);		/* verb_scsi.c */
int verb_scsi_down(const struct args *a);
int verb_scsi_status(const struct args *a);
int verb_scsi_models(const struct args *a);
int verb_scsi_set(const struct args *a);
int verb_changer_list(const struct args *a);
int verb_changer_move(const struct args *a);
int verb_changer_import(const struct args *a);
int verb_changer_export(const struct args *a);
int verb_find(const struct args *a);		/* verb_find.c */
int verb_ls(const struct args *a);
int verb_cat(const struct args *a);
int verb_restore(const struct args *a);		/* verb_restore.c */
int verb_contents_status(const struct args *a);	/* verb_contents.c */
int verb_contents_settle(const struct args *a);
int verb_contents_forget(const struct args *a);
int verb_import(const struct args *a);		/* verb_image.c */
int verb_export(const struct args *a);

#endif
