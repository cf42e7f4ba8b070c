/* SPDX-License-Identifier: MIT */
typedef int pgb_source_lbr_is_not_written_yet;
