/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * vtape: the command line.  Here: which verbs there are and which options each has, finding the one that was typed, and
 * the exit status.  What a verb means is vtape(1)'s to say.
 */
#include "cli/cli.h"

#include <errno.h>

/* What verbs have in common. */
#define LIST OPT_JSON, OPT_NO_HEADER
#define LONG OPT_JSON, OPT_PROGRESS
#define QUERY OPT_REGEX, OPT_EXACT, OPT_IGNORE_CASE, OPT_SIZE, OPT_NEWER, OPT_OLDER, OPT_OWNER, OPT_TYPE, OPT_POOL, \
	OPT_VOLUME
#define ANY INT_MAX

const struct verb verbs[] = {
	{ "init", "STORE", "make an empty store", 1, 1, OPTIONS(OPT_CHUNK_AVG, OPT_COMPRESSION), verb_init },
	{ "mount", "[STORE] FOLDER", "start the daemon and mount the store", 1, 2,
	  OPTIONS(OPT_DRIVES, OPT_MOUNT_OPTIONS, OPT_ALLOW_OTHER, OPT_FOREGROUND), verb_mount },
	{ "umount", "[FOLDER | STORE]", "unmount, and wait until everything is on disk", 0, 1, OPTIONS(OPT_TIMEOUT),
	  verb_umount },
	{ "status", "", "is it mounted, what is in the drives, how much space is there", 0, 0, OPTIONS(OPT_JSON),
	  verb_status },
	{ "stats", "[POOL | VOLUME]", "what was written, and what it takes on disk", 0, 1, OPTIONS(OPT_JSON),
	  verb_stats },
	{ "events", "", "what happened in this store", 0, 0,
	  OPTIONS(LIST, OPT_SINCE, OPT_SEVERITY, OPT_EVENT, OPT_ABOUT, OPT_COUNT, OPT_FOLLOW), verb_events },
	{ "get", "[PROPERTY ...]", "show the store's properties", 0, ANY, OPTIONS(LIST), verb_get },
	{ "set", "PROPERTY=VALUE ...", "change the store's properties", 1, ANY, NO_OPTIONS, verb_set },

	{ "gc", "", "free the space that nothing uses any more", 0, 0, OPTIONS(OPT_DRY_RUN, OPT_RATE, OPT_LIVE, LONG),
	  verb_gc },
	{ "scrub", "[start | stop | status]", "read everything and check it", 0, 1, OPTIONS(OPT_RATE, OPT_WAIT, LONG),
	  verb_scrub },
	{ "check", "", "prove the whole structure", 0, 0, OPTIONS(OPT_DATA, OPT_REPAIR, LONG), verb_check },
	{ "damage", "[VOLUMES ...]", "what is known to be damaged, and what that costs", 0, ANY, OPTIONS(LIST),
	  verb_damage },
	{ "rebuild-index", "", "make a lost or damaged database anew", 0, 0, OPTIONS(LONG), verb_rebuild_index },

	{ "hook set", "HOOK PROGRAM [ARGUMENT ...]", "run a program for events", 2, ANY,
	  OPTIONS(OPT_EVENT, OPT_SEVERITY, OPT_TIMEOUT), verb_hook_set },
	{ "hook list", "[HOOK ...]", "list hooks, and what became of their runs", 0, ANY, OPTIONS(LIST),
	  verb_hook_list },
	{ "hook test", "HOOK", "run a hook's program now, for an event of that name", 1, 1, OPTIONS(OPT_JSON),
	  verb_hook_test },
	{ "hook on", "HOOK", "run it again", 1, 1, NO_OPTIONS, verb_hook_on },
	{ "hook off", "HOOK", "do not run it for a while", 1, 1, NO_OPTIONS, verb_hook_off },
	{ "hook remove", "HOOK", "forget a hook", 1, 1, NO_OPTIONS, verb_hook_remove },

	{ "site list", "[SITE ...]", "list sites", 0, ANY, OPTIONS(LIST), verb_site_list },
	{ "site add", "SITE [PROPERTY=VALUE ...]", "make another site known", 1, ANY, NO_OPTIONS, verb_site_add },
	{ "site set", "SITE PROPERTY=VALUE ...", "change a site's id or note", 2, ANY, NO_OPTIONS, verb_site_set },
	{ "site rename", "SITE NAME", "give a site, or this one, another name", 2, 2, NO_OPTIONS, verb_site_rename },
	{ "site remove", "SITE", "forget a site", 1, 1, NO_OPTIONS, verb_site_remove },
	{ "site clashes", "", "list labels that two sites have", 0, 0, OPTIONS(LIST), verb_site_clashes },
	{ "site settle", "SITE LABEL", "the other site has renamed its volume: forget the clash", 2, 2, NO_OPTIONS,
	  verb_site_settle },

	{ "pool create", "POOL [PROPERTY=VALUE ...]", "make a pool", 1, ANY, NO_OPTIONS, verb_pool_create },
	{ "pool list", "[POOL ...]", "list pools", 0, ANY, OPTIONS(LIST), verb_pool_list },
	{ "pool get", "POOL [PROPERTY ...]", "show a pool's properties", 1, ANY, OPTIONS(LIST), verb_pool_get },
	{ "pool set", "POOL PROPERTY=VALUE ...", "change a pool's properties", 2, ANY, OPTIONS(OPT_YES),
	  verb_pool_set },
	{ "pool lock", "POOL", "let nobody destroy what is in a pool", 1, 1, OPTIONS(OPT_UNTIL, OPT_FOR, OPT_YES),
	  verb_pool_lock },
	{ "pool expire", "[POOL ...]", "let expired volumes become scratch", 0, ANY, OPTIONS(LIST, OPT_DRY_RUN),
	  verb_pool_expire },
	{ "pool rename", "POOL NAME", "give a pool another name", 2, 2, NO_OPTIONS, verb_pool_rename },
	{ "pool destroy", "POOL", "remove a pool", 1, 1, OPTIONS(OPT_WITH_VOLUMES, OPT_YES), verb_pool_destroy },

	{ "volume create", "[VOLUMES ...]", "make blank volumes", 0, ANY,
	  OPTIONS(OPT_POOL, OPT_CAPACITY, OPT_WORM, OPT_PROTECT, OPT_PROGRESS, OPT_COUNT, OPT_FROM),
		  verb_volume_create },
	{ "volume register", "VOLUME", "make a volume of another site known", 1, 1,
	  OPTIONS(OPT_SITE, OPT_ACCESS, OPT_SERIAL, OPT_GENERATION, OPT_WRITTEN, OPT_POOL), verb_volume_register },
	{ "volume list", "[VOLUMES ...]", "list volumes", 0, ANY, OPTIONS(LIST, OPT_POOL, OPT_STATE),
	  verb_volume_list },
	{ "volume show", "VOLUMES ...", "show everything that is known of volumes", 1, ANY, OPTIONS(OPT_JSON),
	  verb_volume_show },
	{ "volume history", "VOLUME", "list a volume's generations", 1, 1, OPTIONS(LIST), verb_volume_history },
	{ "volume restore-generation", "VOLUME GENERATION", "bring back what a volume held", 2, 2, NO_OPTIONS,
	  verb_volume_restore },
	{ "volume lock", "VOLUMES ...", "let nobody destroy what is on volumes", 1, ANY,
	  OPTIONS(OPT_UNTIL, OPT_FOR, OPT_YES), verb_volume_lock },
	{ "volume label", "VOLUME", "write a standard label on a blank volume", 1, 1,
	  OPTIONS(OPT_ID, OPT_OWNER, OPT_IBM, OPT_OVERWRITE, OPT_YES), verb_volume_label },
	{ "volume erase", "VOLUMES ...", "make volumes blank", 1, ANY, OPTIONS(OPT_YES, OPT_PROGRESS),
	  verb_volume_erase },
	{ "volume delete", "VOLUMES ...", "remove volumes", 1, ANY, OPTIONS(OPT_YES, OPT_PROGRESS),
	  verb_volume_delete },
	{ "volume move", "VOLUMES ... POOL", "move volumes to another pool", 2, ANY, OPTIONS(OPT_PROGRESS),
	  verb_volume_move },
	{ "volume rename", "VOLUME NAME", "give a volume another name", 2, 2, NO_OPTIONS, verb_volume_rename },
	{ "volume set", "VOLUMES ... PROPERTY=VALUE ...", "change when they expire, their state, ...", 2, ANY,
	  OPTIONS(OPT_YES, OPT_PROGRESS), verb_volume_set },

	{ "drive list", "", "list drives and what is in them", 0, 0, OPTIONS(LIST), verb_drive_list },
	{ "drive load", "DRIVE VOLUME | DRIVE [POOL]", "put a volume into a drive", 1, 2, OPTIONS(OPT_SCRATCH),
	  verb_drive_load },
	{ "drive unload", "DRIVE", "take the volume out of a drive", 1, 1, NO_OPTIONS, verb_drive_unload },
	{ "drive set", "DRIVE stacker=POOL[:all]|off", "let a drive load the next volume by itself", 2, ANY,
	  NO_OPTIONS, verb_drive_set },

	{ "scsi up", "[PROPERTY=VALUE ...]", "give the kernel SCSI drives and a changer", 0, ANY, NO_OPTIONS,
	  verb_scsi_up },
	{ "scsi down", "", "take them away again", 0, 0, NO_OPTIONS, verb_scsi_down },
	{ "scsi status", "", "list SCSI units and their devices", 0, 0, OPTIONS(LIST), verb_scsi_status },
	{ "scsi models", "", "list the models of drives and libraries", 0, 0, OPTIONS(LIST), verb_scsi_models },
	{ "scsi set", "UNIT PROPERTY=VALUE ...", "change what a SCSI unit says of itself", 2, ANY, NO_OPTIONS,
	  verb_scsi_set },
	{ "changer list", "", "list slots, ports and drives and what is in them", 0, 0, OPTIONS(LIST),
	  verb_changer_list },
	{ "changer move", "FROM TO", "move a volume as the robot does", 2, 2, NO_OPTIONS, verb_changer_move },
	{ "changer import", "VOLUME [PORT]", "put a volume into a port of the library", 1, 2, NO_OPTIONS,
	  verb_changer_import },
	{ "changer export", "PORT|VOLUME", "take a volume out of its port", 1, 1, NO_OPTIONS, verb_changer_export },

	{ "find", "[PATTERN]", "find files in the archives on tapes", 0, 1,
	  OPTIONS(LIST, QUERY, OPT_NEWEST, OPT_COUNT), verb_find },
	{ "ls", "VOLUME[:FILE[:PATH]]", "list tape files, or what is in one", 1, 1,
	  OPTIONS(LIST, OPT_RECURSIVE, OPT_LONG), verb_ls },
	{ "cat", "VOLUME:FILE[:PATH]", "write the bytes of a tape file, or of a file in it", 1, 1,
	  OPTIONS(OPT_VERBOSE), verb_cat },
	{ "restore", "[VOLUME[:FILE[:PATH]] | PATTERN] ...", "bring back files from archives on tapes", 0, ANY,
	  OPTIONS(QUERY, LONG, OPT_NO_HEADER, OPT_DIRECTORY, OPT_FIND, OPT_ALL_VERSIONS, OPT_DRY_RUN, OPT_OVERWRITE,
		  OPT_KEEP_NEWER, OPT_STRIP, OPT_VERBOSE), verb_restore },
	{ "contents status", "", "how much of what is on the tapes is known", 0, 0, OPTIONS(OPT_JSON),
	  verb_contents_status },
	{ "contents settle", "[VOLUMES ...]", "wait until it is known", 0, ANY, OPTIONS(LONG), verb_contents_settle },
	{ "contents forget", "[VOLUMES ...]", "forget it and look again", 0, ANY, OPTIONS(LONG),
	  verb_contents_forget },

	{ "import", "FILE VOLUME", "read a tape image into a volume", 2, 2,
	  OPTIONS(OPT_POOL, OPT_FORMAT, OPT_OVERWRITE, OPT_PROGRESS), verb_import },
	{ "export", "VOLUME FILE", "write a volume as a tape image", 2, 2,
	  OPTIONS(OPT_FORMAT, OPT_OVERWRITE, OPT_PROGRESS), verb_export },

	{ "version", "", "print the version", 0, 0, NO_OPTIONS, verb_version },
	{ "help", "[VERB]", "print the verbs, or what one of them does", 0, 2, OPTIONS(OPT_NO_HEADER), verb_help },
};
const size_t verb_count = ARRAY_LEN(verbs);

bool verb_takes(const struct verb *v, enum opt o)
{
	const enum opt *p = v->options;

	while (*p != o && *p != OPTS)
		p++;
	return *p != OPTS;
}

/* How many of the words at @word name @v: 0 if they do not. */
static int verb_words(const struct verb *v, char **word, int n)
{
	const char *space = strchr(v->name, ' ');
	size_t first = space ? (size_t)(space - v->name) : strlen(v->name);

	if (n < 1 || strlen(word[0]) != first || strncmp(word[0], v->name, first) != 0)
		return 0;
	if (!space)
		return 1;
	return n >= 2 && !strcmp(word[1], space + 1) ? 2 : 0;
}

static const char *verb_name(size_t i)
{
	return verbs[i].name;
}

static int unknown_verb(const struct args *a)
{
	char typed[2 * BARCODE_MAX];
	const char *near;
	size_t n = strlen(a->operand[0]);

	/* A noun without its verb: say which it has. */
	for (size_t i = 0; i < verb_count; i++) {
		bool asked = args_has(a, OPT_HELP);
		FILE *to = asked ? stdout : stderr;

		if (a->operands > 1 || strncmp(verbs[i].name, a->operand[0], n) != 0 || verbs[i].name[n] != ' ')
			continue;
		if (!asked)
			fprintf(stderr, "vtape: \"%s\" what?\n", a->operand[0]);
		for (; i < verb_count && !strncmp(verbs[i].name, a->operand[0], n); i++)
			fprintf(to, "  vtape %s %s\n", verbs[i].name, verbs[i].operands);
		return asked ? EXIT_SUCCESS : EXIT_USAGE;
	}
	snprintf(typed, sizeof(typed), "%s%s%s", a->operand[0], a->operands > 1 ? " " : "",
		 a->operands > 1 ? a->operand[1] : "");
	near = nearest(typed, verb_name, verb_count);
	if (!near)
		near = nearest(a->operand[0], verb_name, verb_count);
	if (near)
		fprintf(stderr, "vtape: there is no verb \"%s\"; did you mean \"%s\"?\n", typed, near);
	else
		fprintf(stderr, "vtape: there is no verb \"%s\"; `vtape help` lists them\n", typed);
	return EXIT_USAGE;
}

static int wrong_usage(const struct verb *v)
{
	fprintf(stderr, "usage: vtape %s%s%s  (`vtape %s --help` says more)\n", v->name, v->operands[0] ? " " : "",
		v->operands, v->name);
	return EXIT_USAGE;
}

static int verb_run(const struct verb *v, struct args *a, int words)
{
	int r;

	if (args_has(a, OPT_HELP)) {
		verb_help_print(v, stdout);
		return EXIT_DONE;
	}
	a->operand += words;
	a->operands -= words;
	for (enum opt o = 0; o < OPTS; o++) {
		if (a->value[o] && !verb_takes(v, o)) {
			fprintf(stderr, "vtape: %s has no option --%s\n", v->name, options[o].name);
			return wrong_usage(v);
		}
	}
	if (a->operands < v->min || a->operands > v->max) {
		fprintf(stderr, "vtape: %s: %s\n", v->name,
			a->operands < v->min ? "something is missing" : "that is too much");
		return wrong_usage(v);
	}
	r = v->run(a);
	if (r < 0)
		fprintf(stderr, "vtape: %s\n", err_text(r));
	return r > 0 ? r : ctl_exit_status(r);
}

static int run(int argc, char **argv)
{
	struct args a;
	int r = args_parse(argc, argv, &a);

	if (r < 0) {
		fprintf(stderr, "vtape: %s\n", err_text(r));
		return EXIT_USAGE;
	}
	if (args_has(&a, OPT_VERSION))
		return verb_version(&a);
	if (a.operands == 0) {
		bool asked = args_has(&a, OPT_HELP);
		verb_help_print(NULL, asked ? stdout : stderr);
		return asked ? EXIT_DONE : EXIT_USAGE;
	}
	for (size_t i = 0; i < verb_count; i++) {
		int words = verb_words(&verbs[i], a.operand, a.operands);
		if (words)
			return verb_run(&verbs[i], &a, words);
	}
	return unknown_verb(&a);
}

int main(int argc, char **argv)
{
	int status;

	log_set_level(LOG_LEVEL_ERROR);
	status = run(argc, argv);
	if (fflush(stdout) || ferror(stdout)) {
		fprintf(stderr, "vtape: cannot write the output: %s\n", strerror(errno));
		return status ? status : EXIT_FAILED;
	}
	return status;
}
