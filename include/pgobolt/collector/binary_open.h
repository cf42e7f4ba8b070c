/* SPDX-License-Identifier: MIT */
/*
 * Which file of this machine is the one that a process has mapped?
 *
 * The path is as the process sees it: it may lie in a container, have been deleted, or name
 * another file by now. Tried in turn: the path; /proc/PID/root/PATH; /proc/PID/map_files/START-END
 * (needs CAP_CHECKPOINT_RESTORE or CAP_SYS_ADMIN, finds deleted files); /proc/PID/exe; the parent's
 * root, for children that have ended already. The first whose build-id (where the event has one),
 * else device and inode are the mapping's is it. On btrfs and overlayfs st_dev is not the device
 * that the kernel reports: an equal inode is enough; on overlayfs neither may agree: there the path
 * is believed when nothing better turns up.
 *
 * The file is held open where there are descriptors to spare, so that it can be read as long as we
 * run, whatever becomes of its name: path_open is /proc/OUR-PID/fd/N then.
 */
#ifndef PGOBOLT_COLLECTOR_BINARY_OPEN_H
#define PGOBOLT_COLLECTOR_BINARY_OPEN_H

#include "pgobolt/collector/addrspace.h"

extern const struct pgb_binary_opener pgb_binary_open_here;

#endif
