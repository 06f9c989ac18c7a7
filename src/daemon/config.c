/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The daemon's command line.  Called as mount.vtape or mount.fuse.vtape (by mount(8), from fstab) it understands the
 * words of a mount helper instead: SOURCE TARGET [-sfnv] [-o OPTIONS].
 */
#include "daemon/config.h"

#include <vtape/chunk.h>
#include <vtape/library.h>

#include <errno.h>
#include <getopt.h>
#include <stdio.h>

#define DRIVES_DEFAULT 4

const char config_help[] =
	"usage: vtaped --store STORE --mount MNT [--drives N] [-o OPTIONS] [--allow-other] [--foreground] [--debug]\n"
	"       vtaped --store STORE --init [--chunk-avg SIZE] [--compression none|lz4|zstd]\n"
	"       vtaped --store STORE --serve-fd N [--drives N]\n"
	"       vtaped --store STORE --rebuild-fd N\n"
	"       mount.vtape STORE MNT [-o OPTIONS]\n"
	"\n"
	"vtaped owns a store and serves it: the mounted tree, the drives, the control socket.\n"
	"Most people start it with `vtape mount STORE MNT`; see vtape(1), vtaped(8) and mount.vtape(8).\n";

static int parse_drives(const char *s, unsigned *out)
{
	char *end;
	unsigned long n = strtoul(s, &end, 10);

	if (end == s || *end || n > LIBRARY_DRIVES_MAX)
		return err_explain(-EINVAL, "drives=%s: a number from 0 to %u is wanted", s, LIBRARY_DRIVES_MAX);
	*out = (unsigned)n;
	return 0;
}

static int parse_chunk_avg(const char *s, uint32_t *out)
{
	uint64_t v;

	if (parse_size(s, &v) < 0 || v > UINT32_MAX)
		return err_explain(-EINVAL, "--chunk-avg %s: a size such as 32K is wanted", s);
	*out = (uint32_t)v;
	return 0;
}

/* Words that fstab and mount(8) use among themselves and that mean nothing to a file system. */
static bool is_fstab_word(const char *o)
{
	static const char *const words[] = { "rw", "defaults", "auto", "noauto", "nofail", "_netdev", "user", "nouser",
					     "users", "owner", "group" };

	for (size_t i = 0; i < ARRAY_LEN(words); i++)
		if (!strcmp(o, words[i]))
			return true;
	return !strncmp(o, "x-", 2) || !strncmp(o, "comment=", 8);
}

static int add_fuse_option(struct config *c, const char *o)
{
	size_t used = strlen(c->fuse_options);
	int n = snprintf(c->fuse_options + used, sizeof(c->fuse_options) - used, "%s%s", used ? "," : "", o);

	return (size_t)n < sizeof(c->fuse_options) - used ? 0 : err_explain(-EINVAL, "the mount options are too long");
}

int config_mount_options(struct config *c, const char *options)
{
	CLEANUP(freep) char *copy = strdup(options);
	char *rest = copy, *o;
	int r = copy ? 0 : err_origin(-ENOMEM);

	while (!r && (o = strsep(&rest, ","))) {
		if (!*o || is_fstab_word(o))
			continue;
		if (!strncmp(o, "drives=", 7))
			r = parse_drives(o + 7, &c->drives);
		else if (!strcmp(o, "allow_other"))
			c->allow_other = true;
		else if (!strcmp(o, "noarchives"))
			c->noarchives = true;
		else if (!strcmp(o, "debug"))
			c->debug = true;
		else
			r = add_fuse_option(c, o);
	}
	return r;
}

static int parse_mount_helper(int argc, char **argv, struct config *c)
{
	int opt, r = 0;

	c->act = ACT_MOUNT;
	while (!r && (opt = getopt(argc, argv, "sfnvho:t:")) != -1) {
		if (opt == 'o')
			r = config_mount_options(c, optarg);
		else if (opt == 'h')
			c->act = ACT_HELP;
		else if (opt == '?')
			r = err_explain(-EINVAL, "see mount.vtape(8)");
	}
	if (r < 0 || c->act == ACT_HELP)
		return r;
	if (argc - optind != 2)
		return err_explain(-EINVAL, "a store and a mount point are wanted: mount.vtape STORE MNT");
	c->store = argv[optind];
	c->mountpoint = argv[optind + 1];
	return 0;
}

enum {
	OPT_STORE = 256, OPT_MOUNT, OPT_INIT, OPT_SERVE, OPT_REBUILD, OPT_DRIVES, OPT_AVG, OPT_CODEC, OPT_FG, OPT_DEBUG,
	OPT_OTHER
};
static const struct option long_options[] = {
	{ "store", required_argument, NULL, OPT_STORE },
	{ "mount", required_argument, NULL, OPT_MOUNT },
	{ "init", no_argument, NULL, OPT_INIT },
	{ "serve-fd", required_argument, NULL, OPT_SERVE },
	{ "rebuild-fd", required_argument, NULL, OPT_REBUILD },
	{ "drives", required_argument, NULL, OPT_DRIVES },
	{ "chunk-avg", required_argument, NULL, OPT_AVG },
	{ "compression", required_argument, NULL, OPT_CODEC },
	{ "foreground", no_argument, NULL, OPT_FG },
	{ "debug", no_argument, NULL, OPT_DEBUG },
	{ "allow-other", no_argument, NULL, OPT_OTHER },
	{ "help", no_argument, NULL, 'h' },
	{ "version", no_argument, NULL, 'V' },
	{ NULL, 0, NULL, 0 },
};

static int parse_option(struct config *c, int opt, int *acts)
{
	switch (opt) {
	case OPT_STORE: c->store = optarg; return 0;
	case OPT_MOUNT: c->mountpoint = optarg; c->act = ACT_MOUNT; ++*acts; return 0;
	case OPT_INIT: c->act = ACT_INIT; ++*acts; return 0;
	case OPT_SERVE: c->serve_fd = atoi(optarg); c->act = ACT_SERVE; ++*acts; return 0;
	case OPT_REBUILD: c->serve_fd = atoi(optarg); c->act = ACT_REBUILD; ++*acts; return 0;
	case OPT_DRIVES: return parse_drives(optarg, &c->drives);
	case OPT_AVG: return parse_chunk_avg(optarg, &c->chunk_avg);
	case OPT_CODEC: c->compression = optarg; return 0;
	case OPT_FG: case 'f': c->foreground = true; return 0;
	case OPT_DEBUG: case 'd': c->debug = true; return 0;
	case OPT_OTHER: c->allow_other = true; return 0;
	case 'o': return config_mount_options(c, optarg);
	case 'h': c->act = ACT_HELP; *acts = 1; return 0;
	case 'V': c->act = ACT_VERSION; *acts = 1; return 0;
	default: return err_explain(-EINVAL, "see vtaped --help");
	}
}

static int parse_daemon(int argc, char **argv, struct config *c)
{
	int opt, acts = 0, r = 0;

	while (!r && (opt = getopt_long(argc, argv, "fdhVo:", long_options, NULL)) != -1)
		r = parse_option(c, opt, &acts);
	if (r < 0 || c->act == ACT_HELP || c->act == ACT_VERSION)
		return r;
	if (optind < argc)
		return err_explain(-EINVAL, "unexpected '%s'; see vtaped --help", argv[optind]);
	if (!c->store || acts != 1)
		return err_explain(-EINVAL,
				   "--store and one of --mount, --init, --serve-fd, --rebuild-fd are wanted; see "
				   "vtaped --help");
	return 0;
}

int config_parse(int argc, char **argv, struct config *out)
{
	const char *base = strrchr(argv[0], '/');

	*out = (struct config){ .drives = DRIVES_DEFAULT, .chunk_avg = CHUNK_AVG_DEFAULT, .serve_fd = -1 };
	base = base ? base + 1 : argv[0];
	return strncmp(base, "mount.", 6) ? parse_daemon(argc, argv, out) : parse_mount_helper(argc, argv, out);
}
