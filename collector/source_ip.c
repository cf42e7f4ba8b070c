/* SPDX-License-Identifier: MIT */
typedef int pgb_source_ip_is_not_written_yet;
