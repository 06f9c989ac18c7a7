/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The control socket's verbs: which there are, and who carries them out.  Every verb has this one implementation;
 * whether a daemon runs or `vtape` started one for a single command makes no difference to it.
 *
 * Members of the requests, and what comes back ([x]: may be left out; rows are objects; numbers are exact: bytes, ns):
 *
 *   version                                    -> ok {version}: is somebody there, and has he the store?
 *   status                                     -> ok {version, pid, store, mountpoint, started_ns, drives, space, ...}
 *   stats            [name]                    -> ok {logical_bytes, unique_bytes, stored_bytes, dedup, ...}
 *   get              [props]                   -> rows {property, value, values, help}
 *   set              set: ["P=V"]
 *   gc               [dry_run] [rate_bytes] [live_percent]
 *                                              -> progress; ok {dropped_generations, packs, freed_bytes, ...}
 *   scrub.start      [rate_bytes]
 *   scrub.stop
 *   scrub.status                               -> ok {state, done_bytes, all_bytes, chunks, damaged, ...}
 *   scrub.wait                                 -> progress; ok as scrub.status, once none is running
 *   check            [data] [repair]           -> progress {room, done, total}; rows {room, about, what, repaired};
 *                                                 ok {faults, repaired, catalog, tape, chunk, contents, damage}
 *   damage           [names]                   -> rows {volume, generation, file, from_bytes, bytes, archive, ...};
 *                                                 ok {chunks, packs, hurt}
 *   events           [since] [since_ns] [last] [severity] [events] [about]
 *                                              -> rows {seq, time_ns, number, name, severity, about, text}; ok {last}
 *   hook.set         name program [events] [severity] [timeout_s]
 *   hook.list        [names]                   -> rows {name, program, events, severity, timeout_s, on, runs, ...}
 *   hook.remove      name
 *   hook.on          name
 *   hook.off         name
 *   hook.test        name                      -> ok {status, words, took_ns, output}
 *   site.add         name [set: ["P=V"]]
 *   site.list        [names]                   -> rows {name, number, id, note, added_ns, heard_ns, clashes}
 *   site.set         name set
 *   site.rename      name to
 *   site.remove      name
 *   site.clashes                               -> rows {name, serial, site, their_serial, found_ns}
 *   site.settle      name site
 *   pool.create      name [set: ["P=V"]]
 *   pool.list        [names]                   -> rows
 *   pool.get         name [props]              -> rows {pool, property, value, values, help}
 *   pool.set         name set [takeover]
 *   pool.lock        name (until_ns | for_s)   -> row {name, locked_until_ns}
 *   pool.expire      [names] [dry_run]         -> rows {volume, pool, state, what, why, expires_ns, size_bytes};
 *                                                 ok {volumes, scratched, kept, failed, bytes}
 *   pool.rename      name to
 *   pool.destroy     name [volumes: true]
 *   volume.create    (names [lines] | count) [pool] [capacity] [worm] [protect]  -> ok {created, [first, last]}
 *   volume.register  name site [access] [serial] [generation] [written_ns] [pool]
 *   volume.list      [names] [pool] [state]    -> rows
 *   volume.history   name                      -> rows
 *   volume.restore   name generation           -> ok {generation}
 *   volume.lock      names (until_ns | for_s)  -> rows {name, locked_until_ns}
 *   volume.label     name [id] [owner] [ibm] [overwrite]        -> ok {label}
 *   volume.erase     names
 *   volume.delete    names
 *   volume.move      names pool
 *   volume.rename    name to
 *   volume.set       names set [takeover]
 *   drive.list                                 -> rows {drive, volume, pool, open, locked, partition, file, ...}
 *   drive.load       drive (volume | scratch: true [pool])     -> ok {volume}
 *   drive.set        drive set: ["stacker=POOL[:all]|off"]
 *   drive.unload     drive
 *   scsi.up          [set: ["P=V"]]
 *   scsi.down
 *   scsi.status                                -> rows {unit, state, sg, device, model, serial, naa, core, ...}
 *   scsi.models                                -> rows {kind, model, vendor, product, words}
 *   scsi.set         unit set
 *   changer.list                               -> rows {place, volume, from, imported}
 *   changer.move     from to
 *   changer.import   volume [port]
 *   changer.export   from
 *   find             [pattern] [match] [ignore_case] [size_min] [size_max] [mtime_from] [mtime_to] [owner] [types]
 *                    [pool] [volumes] [newest] [limit]
 *                                              -> progress; rows {volume, file, type, size_bytes, mtime_ns, path, ...};
 *                                                 ok {found, pending}
 *   ls               volume [file] [path] [recursive] [folder]  -> rows, of tape files or of members; ok {pending}
 *   cat              volume file [path], fd    -> progress; ok {bytes, read_bytes}
 *   restore          from: [{volume, [file], [path]}] or find: [as find has it], [versions] [strip] [dry_run], fd
 *                                              -> progress; rows of what is damaged, or (dry_run) of all;
 *                                                 ok {members, bytes, archives, read_bytes, damaged, joined, waiting,
 *                                                 others}
 *   contents.status                            -> ok {volumes, files, bytes, lists, members, volume}
 *   contents.settle  [names] [forget]          -> progress; ok as contents.status
 *   import           volume [pool] [format] [file] [overwrite], fd  -> progress {done_bytes, total_bytes, objects}; ok
 *   export           volume [format], fd                            -> progress; ok
 *
 * `names` are words as vtape(1), "Names", has them.
 */
#include "daemon/serve_call.h"

#include <errno.h>

static const struct {
	const char *verb;
	serve_handler handler;
} verbs[] = {
	{ "version",         serve_version },
	{ "status",          serve_status },
	{ "stats",           serve_stats },
	{ "get",             serve_get },
	{ "set",             serve_set },
	{ "gc",              serve_gc },
	{ "scrub.start",     serve_scrub_start },
	{ "scrub.stop",      serve_scrub_stop },
	{ "scrub.status",    serve_scrub_status },
	{ "scrub.wait",      serve_scrub_wait },
	{ "check",           serve_check },
	{ "damage",          serve_damage },
	{ "events",          serve_events },
	{ "hook.set",        serve_hook_set },
	{ "hook.list",       serve_hook_list },
	{ "hook.remove",     serve_hook_remove },
	{ "hook.on",         serve_hook_on },
	{ "hook.off",        serve_hook_off },
	{ "hook.test",       serve_hook_test },
	{ "site.add",        serve_site_add },
	{ "site.list",       serve_site_list },
	{ "site.set",        serve_site_set },
	{ "site.rename",     serve_site_rename },
	{ "site.remove",     serve_site_remove },
	{ "site.clashes",    serve_site_clashes },
	{ "site.settle",     serve_site_settle },
	{ "pool.create",     serve_pool_create },
	{ "pool.list",       serve_pool_list },
	{ "pool.get",        serve_pool_get },
	{ "pool.set",        serve_pool_set },
	{ "pool.lock",       serve_pool_lock },
	{ "pool.expire",     serve_pool_expire },
	{ "pool.rename",     serve_pool_rename },
	{ "pool.destroy",    serve_pool_destroy },
	{ "volume.create",   serve_volume_create },
	{ "volume.register", serve_volume_register },
	{ "volume.list",     serve_volume_list },
	{ "volume.history",  serve_volume_history },
	{ "volume.restore",  serve_volume_restore },
	{ "volume.lock",     serve_volume_lock },
	{ "volume.label",    serve_volume_label },
	{ "volume.erase",    serve_volume_erase },
	{ "volume.delete",   serve_volume_delete },
	{ "volume.move",     serve_volume_move },
	{ "volume.rename",   serve_volume_rename },
	{ "volume.set",      serve_volume_set },
	{ "drive.list",      serve_drive_list },
	{ "drive.load",      serve_drive_load },
	{ "drive.unload",    serve_drive_unload },
	{ "drive.set",       serve_drive_set },
	{ "scsi.up",         serve_scsi_up },
	{ "scsi.down",       serve_scsi_down },
	{ "scsi.status",     serve_scsi_status },
	{ "scsi.models",     serve_scsi_models },
	{ "scsi.set",        serve_scsi_set },
	{ "changer.list",    serve_changer_list },
	{ "changer.move",    serve_changer_move },
	{ "changer.import",  serve_changer_import },
	{ "changer.export",  serve_changer_export },
	{ "find",            serve_find },
	{ "ls",              serve_ls },
	{ "cat",             serve_cat },
	{ "restore",         serve_restore },
	{ "contents.status", serve_contents_status },
	{ "contents.settle", serve_contents_settle },
	{ "import",          serve_import },
	{ "export",          serve_export },
};

int serve_request(void *ctx, const char *verb, const json_t *req, int fd, struct ctl_reply *reply, json_t **ok)
{
	struct call c = { .s = ctx, .req = req, .fd = fd, .reply = reply, .ok = ok };

	for (size_t i = 0; i < ARRAY_LEN(verbs); i++)
		if (!strcmp(verbs[i].verb, verb))
			return verbs[i].handler(&c);
	return err_explain(-EOPNOTSUPP, "the daemon (version %s) does not know the request \"%s\"", VTAPE_VERSION,
			   verb);
}
